package gateway_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// never is a code that no OTP of the tests has: it is longer than theirs.
const never = "0000000000"

// app2 is a second key, which must not see what app made.
var app2 = req("app2", gateway.ScopeSend, gateway.ScopeOTP, gateway.ScopeStatus)

// stillRig is a rig whose clock stands still but for pass.
func stillRig(t *testing.T, tune func(*gateway.Options), simTune func(*sim.Options)) *rig {
	t.Helper()
	return stillRigFrom(newRig, t, tune, simTune)
}

func stillRigFrom(
	newRig func(*testing.T, func(*gateway.Options), func(*sim.Options)) *rig,
	t *testing.T, tune func(*gateway.Options), simTune func(*sim.Options),
) *rig {
	t.Helper()
	base := time.Now().Truncate(time.Second)
	var late atomic.Pointer[rig]
	r := newRig(t, func(o *gateway.Options) {
		o.Now = func() time.Time {
			if r := late.Load(); r != nil {
				return base.Add(time.Duration(r.wall.Load()))
			}
			return base
		}
		if tune != nil {
			tune(o)
		}
	}, simTune)
	late.Store(r)
	return r
}

// number is the n-th simulated phone of these tests.
func number(n int) string { return fmt.Sprintf("+9995%05d", n) }

// create makes an OTP or fails the test.
func (r *rig) create(by gateway.Request, in gateway.NewOTP) gateway.OTPView {
	r.t.Helper()
	v, _, err := r.g.CreateOTP(r.t.Context(), by, in)
	if err != nil {
		r.t.Fatalf("create an OTP: %v", err)
	}
	return v
}

// sentCode makes an OTP and reads its code from the phone, which had n texts.
func (r *rig) sentCode(by gateway.Request, in gateway.NewOTP, n int) (gateway.OTPView, string) {
	r.t.Helper()
	v := r.create(by, in)
	return v, codeIn(r.t, r.texts(in.To, n+1)[n].Text)
}

// resend asks for a new code and reads it from the phone, which had n texts.
func (r *rig) resend(by gateway.Request, v gateway.OTPView, n int) (gateway.OTPView, string) {
	r.t.Helper()
	v, _, err := r.g.ResendOTP(r.t.Context(), by, v.ID)
	if err != nil {
		r.t.Fatalf("resend: %v", err)
	}
	return v, codeIn(r.t, r.texts(v.To, n+1)[n].Text)
}

var digits = regexp.MustCompile(`[0-9]{4,10}`)

func codeIn(t *testing.T, text string) string {
	t.Helper()
	c := digits.FindString(text)
	if c == "" {
		t.Fatalf("no code in the text %q", text)
	}
	return c
}

// other is a code of the same length that is not c.
func other(c string) string { return string('0'+(c[0]-'0'+1)%10) + c[1:] }

// try verifies a code by id.
func (r *rig) try(by gateway.Request, id, c string) (gateway.Verdict, error) {
	return r.g.VerifyOTP(r.t.Context(), by, id, c)
}

// wrong tries a wrong code, which must be judged, and says what is left.
func (r *rig) wrong(by gateway.Request, id string) gateway.Verdict {
	r.t.Helper()
	v, err := r.try(by, id, never)
	if err != nil || v.Valid {
		r.t.Fatalf("a wrong code: %+v, %v", v, err)
	}
	return v
}

// approve tries a code that must be right.
func (r *rig) approve(by gateway.Request, id, c string) {
	r.t.Helper()
	v, err := r.try(by, id, c)
	if err != nil || !v.Valid || v.State != store.OTPApproved {
		r.t.Fatalf("the right code: %+v, %v", v, err)
	}
}

// read gives the present OTP.
func (r *rig) read(id string) gateway.OTPView {
	r.t.Helper()
	v, err := r.g.OTP(r.t.Context(), admin, id, gateway.Wait{})
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// record reads the OTP as it is stored.
func (r *rig) record(id string) (o *store.OTP) {
	r.t.Helper()
	err := r.st.View(r.t.Context(), func(tx store.Tx) (err error) {
		o, err = tx.OTP(id)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

// refusal is the API error in err, which must have the code.
func refusal(t *testing.T, err error, want gateway.Code) *gateway.Error {
	t.Helper()
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	return e
}

// ended checks that an OTP is refused as gone for a reason.
func ended(t *testing.T, err error, reason store.OTPState) {
	t.Helper()
	if e := refusal(t, err, gateway.OTPEnded); e.Reason != string(reason) {
		t.Fatalf("ended as %s, want %s", e.Reason, reason)
	}
}

// pause keeps all lines from claiming; unpause lets them.
func (r *rig) pause() {
	r.t.Helper()
	for _, m := range r.net.Modems() {
		if _, err := r.g.PauseLine(r.t.Context(), admin, m.Name()); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) unpause() {
	r.t.Helper()
	for _, m := range r.net.Modems() {
		if _, err := r.g.ResumeLine(r.t.Context(), admin, m.Name()); err != nil {
			r.t.Fatal(err)
		}
	}
}

// quiet waits until nothing is queued or under way, by way of one more
// message to a phone of its own.
func (r *rig) quiet() {
	r.t.Helper()
	r.await(r.post(gateway.NewMessage{To: number(99999), Text: "last"}).ID, store.Delivered, store.Sent)
}

// transcript is all that went over all lines from the host.
func (r *rig) transcript() (lines []string) {
	for _, m := range r.net.Modems() {
		for _, l := range m.Transcript() {
			if s, ok := strings.CutPrefix(l, "> "); ok {
				lines = append(lines, s)
			}
		}
	}
	return lines
}
