package gateway_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

func balance(code, pattern string, below float64) func(*gateway.Options) {
	return func(o *gateway.Options) {
		o.Upkeep = 5 * time.Millisecond
		o.Lines[0].Balance = &gateway.BalanceOptions{Code: code, Pattern: regexp.MustCompile(pattern), Every: 24 * time.Hour, Below: below}
	}
}

func (r *rig) credit() gateway.BalanceStatus {
	r.t.Helper()
	l, err := r.g.Line(r.t.Context(), admin, "modem0")
	if err != nil {
		r.t.Fatal(err)
	}
	return l.Balance
}

// asked is how often the SIM's operator was asked.
func (r *rig) asked() int {
	return strings.Count(strings.Join(r.net.Modems()[0].Transcript(), "\n"), "AT+CUSD=1")
}

func TestCreditIsAskedForAndToldWhenLow(t *testing.T) {
	r := newRig(t, balance("*100#", `balance is ([0-9.]+)`, 10), nil)
	r.until("the credit is known", func() bool { return !r.credit().At.IsZero() })
	if b := r.credit(); b.Amount != 9.9 || !b.Low || b.Error != "" {
		t.Errorf("got %+v", b)
	}
	if l, _ := r.g.Line(t.Context(), admin, "modem0"); l.Detail != "the credit of the SIM is low, 9.9: top it up" {
		t.Errorf("detail %q", l.Detail)
	}
	if e := r.events("balance"); len(e) != 1 || !strings.Contains(e[0], `"detail":"9.9"`) {
		t.Errorf("events %v", e)
	}
	if e := r.events("balance-low"); len(e) != 1 || !strings.Contains(e[0], "9.9 is less than 10") {
		t.Errorf("events %v", e)
	}
	r.restart() // asks no sooner than the next day
	r.until("the credit is known", func() bool { return !r.credit().At.IsZero() })
	if n := r.asked(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	r.pass(25 * time.Hour)
	r.until("it is asked again", func() bool { return len(r.events("balance")) == 2 })
	if e := r.events("balance-low"); len(e) != 1 {
		t.Errorf("told again that it is low: %v", e)
	}
}

func TestCreditThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ code, pattern, want string }{
		"no match":     {"*100#", `credit: ([0-9]+)`, "does not match balance.pattern"},
		"no amount":    {"*100#", `(balance)`, "is no amount"},
		"unknown code": {"*555#", `([0-9]+)`, "does not know the code"},
	} {
		t.Run(name, func(t *testing.T) {
			log := &logBook{}
			r := newRig(t, func(o *gateway.Options) { log.tune(o); balance(c.code, c.pattern, 1)(o) }, nil)
			r.until("the failure is told", func() bool { return len(r.events("balance-failed")) > 0 })
			if e := r.events("balance-failed"); !strings.Contains(e[0], c.want) || strings.Contains(e[0], "9.90") {
				t.Errorf("events %v", e)
			}
			if strings.Contains(log.String(), "9.90") {
				t.Errorf("the log has what the network said: %s", log)
			}
			r.pass(61 * time.Minute)
			r.until("it is asked again", func() bool { return r.asked() == 2 })
			time.Sleep(20 * time.Millisecond)
			if e := r.events("balance-failed"); len(e) != 1 {
				t.Errorf("told more than once: %v", e)
			}
		})
	}
}

