package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// mute makes the only modem take the next message and say nothing more; the
// phone has it, and no report tells.
func (r *rig) mute() *sim.Modem {
	m := r.net.Modems()[0]
	m.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: 1})
	m.Inject(sim.Fault{Kind: sim.FaultHang, Point: sim.PointAccepted})
	return m
}

// wake brings a muted modem back.
func (r *rig) wake(m *sim.Modem) {
	r.t.Helper()
	m.ClearFaults()
	m.Restart()
	r.lineState(m.Name(), "up")
}

// The one automatic copy of an OTP of unknown outcome has the same code and
// costs no send; while it is open the OTP stays pending.
func TestUnknownOTPIsCopiedWithTheSameCode(t *testing.T) {
	r := newHastyRig(t, func(o *gateway.Options) { o.OTP.PerHour = 2 }, nil)
	modem := r.mute()
	v := r.create(app, gateway.NewOTP{To: number(1)})
	r.await(v.MessageID, store.Unknown)
	if got := r.read(v.ID); got.State != store.OTPPending || got.DeliveryState != store.Unknown || got.SendsLeft != v.SendsLeft {
		t.Fatalf("while unknown: %+v", got)
	}
	r.wake(modem)
	r.pass(6 * time.Second)
	texts := r.texts(number(1), 2)
	if texts[0].Text != texts[1].Text {
		t.Fatal("the copy has another text")
	}
	m := r.await(v.MessageID, store.Delivered)
	got := r.read(v.ID)
	if !m.PossibleDuplicate || m.HasText || got.SendsLeft != v.SendsLeft || got.SendsUsed != 1 || got.MessageID != v.MessageID {
		t.Fatalf("after the copy: %+v, %+v", got, m)
	}
	r.pass(30 * time.Second)
	r.resend(app, got, 2) // the number is charged for two, not three
	_, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: number(1), Purpose: "x"})
	refusal(t, err, gateway.LimitExceeded)
}

func TestUnknownOTPCopyVerifies(t *testing.T) {
	r := newHastyRig(t, nil, nil)
	modem := r.mute()
	v := r.create(app, gateway.NewOTP{To: number(1)})
	r.await(v.MessageID, store.Unknown)
	r.wake(modem)
	r.pass(6 * time.Second)
	r.approve(app, v.ID, codeIn(t, r.texts(number(1), 2)[1].Text))
}

// A code that was used, voided or canceled while its submission was in the
// air is not sent again, whatever comes of the submission, and its text goes.
func TestEndedOTPIsNotCopied(t *testing.T) {
	for name, end := range map[string]func(r *rig, v gateway.OTPView){
		"approved": func(r *rig, v gateway.OTPView) { r.approve(app, v.ID, codeIn(r.t, r.texts(v.To, 1)[0].Text)) },
		"canceled": func(r *rig, v gateway.OTPView) { r.cancelOTP(v.ID) },
		"blocked": func(r *rig, v gateway.OTPView) {
			for range 5 {
				r.wrong(app, v.ID)
			}
		},
	} {
		for _, when := range []string{"sending", "unknown"} {
			t.Run(name+" while "+when, func(t *testing.T) {
				r := newHastyRig(t, nil, nil)
				modem := r.mute()
				v := r.create(app, gateway.NewOTP{To: number(1)})
				r.texts(number(1), 1)
				if when == "unknown" {
					r.await(v.MessageID, store.Unknown)
				}
				end(r, v)
				m := r.await(v.MessageID, store.Unknown, store.Canceled)
				r.until("the message is at its end", func() bool {
					m = r.message(v.MessageID)
					return m.Final
				})
				if r.hasText(v.MessageID) {
					t.Errorf("the text of a code that is %s is kept, the message is %s", name, m.State)
				}
				r.wake(modem)
				r.pass(time.Minute)
				r.quiet()
				if n := r.submitted(number(1)); n != 1 {
					t.Fatalf("%d SMS, want 1: a code that is %s was sent again", n, name)
				}
			})
		}
	}
}

