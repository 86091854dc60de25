package gateway_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/phone"
	"github.com/modemgate/modemgate/gateway/store"
)

// logBook keeps a log for a test to read.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBook) tune(o *gateway.Options) {
	timeless := func(_ []string, a slog.Attr) slog.Attr { // digits of a time may be those that are looked for
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	o.Log = slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: timeless}))
}

func TestCommandOfAnOperator(t *testing.T) {
	log := &logBook{}
	r := newHastyRig(t, log.tune, nil)
	r.lineState("modem0", "up")
	res, err := r.g.Command(t.Context(), admin, "modem0", "AT+CSQ", 0)
	if err != nil || res.Result != "OK" || len(res.Lines) != 1 || !strings.HasPrefix(res.Lines[0], "+CSQ: ") {
		t.Errorf("got %+v, %v", res, err)
	}
	if res, err := r.g.Command(t.Context(), admin, "modem0", `AT+CPBF="+447700900123 12345"`, 0); err != nil || res.Result == "OK" {
		t.Errorf("got %+v, %v", res, err)
	}
	if text := log.String(); strings.Contains(text, "7700900123") || strings.Contains(text, "12345") || !strings.Contains(text, "AT+CPBF=") {
		t.Errorf("log: %s", text)
	}
	for _, row := range []struct {
		by        gateway.Request
		line, cmd string
		want      gateway.Code
	}{
		{app, "modem0", "AT", gateway.ScopeMissing}, {admin, "nowhere", "AT", gateway.NotFound},
		{admin, "modem0", "AT+CPIN=1234", gateway.InvalidRequest}, {admin, "modem0", "AT+CFUN=1,1", gateway.InvalidRequest},
	} {
		if _, err := r.g.Command(t.Context(), row.by, row.line, row.cmd, 0); code(err) != row.want {
			t.Errorf("%s: %v", row.cmd, err)
		}
	}
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultMissing, Match: "+CSQ"})
	if _, err := r.g.Command(t.Context(), admin, "modem0", "AT+CSQ", 100*time.Millisecond); code(err) != gateway.ModemTimeout {
		t.Errorf("no answer: %v", err)
	}
	r.lineState("modem0", "up")
	r.net.Modems()[0].Unplug()
	r.lineState("modem0", "absent")
	if _, err := r.g.Command(t.Context(), admin, "modem0", "AT+CSQ", 0); code(err) != gateway.NoLine {
		t.Errorf("unplugged: %v", err)
	}
}

// TestTraceOutlivesTheSession wants the last words of a modem that went, and
// no number or text among them.
func TestTraceOutlivesTheSession(t *testing.T) {
	r := newRig(t, nil, nil)
	const to = "+999777000123"
	v := r.post(gateway.NewMessage{To: to, Text: "the secret text"})
	r.await(v.ID, "delivered")
	r.net.Modems()[0].Unplug()
	r.lineState("modem0", "absent")
	lines, err := r.g.Trace(t.Context(), admin, "modem0", 0)
	if err != nil || len(lines) == 0 {
		t.Fatalf("got %d lines, %v", len(lines), err)
	}
	all := ""
	for _, l := range lines {
		all += l.Mark + " " + l.Text + "\n"
	}
	for _, word := range []string{"> AT+CMGS=", "< OK", "! session ended"} {
		if !strings.Contains(all, word) {
			t.Errorf("no %q in\n%s", word, all)
		}
	}
	if strings.Contains(all, "777000123") || strings.Contains(all, "secret") || strings.Contains(all, r.net.Modems()[0].IMEI()) {
		t.Errorf("the trace shows too much:\n%s", all)
	}
	if rest, err := r.g.Trace(t.Context(), admin, "modem0", lines[len(lines)-2].Seq); err != nil || len(rest) != 1 {
		t.Errorf("got %+v, %v", rest, err)
	}
	if _, err := r.g.Trace(t.Context(), app, "modem0", 0); code(err) != gateway.ScopeMissing {
		t.Errorf("got %v", err)
	}
}

