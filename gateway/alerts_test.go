package gateway_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
)

const operator = "+999777000900"

func alerting(o *gateway.Options) {
	o.Alerts = gateway.AlertOptions{To: []string{operator}, After: 10 * time.Minute, Every: 5 * time.Millisecond}
	o.Deny = []string{"+999777"} // alerts are allowed all the same
	o.KeyMinute = 1
}

// alerts are the texts on the operator's phone.
func (r *rig) alerts(n int) []string {
	r.t.Helper()
	var out []string
	for _, t := range r.texts(operator, n) {
		out = append(out, t.Text)
	}
	return out
}

// TestOperatorIsToldOnce takes a line away for longer than alerts.after: one
// text by the other line says which line and why, and one that it is back. A
// restart in between tells nothing again.
func TestOperatorIsToldOnce(t *testing.T) {
	r := newRig(t, alerting, twoModems)
	r.lineState("modem0", "up")
	r.lineState("modem1", "up")
	r.net.Modems()[0].Unplug()
	r.lineState("modem0", "absent")
	r.pass(9 * time.Minute)
	time.Sleep(30 * time.Millisecond) // looks that must find nothing to tell
	if n := len(r.net.Phone(operator).Received()); n != 0 {
		t.Fatalf("told %d times too early", n)
	}
	r.pass(2 * time.Minute)
	text := r.alerts(1)[0]
	if !strings.HasPrefix(text, "modemgate test: line modem0 is down since ") || !strings.Contains(text, "absent") {
		t.Errorf("told: %s", text)
	}
	r.restart()
	r.lineState("modem1", "up")
	r.pass(time.Hour)
	r.net.Modems()[0].Plug()
	r.lineState("modem0", "up")
	r.pass(2 * time.Minute)
	texts := r.alerts(2)
	if !strings.Contains(texts[1], "line modem0 works again, it was down for 1h1") {
		t.Errorf("told: %v", texts)
	}
	r.pass(time.Hour)
	time.Sleep(50 * time.Millisecond)
	if n := len(r.net.Phone(operator).Received()); n != 2 {
		t.Errorf("told %d times", n)
	}
}

// TestAlertsMakeNoAlerts has nobody to tell it by: nothing is queued for the
// line that is down, and the end is told once by the line itself.
func TestAlertsMakeNoAlerts(t *testing.T) {
	var tried atomic.Int32
	f := &faultyStore{after: func(step string) {
		if step == "alert" {
			tried.Add(1)
		}
	}}
	r := newRig(t, func(o *gateway.Options) { alerting(o); faulty(f)(o) }, nil)
	r.lineState("modem0", "up")
	r.net.Modems()[0].Unplug()
	r.lineState("modem0", "absent")
	r.pass(time.Hour)
	r.until("somebody to tell it by was looked for", func() bool { return tried.Load() > 2 })
	page, err := r.g.ListMessages(t.Context(), admin, gateway.MessageFilter{Limit: 10})
	if err != nil || len(page.Items) != 0 {
		t.Fatalf("queued %+v, %v", page.Items, err)
	}
	r.net.Modems()[0].Plug()
	r.lineState("modem0", "up")
	r.pass(2 * time.Minute)
	if text := r.alerts(1)[0]; !strings.Contains(text, "works again") || !strings.Contains(text, "no other line could tell it") {
		t.Errorf("told: %s", text)
	}
}

// TestAlertsAreBounded has ten people to tell: the texts of a day are spent
// by one outage, and nothing is told of the next.
func TestAlertsAreBounded(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) {
		alerting(o)
		for i := range 9 {
			o.Alerts.To = append(o.Alerts.To, fmt.Sprintf("+99977700091%d", i))
		}
	}, twoModems)
	r.lineState("modem1", "up")
	for i := range 2 {
		r.lineState("modem0", "up")
		r.net.Modems()[0].Unplug()
		r.lineState("modem0", "absent")
		r.pass(11 * time.Minute)
		r.alerts(min(2*i+1, 2))
		r.net.Modems()[0].Plug()
		r.lineState("modem0", "up")
		r.pass(2 * time.Minute)
		r.alerts(2)
	}
	time.Sleep(30 * time.Millisecond)
	if n := len(r.net.Phone(operator).Received()); n != 2 {
		t.Errorf("told %d times in a day", n)
	}
}