func (r *rig) cancelOTP(id string) {
	r.t.Helper()
	if v, err := r.g.CancelOTP(r.t.Context(), app, id); err != nil || v.State != store.OTPCanceled {
		r.t.Fatalf("%+v, %v", v, err)
	}
}

func (r *rig) message(id string) gateway.MessageView {
	r.t.Helper()
	m, err := r.g.Message(r.t.Context(), admin, id, gateway.Wait{})
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// hasText says whether the store still has the text of a message.
func (r *rig) hasText(id string) bool {
	r.t.Helper()
	var text string
	err := r.st.View(r.t.Context(), func(tx store.Tx) (err error) {
		text, err = tx.MessageText(id)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return text != ""
}

// A code that ends or is voided while its first try at sending fails for now
// does not wait in the queue for the next.
func TestEndedOTPIsNotRetried(t *testing.T) {
	for name, end := range map[string]func(r *rig, id string){
		"canceled": (*rig).cancelOTP,
		"resent": func(r *rig, id string) {
			r.pass(30 * time.Second)
			if _, _, err := r.g.ResendOTP(r.t.Context(), app, id); err != nil {
				r.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, nil)
			modem := r.net.Modems()[0]
			r.lineState("modem0", "up")
			modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 42})
			created, ended := make(chan string, 1), false
			modem.OnPoint(func(o sim.Occasion) {
				if o.Point == sim.PointBody && !ended {
					ended = true
					end(r, <-created)
				}
			})
			v := r.create(app, gateway.NewOTP{To: number(1)})
			created <- v.ID
			r.until("the first message is at its end", func() bool { return r.message(v.MessageID).Final })
			if m := r.message(v.MessageID); m.State != store.Canceled || r.hasText(v.MessageID) {
				t.Errorf("it is %s", m.State)
			}
			r.pass(time.Minute)
			r.g.Notify([]string{"queue"})
			r.quiet()
			want := map[string]int{"canceled": 0, "resent": 1}[name]
			if n := r.submitted(number(1)); n != want {
				t.Fatalf("%d SMS, want %d", n, want)
			}
		})
	}
}

// When its newest message fails an OTP has failed; when an older one does,
// or the phone refuses the SMS, or nobody knows, it stays pending.
func TestDeliveryDecidesFailedOnly(t *testing.T) {
	r := newRig(t, nil, nil)
	modem := r.net.Modems()[0]
	r.lineState("modem0", "up")
	modem.Inject(sim.Fault{Kind: sim.FaultCMS, Code: 1})
	v := r.create(app, gateway.NewOTP{To: number(1)})
	r.until("the OTP fails", func() bool { return r.read(v.ID).State == store.OTPFailed })
	if got := r.read(v.ID); !got.Final || got.DeliveryState != store.Failed || got.DeliveryError != "cms-1" || r.record(v.ID).MAC != nil || r.hasText(v.MessageID) {
		t.Fatalf("failed as %+v", got)
	}
	_, err := r.try(app, v.ID, "123456")
	ended(t, err, store.OTPFailed)

	r.net.Phone(number(2)).Refuse(0x41)
	v = r.create(app, gateway.NewOTP{To: number(2)})
	r.await(v.MessageID, store.Undelivered)
	if got := r.read(v.ID); got.State != store.OTPPending || got.DeliveryState != store.Undelivered || got.AttemptsLeft != 5 {
		t.Fatalf("undelivered: %+v", got)
	}
	r.net.Phone(number(2)).Refuse(0)
	r.pass(30 * time.Second)
	got, c := r.resend(app, v, 0)
	r.approve(app, got.ID, c)
}

func TestOTPOfUnknownFateStaysPending(t *testing.T) {
	r := newHastyRig(t, func(o *gateway.Options) { o.OTP.OnUnknown = "hold" }, nil)
	r.mute()
	v := r.create(app, gateway.NewOTP{To: number(1)})
	c := codeIn(t, r.texts(number(1), 1)[0].Text)
	r.until("the message is held", func() bool { m := r.message(v.MessageID); return m.State == store.Unknown && m.Final })
	if got := r.read(v.ID); got.State != store.OTPPending || got.DeliveryState != store.Unknown {
		t.Fatalf("%+v", got)
	}
	r.approve(app, v.ID, c)
	if r.hasText(v.MessageID) {
		t.Fatal("the text of a used code is kept")
	}
}