func TestAmounts(t *testing.T) {
	for text, want := range map[string]float64{
		"9.90": 9.9, "9,90": 9.9, "1,234.56": 1234.56, "1.234,56": 1234.56, "1 234,5": 1234.5, "1,234": 1234, "-3.20": -3.2, "12.": 12, "1.234.567": 1234567,
	} {
		if got, ok := gateway.ParseAmount(text); !ok || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "abc", "1e9", "--3", "."} {
		if got, ok := gateway.ParseAmount(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// TestSIMIsKeptAlive lets a SIM that sent nothing for a month text itself, and
// one that sent something not.
func TestSIMIsKeptAlive(t *testing.T) {
	const month = 30 * 24 * time.Hour
	r := newRig(t, func(o *gateway.Options) { o.Upkeep, o.Lines[0].KeepAlive = 5*time.Millisecond, month }, nil)
	r.lineState("modem0", "up")
	r.cared()
	v := r.post(gateway.NewMessage{To: "+999777000126", Text: "x"})
	r.await(v.ID, "delivered")
	own := r.net.Modems()[0].Number()
	r.pass(month - time.Hour)
	time.Sleep(30 * time.Millisecond)
	if n := r.submitted(own); n != 0 {
		t.Fatalf("it texted itself %d times too early", n)
	}
	r.pass(2 * time.Hour)
	in := r.inbound(1)
	if in[0].From != own || in[0].Text != "modemgate keeps this SIM alive" {
		t.Errorf("received %+v", in[0])
	}
	r.until("it is told", func() bool { return len(r.events("keep-alive")) == 1 })
	r.restart()
	r.lineState("modem0", "up")
	time.Sleep(30 * time.Millisecond)
	if n := r.submitted(own); n != 1 {
		t.Errorf("it texted itself %d times", n)
	}
}

// cared waits until the SIM was looked at: from then on its month counts.
func (r *rig) cared() {
	r.t.Helper()
	r.until("the SIM is looked at", func() bool {
		kept := ""
		err := r.st.View(r.t.Context(), func(tx store.Tx) (err error) {
			kept, err = tx.Setting("upkeep:modem0")
			return err
		})
		return err == nil && kept != ""
	})
}

func TestSIMThatCannotBeKeptAlive(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.Upkeep, o.Lines[0].KeepAlive = 5*time.Millisecond, 30*24*time.Hour }, nil)
	r.lineState("modem0", "up")
	r.cared()
	r.net.Modems()[0].Inject(sim.Fault{Kind: sim.FaultCMS, Code: 10, Times: -1})
	r.pass(31 * 24 * time.Hour)
	r.until("it tries", func() bool {
		page, err := r.g.ListMessages(t.Context(), admin, gateway.MessageFilter{Limit: 1})
		return err == nil && len(page.Items) == 1
	})
	r.until("the line is blocked", func() bool { // else it is for a minute of what comes after
		l, err := r.g.Line(t.Context(), admin, "modem0")
		return err == nil && l.LastError == "cms-10"
	})
	r.pass(25 * time.Hour)
	r.until("the failure is told", func() bool { return len(r.events("keep-alive-failed")) == 1 })
}

// A SIM that claims a number which nothing may be sent to as its own is told
// of, and gets no text.
func TestSIMIsKeptAliveOnlyWhereAllowed(t *testing.T) {
	for name, tune := range map[string]func(o *gateway.Options, own string){
		"denied":      func(o *gateway.Options, own string) { o.Deny = []string{own} },
		"not allowed": func(o *gateway.Options, _ string) { o.Allow = []string{"+44"} },
	} {
		t.Run(name, func(t *testing.T) {
			log := &logBook{}
			r := newRig(t, func(o *gateway.Options) {
				log.tune(o)
				o.Upkeep, o.Lines[0].KeepAlive = 5*time.Millisecond, 30*24*time.Hour
				tune(o, o.Lines[0].Number)
			}, nil)
			r.lineState("modem0", "up")
			r.cared()
			r.pass(31 * 24 * time.Hour)
			r.until("it is told", func() bool { return len(r.events("keep-alive-failed")) == 1 })
			own := r.net.Modems()[0].Number()
			if e := r.events("keep-alive-failed"); !strings.Contains(e[0], "the number of the SIM: limits.") || strings.Contains(e[0], own) {
				t.Errorf("events %v", e)
			}
			if strings.Contains(log.String(), own) {
				t.Errorf("the log has the number: %s", log)
			}
			page, err := r.g.ListMessages(t.Context(), admin, gateway.MessageFilter{Limit: 1})
			if err != nil || len(page.Items) != 0 {
				t.Errorf("messages %+v, %v", page.Items, err)
			}
			time.Sleep(30 * time.Millisecond)
			if e := r.events("keep-alive-failed"); len(e) != 1 {
				t.Errorf("told more than once: %v", e)
			}
		})
	}
}

// TestRefusedKeepAliveAsksForNoCreditAgain has a text that the limit of the
// month refuses fall due with a question for the credit: it is asked once.
func TestRefusedKeepAliveAsksForNoCreditAgain(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) {
		balance("*100#", `balance is ([0-9.]+)`, 1)(o)
		o.Lines[0].KeepAlive, o.Lines[0].PerMonth = time.Hour, 1
	}, nil)
	r.until("the credit is known", func() bool { return !r.credit().At.IsZero() })
	now := time.Now().UTC()
	r.pass(time.Date(now.Year(), now.Month()+1, 3, 0, 0, 0, 0, time.UTC).Sub(now)) // the month is the same from here on
	r.until("it texts itself and asks", func() bool { return len(r.events("keep-alive")) == 1 && r.asked() == 2 })
	r.pass(25 * time.Hour)
	r.until("the refusal is told", func() bool { return len(r.events("keep-alive-failed")) > 0 })
	time.Sleep(50 * time.Millisecond) // ten rounds
	r.pass(2 * time.Hour)
	time.Sleep(50 * time.Millisecond)
	if n := r.asked(); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
	if e := r.events("keep-alive-failed"); len(e) != 1 || !strings.Contains(e[0], "per_month") {
		t.Errorf("events %v", e)
	}
}