func TestUSSDSession(t *testing.T) {
	for _, profile := range sim.Profiles() {
		if profile == "bare" {
			continue // it has no AT+CUSD
		}
		t.Run("profile "+profile, func(t *testing.T) {
			log := &logBook{}
			r := newRig(t, log.tune, func(o *sim.Options) { o.Profile = profile })
			r.lineState("modem0", "up")
			ask := func(by gateway.Request, in gateway.NewUSSD) (gateway.USSDView, error) {
				t.Helper()
				return r.g.USSD(t.Context(), by, "modem0", in)
			}
			v, err := ask(admin, gateway.NewUSSD{Code: "*123#"})
			if err != nil || v.State != "reply-expected" || !strings.HasPrefix(v.Text, "SimNet\n1 Balance") || v.ExpiresAt.IsZero() {
				t.Fatalf("got %+v, %v", v, err)
			}
			other := req("other", gateway.ScopeAdmin)
			if _, err := ask(other, gateway.NewUSSD{Code: "*100#"}); code(err) != gateway.LineBusy {
				t.Errorf("another key came between: %v", err)
			}
			if v, err = ask(admin, gateway.NewUSSD{Reply: "1"}); err != nil || v.State != "done" || v.Text != "Your balance is 9.90" {
				t.Errorf("got %+v, %v", v, err)
			}
			if _, err = ask(admin, gateway.NewUSSD{Reply: "1"}); code(err) != gateway.NotCancelable {
				t.Errorf("a reply to nothing: %v", err)
			}
			if v, err = ask(other, gateway.NewUSSD{Code: "*999#"}); err != nil || v.State != "unsupported" {
				t.Errorf("got %+v, %v", v, err)
			}
			if _, err = ask(admin, gateway.NewUSSD{Code: "*123#"}); err != nil {
				t.Error(err)
			}
			if v, err = ask(admin, gateway.NewUSSD{Cancel: true}); err != nil || v.State != "canceled" {
				t.Errorf("got %+v, %v", v, err)
			}
			for _, in := range []gateway.NewUSSD{{}, {Code: "*1#", Reply: "1"}, {Code: "hello"}, {Code: "**04*1234*4321*4321#"}, {Code: "*1#", Wait: time.Hour}} {
				if _, err := ask(admin, in); code(err) != gateway.InvalidRequest {
					t.Errorf("%+v: %v", in, err)
				}
			}
			if text := log.String(); strings.Contains(text, "9.90") || strings.Contains(text, "*123#") || strings.Contains(text, "1234*4321") {
				t.Errorf("the log tells what was said: %s", text)
			}
			end := gateway.State("delivered")
			if silentOn[profile] {
				end = "sent"
			}
			r.await(r.post(gateway.NewMessage{To: "+999777000124", Text: "x"}).ID, end)
		})
	}
}

// TestCallIsToldOnceAndRejected lets a phone ring until a message that was
// posted meanwhile is out: it is not held up, the call is one event with its
// number, and the log has the number masked.
func TestCallIsToldOnceAndRejected(t *testing.T) {
	log := &logBook{}
	r := newRig(t, log.tune, nil)
	r.lineState("modem0", "up")
	modem := r.net.Modems()[0]
	ring := func() { modem.Call("+447700900123", 1) }
	ring()
	r.until("the call is known", func() bool { return len(r.events("call")) > 0 })
	v := r.post(gateway.NewMessage{To: "+999777000125", Text: "x"})
	r.until("the message is out, while it rings and rings", func() bool { ring(); return r.submitted("+999777000125") > 0 })
	r.await(v.ID, "delivered")
	ring()
	modem.Unsolicited("NO CARRIER")
	r.until("the call is rejected", func() bool { return strings.Contains(strings.Join(modem.Transcript(), "\n"), "AT+CHUP") })
	r.until("the call is told", func() bool { return len(r.events("call")) > 0 })
	told := r.events("call")
	masked := phone.Mask("+447700900123")
	if len(told) != 1 || strings.Contains(told[0], "7700900123") || !strings.Contains(told[0], `"from":"`+masked+`"`) || !strings.Contains(told[0], `"detail":"rejected"`) {
		t.Errorf("events %v", told)
	}
	for want, scopes := range map[string][][]string{
		masked:          {{gateway.ScopeStatus}, {gateway.ScopeStatus, gateway.ScopeMessages}, {gateway.ScopeStatus, "inbound:other"}},
		"+447700900123": {{gateway.ScopeStatus, gateway.ScopeInbound}, {gateway.ScopeStatus, "inbound:modem0"}, {gateway.ScopeAdmin}},
	} {
		for _, s := range scopes {
			l, err := r.g.Line(t.Context(), req("reader", s...), "modem0")
			if err != nil || len(l.Calls) != 1 || l.Calls[0].From != want || !l.Calls[0].Rejected || l.Calls[0].At.IsZero() {
				t.Errorf("%v sees %+v, %v", s, l.Calls, err)
			}
		}
	}
	if text := log.String(); strings.Contains(text, "7700900123") || !strings.Contains(text, "a call came in") {
		t.Errorf("log: %s", text)
	}
	if rep, err := r.g.Erase(t.Context(), gateway.Request{Caller: gateway.LocalCaller()}, "+447700900123"); err != nil {
		t.Errorf("%+v, %v", rep, err)
	}
	if told, l := r.events("call"), r.line("modem0"); len(told) != 0 || len(l.Calls) != 0 {
		t.Errorf("after the number was erased: %v, %+v", told, l.Calls)
	}
}

func TestCallIsLeftToRing(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.Lines[0].AcceptCalls = true }, nil)
	r.lineState("modem0", "up")
	modem := r.net.Modems()[0]
	modem.Unsolicited("RING")
	modem.Unsolicited("NO CARRIER")
	r.until("the call is told", func() bool { return len(r.events("call")) > 0 })
	if told := r.events("call"); len(told) != 1 || strings.Contains(told[0], "from") || strings.Contains(strings.Join(modem.Transcript(), "\n"), "CHUP") {
		t.Errorf("events %v", told)
	}
}

// events are the payloads of modem.modem0.<event> that wait to be published.
func (r *rig) events(event string) []string {
	r.t.Helper()
	var out []string
	err := r.st.View(r.t.Context(), func(tx store.Tx) error {
		waiting, err := tx.PendingEvents("status", 0, 1000)
		for _, e := range waiting {
			if e.Subject == "modem.modem0."+event {
				out = append(out, string(e.Payload))
			}
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}