// A held OTP message that a person resends goes no longer than the OTP does.
func TestResolvedOTPKeepsItsDeadline(t *testing.T) {
	r := stillRigFrom(newHastyRig, t, func(o *gateway.Options) { o.OTP.OnUnknown = "hold" }, nil)
	modem := r.mute()
	v := r.create(app, gateway.NewOTP{To: number(1)})
	r.until("the message is held", func() bool { m := r.message(v.MessageID); return m.State == store.Unknown && m.Final })
	r.wake(modem)
	r.pause()
	r.pass(5*time.Minute - time.Second)
	m, err := r.g.ResolveMessage(t.Context(), app, v.MessageID, "resend")
	if err != nil || m.DeadlineAt.After(v.ExpiresAt) {
		t.Fatalf("resent until %s, the OTP ends at %s: %v", m.DeadlineAt, v.ExpiresAt, err)
	}
	r.pass(time.Second)
	r.unpause()
	r.await(v.MessageID, store.Canceled, store.Expired)
	r.quiet()
	if n := r.submitted(number(1)); n != 1 {
		t.Fatalf("%d SMS, want 1", n)
	}
}

// S4: an OTP past its deadline is never sent: not from the queue, not by a
// line that comes back, not at the prompt, not as a copy, not after a restart.
func TestS4NeverSentPastItsDeadline(t *testing.T) {
	late := func(r *rig, v gateway.OTPView) {
		r.t.Helper()
		r.until("the OTP has ended", func() bool { return r.read(v.ID).State == store.OTPExpired })
		r.until("its message has ended", func() bool { return r.message(v.MessageID).Final })
		if r.hasText(v.MessageID) {
			r.t.Error("its text is kept")
		}
	}
	t.Run("paused", func(t *testing.T) {
		r := newHastyRig(t, nil, nil)
		r.pause()
		v := r.create(app, gateway.NewOTP{To: number(1)})
		r.pass(5 * time.Minute)
		r.unpause()
		late(r, v)
		r.quiet()
		if n := r.submitted(number(1)); n != 0 {
			t.Fatalf("%d SMS", n)
		}
	})
	t.Run("restarted", func(t *testing.T) {
		r := newHastyRig(t, nil, nil)
		r.net.Modems()[0].Unplug()
		r.lineState("modem0", "absent")
		v := r.create(app, gateway.NewOTP{To: number(1)})
		r.halt()
		r.pass(5 * time.Minute)
		r.net.Modems()[0].Plug()
		r.start()
		late(r, v)
		r.quiet()
		if n := r.submitted(number(1)); n != 0 {
			t.Fatalf("%d SMS", n)
		}
	})
	t.Run("at the prompt", func(t *testing.T) {
		r := newHastyRig(t, nil, nil)
		once := false
		r.net.Modems()[0].OnPoint(func(o sim.Occasion) {
			if o.Point == sim.PointCommand && strings.HasPrefix(o.Command, "+CMGS") && !once {
				once = true
				r.pass(5 * time.Minute)
			}
		})
		v := r.create(app, gateway.NewOTP{To: number(1)})
		late(r, v)
		r.quiet()
		if n := r.submitted(number(1)); n != 0 {
			t.Fatalf("%d SMS", n)
		}
	})
	t.Run("as a copy", func(t *testing.T) {
		r := newHastyRig(t, nil, nil)
		modem := r.mute()
		v := r.create(app, gateway.NewOTP{To: number(1)})
		r.await(v.MessageID, store.Unknown)
		r.pass(5 * time.Minute)
		r.wake(modem)
		late(r, v)
		r.quiet()
		if n := r.submitted(number(1)); n != 1 {
			t.Fatalf("%d SMS", n)
		}
	})
}
