package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// story tells the main job step by step, as a client sees it: over HTTP with
// an API key, and over NATS with a connection of its own.
type story struct {
	s      system
	a      *app
	secret string
	step   int
	otp    demoOTP
	code   string

	posted, answered, onPhone time.Time
}

func (t *story) say(format string, args ...any) { fmt.Fprintf(t.s.out, format+"\n", args...) }

func (t *story) title(format string, args ...any) {
	t.step++
	t.say("\n%d. %s", t.step, fmt.Sprintf(format, args...))
}

// tell runs the whole round trip. It fails unless the code was verified and
// the inbound SMS was seen on NATS.
func (t *story) tell(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoBudget)
	defer cancel()
	secret, _, err := t.a.gw.NewKey(ctx, gateway.Request{Caller: gateway.LocalCaller()}, gateway.NewKey{
		Name: "demo", Scopes: []string{gateway.ScopeOTP, gateway.ScopeSend, gateway.ScopeInbound, gateway.ScopeStatus},
	})
	if err != nil {
		return err
	}
	t.secret = secret
	t.say("modemgate demo: a daemon, two simulated modems on ptys, and a small SMS network between them.")
	t.say("   REST  http://%s", t.a.api.Addr())
	t.say("   NATS  nats://%s", t.a.bus.Addr())
	t.say("   key   %s", secret)
	for _, m := range t.a.sim.Modems() {
		t.say("   modem %s on %s, its number is %s", m.Name(), m.Path(), m.Number())
	}
	if err := t.a.bus.AwaitStreams(ctx); err != nil {
		return err
	}
	if err := t.awaitLine(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{t.sendCode, t.showDialogue, t.verifyCode, t.receive} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// awaitLine waits until a line can send, as a program would.
func (t *story) awaitLine(ctx context.Context) error {
	for {
		resp, err := t.request(ctx, "GET", "/readyz?sending=1", nil, nil)
		if err == nil && resp == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("no simulated line came up")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

type demoOTP struct {
	ID           string    `json:"id"`
	State        string    `json:"state"`
	ExpiresAt    time.Time `json:"expires_at"`
	AttemptsLeft int       `json:"attempts_left"`
	MessageID    string    `json:"message_id"`
}

// sendCode asks for an OTP and waits for it on the phone.
func (t *story) sendCode(ctx context.Context) error {
	t.title("A service asks for a one-time password")
	t.say("   POST /v1/otp {\"to\":\"%s\"}", demoPhone)
	var otp demoOTP
	t.posted = time.Now()
	status, err := t.request(ctx, "POST", "/v1/otp", map[string]string{"to": demoPhone}, &otp)
	t.answered = time.Now()
	if err != nil {
		return err
	}
	t.say("   %d %s: %s, %d tries, valid until %s", status, otp.ID, otp.State, otp.AttemptsLeft, when(otp.ExpiresAt))
	t.say("   The code is in no answer, log or event; only its HMAC is stored. The answer came after the commit, in %s.", ms(t.answered.Sub(t.posted)))
	t.title("The SMS arrives on the phone %s", demoPhone)
	texts, err := t.a.sim.Phone(demoPhone).Wait(ctx, 1)
	if err != nil {
		return errors.New("the SMS did not arrive on the simulated phone")
	}
	t.onPhone = texts[0].At
	t.say("   from %s: %s", texts[0].From, texts[0].Text)
	return t.remember(texts[0].Text, otp)
}

var codeInText = regexp.MustCompile(`\b[0-9]{6}\b`)

// remember keeps what the next steps need.
func (t *story) remember(text string, otp demoOTP) error {
	code := codeInText.FindString(text)
	if code == "" {
		return errors.New("there is no code in the text")
	}
	t.otp, t.code = otp, code
	return nil
}

// showDialogue prints what went over the pty for this SMS.
func (t *story) showDialogue(context.Context) error {
	for _, m := range t.a.sim.Modems() {
		lines := dialogue(m)
		if lines == nil {
			continue
		}
		t.title("What modemgate and the modem said on %s", m.Path())
		for _, l := range lines {
			t.say("   %s", l)
		}
		return nil
	}
	return errors.New("no modem has sent anything")
}

// dialogue is the part of a transcript from the prompt of the first
// submission to its result.
func dialogue(m *sim.Modem) []string {
	var out []string
	for _, l := range m.Transcript() {
		if strings.HasPrefix(l, "> AT+CMGS=") {
			out = []string{}
		}
		if out == nil {
			continue
		}
		if len(l) > 88 {
			l = l[:85] + "…"
		}
		out = append(out, l)
		if strings.HasPrefix(l, "< OK") {
			return out
		}
	}
	return out
}

type demoVerdict struct {
	Valid        bool   `json:"valid"`
	State        string `json:"state"`
	AttemptsLeft int    `json:"attempts_left"`
	Code         string `json:"code"`
	Reason       string `json:"reason"`
}

// verifyCode tries a wrong code, the right one, and the right one again.
func (t *story) verifyCode(ctx context.Context) error {
	t.title("The person types the code")
	wrong := "000000"
	if t.code == wrong {
		wrong = "111111"
	}
	for _, try := range []struct {
		code, what string
		valid      bool
		status     int
	}{{wrong, "a wrong code", false, 200}, {t.code, "the right code", true, 200}, {t.code, "the right code again", false, 410}} {
		var v demoVerdict
		status, err := t.request(ctx, "POST", "/v1/otp/"+t.otp.ID+"/verify", map[string]string{"code": try.code}, &v)
		if err != nil && status != try.status {
			return err
		}
		if v.Valid != try.valid || status != try.status {
			return fmt.Errorf("%s: got %d, valid %v", try.what, status, v.Valid)
		}
		if status == http.StatusOK {
			t.say("   %-22s %d {\"valid\":%v,\"state\":%q,\"attempts_left\":%d}", try.what, status, v.Valid, v.State, v.AttemptsLeft)
		} else {
			t.say("   %-22s %d %s, it is %s: a code counts once", try.what, status, v.Code, v.Reason)
		}
	}
	return nil
}

// receive texts a modem from a phone and waits for the SMS on NATS.
func (t *story) receive(ctx context.Context) error {
	modem := t.a.sim.Modems()[1]
	t.title("The phone texts back to %s, and a monitor hears it on NATS", modem.Number())
	nc, err := nats.Connect("nats://"+t.a.bus.Addr(), nats.Token(t.secret), nats.Name("demo monitor"), nats.Timeout(time.Minute))
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("sms.inbound.>")
	if err != nil {
		return err
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		return err
	}
	sent := time.Now()
	if err := t.a.sim.Phone(demoPhone).Send(modem.Number(), "Hello modemgate, your login code is 246810."); err != nil {
		return err
	}
	msg, err := sub.NextMsgWithContext(ctx)
	if err != nil {
		return fmt.Errorf("no inbound SMS on NATS: %w", err)
	}
	heard := time.Now()
	if err := emptied(ctx, modem); err != nil {
		return err
	}
	deleted := time.Now()
	t.say("   %s", msg.Subject)
	t.say("   %s", shorten(string(msg.Data), 220))
	t.title("Figures of this run")
	t.say("   POST to stored answer                %8s", ms(t.answered.Sub(t.posted)))
	t.say("   POST to the SMS on the phone         %8s, of which the simulated radio takes %s", ms(t.onPhone.Sub(t.posted)), ms(demoRadio))
	t.say("   SMS sent to the modem to subscriber  %8s, after it was stored on the disk", ms(heard.Sub(sent)))
	t.say("   SMS sent to the modem to empty SIM   %8s: it is deleted only when it is stored", ms(deleted.Sub(sent)))
	return nil
}

// emptied waits until the memories of a modem hold nothing.
func emptied(ctx context.Context, m *sim.Modem) error {
	for len(m.Stored()) > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the SMS is still in the memory of modem %s", m.Name())
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// request calls the API as any client does; out is filled from any answer.
func (t *story) request(ctx context.Context, method, path string, in, out any) (int, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+t.a.api.Addr().String()+path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+t.secret)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			return resp.StatusCode, err
		}
	}
	if resp.StatusCode >= 300 {
		return resp.StatusCode, fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return resp.StatusCode, nil
}
