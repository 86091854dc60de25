package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// quotaRig is a rig with several modems that begins at noon in the middle of a
// month, so that a test crosses an end of a day or month only by pass.
func quotaRig(t *testing.T, modems int, change func(o *gateway.Options)) *rig {
	t.Helper()
	shift := time.Until(time.Date(2030, 5, 15, 12, 0, 0, 0, time.UTC))
	return newRig(t, func(o *gateway.Options) {
		now := o.Now
		o.Now = func() time.Time { return now().Add(shift) }
		lasting(o)
		change(o)
	}, func(o *sim.Options) { o.Modems = modems })
}

func (r *rig) line(name string) gateway.LineStatus {
	r.t.Helper()
	l, err := r.g.Line(r.t.Context(), admin, name)
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

// total is the sum of a measure over what has the labels.
func (r *rig) total(name string, labels map[string]string) (sum float64) {
	r.t.Helper()
	families, err := r.g.Metrics().Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			match := true
			for _, l := range m.GetLabel() {
				match = match && (labels[l.GetName()] == "" || labels[l.GetName()] == l.GetValue())
			}
			if match {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func TestDayAndMonthAreCapped(t *testing.T) {
	for limit, tc := range map[string]struct {
		set   func(o *gateway.LineOptions)
		words string
		until time.Time
		wait  time.Duration
	}{
		"per_day": {func(o *gateway.LineOptions) { o.PerDay = 2 }, "2 SMS parts of this day",
			time.Date(2030, 5, 16, 0, 0, 0, 0, time.UTC), 13 * time.Hour},
		"per_month": {func(o *gateway.LineOptions) { o.PerMonth = 2 }, "2 SMS parts of this month",
			time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC), 17 * 24 * time.Hour},
		"cost_per_month": {func(o *gateway.LineOptions) { o.CostPerMonth = 9 }, "9 units of cost of this month",
			time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC), 17 * 24 * time.Hour},
	} {
		t.Run(limit, func(t *testing.T) {
			r := quotaRig(t, 1, func(o *gateway.Options) {
				tc.set(&o.Lines[0])
				o.Costs = []gateway.Cost{{Prefix: "+999", Units: 4}, {Prefix: "", Units: 4}}
			})
			for range 2 {
				r.await(r.post(gateway.NewMessage{To: alice, Text: "one of two"}).ID, store.Delivered)
			}
			waits := r.post(gateway.NewMessage{To: alice, Text: "waits"})
			l := r.line("modem0")
			if l.State != "limited" || !strings.Contains(l.Detail, tc.words) || l.Limits.Reached != limit || !l.Limits.Until.Equal(tc.until) {
				t.Errorf("the line is %s: %s; %+v", l.State, l.Detail, l.Limits)
			}
			if e := r.events("limit-reached"); len(e) != 1 || !strings.Contains(e[0], limit) {
				t.Errorf("events %q", e)
			}
			labels := map[string]string{"line": "modem0", "limit": limit}
			if r.total("modemgate_line_limit_reached_total", labels) != 1 || r.total("modemgate_line_limit_ratio", labels) < 0.85 || r.total("modemgate_line_up", nil) != 0 {
				t.Error("the metrics do not say so")
			}
			// Nothing can take what may not wait until then.
			_, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: alice, Text: "now or never", TTL: time.Hour})
			var e *gateway.Error
			if !errors.As(err, &e) || e.Code != gateway.LimitExceeded || e.Limit != "line."+limit || !e.RetryAt.Equal(tc.until) {
				t.Errorf("accepted, or refused with %+v", err)
			}
			if _, _, err = r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: alice}); code(err) != gateway.LimitExceeded {
				t.Errorf("an OTP: %v", err)
			}
			r.restart()
			r.lineState("modem0", "limited")
			if n := r.submitted(alice); n != 2 {
				t.Errorf("%d parts were sent", n)
			}
			r.pass(tc.wait)
			r.g.Notify([]string{"queue"})
			r.await(waits.ID, store.Delivered)
			r.lineState("modem0", "up")
		})
	}
}

func TestAnotherLineTakesWhatOneMayNotSend(t *testing.T) {
	r := quotaRig(t, 2, func(o *gateway.Options) {
		o.Lines[0].PerDay, o.Lines[0].Labels = 1, []string{"uk"}
		o.Lines[1].Labels = []string{"uk", "bulk"}
		o.Routes = []gateway.Route{{Prefix: "+9995", Via: []string{"uk"}}}
	})
	r.lineState("modem0", "up")
	r.lineState("modem1", "up")
	strict := gateway.NewMessage{To: alice, Text: "by the first only", Via: []string{"modem0"}}
	r.await(r.post(strict).ID, store.Delivered)
	waits := r.post(strict)
	for range 3 {
		if v := r.await(r.post(gateway.NewMessage{To: alice, Text: "by either"}).ID, store.Delivered); v.Line != "modem1" {
			t.Errorf("sent by %s", v.Line)
		}
	}
	if v, err := r.g.Message(t.Context(), admin, waits.ID, gateway.Wait{}); err != nil || v.State != store.Queued {
		t.Errorf("what is strictly by a line that may not send is %s, %v", v.State, err)
	}
	if _, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: alice}); err != nil {
		t.Errorf("refused, though a line can: %v", err)
	}
	if l := r.line("modem1"); l.State != "up" || l.PartsToday < 3 || l.PartsThisMonth != l.PartsToday {
		t.Errorf("%s, %d today, %d this month", l.State, l.PartsToday, l.PartsThisMonth)
	}
}

// What costs more than is left waits; what costs less goes on.
func TestDearMessagesDoNotHoldCheapOnes(t *testing.T) {
	r := quotaRig(t, 1, func(o *gateway.Options) {
		o.Lines[0].CostPerMonth = 20
		o.Costs = []gateway.Cost{{Prefix: alice, Units: 15}}
	})
	r.await(r.post(gateway.NewMessage{To: alice, Text: "dear"}).ID, store.Delivered)
	dear := r.post(gateway.NewMessage{To: alice, Text: "dear too"})
	for range 5 {
		r.await(r.post(gateway.NewMessage{To: "+999555077", Text: "cheap"}).ID, store.Delivered)
	}
	if v, err := r.g.Message(t.Context(), admin, dear.ID, gateway.Wait{}); err != nil || v.State != store.Queued {
		t.Errorf("the dear one is %s, %v", v.State, err)
	}
	if l := r.line("modem0"); l.State != "limited" || l.CostThisMonth != 20 {
		t.Errorf("%s, %d units", l.State, l.CostThisMonth)
	}
	r.pass(20 * 24 * time.Hour)
	r.g.Notify([]string{"queue"})
	r.await(dear.ID, store.Delivered)
}

// A long message is begun only if its rest can follow in the same window.
func TestLongMessagesAreNotCutByALimit(t *testing.T) {
	r := quotaRig(t, 1, func(o *gateway.Options) { o.Lines[0].PerDay = 3 })
	r.await(r.post(gateway.NewMessage{To: alice, Text: "short"}).ID, store.Delivered)
	long := r.post(gateway.NewMessage{To: alice, Text: strings.Repeat("long ", 80)})
	r.await(r.post(gateway.NewMessage{To: "+999555077", Text: "short"}).ID, store.Delivered)
	if n := r.submitted(alice); n != 1 {
		t.Errorf("%d parts were sent", n)
	}
	r.pass(13 * time.Hour)
	r.g.Notify([]string{"queue"})
	r.await(long.ID, store.Delivered)
}

// The bucket lets a burst out, then so many a minute, an OTP before the rest;
// a restart does not fill it.
func TestBucketOfALine(t *testing.T) {
	r := quotaRig(t, 1, func(o *gateway.Options) { o.Lines[0].PerMinute = 3 })
	var last gateway.MessageView
	for range 6 {
		last = r.post(gateway.NewMessage{To: alice, Text: "many"})
	}
	r.until("the burst is out", func() bool { return r.submitted(alice) == 3 })
	r.restart()
	r.lineState("modem0", "up") // a bucket is a matter of seconds, no state
	otp, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: "+999555077"})
	if err != nil {
		t.Fatal(err)
	}
	if n := r.submitted(alice) + r.submitted("+999555077"); n != 3 {
		t.Fatalf("%d parts were sent before the bucket had any", n)
	}
	r.pass(20 * time.Second)
	r.g.Notify([]string{"queue"})
	r.await(otp.MessageID, store.Delivered)
	if n := r.submitted(alice); n != 3 {
		t.Errorf("%d parts went before the OTP", n)
	}
	for end := time.Now().Add(deadline); !last.Final && time.Now().Before(end); {
		r.pass(5 * time.Second)
		r.g.Notify([]string{"queue"})
		if last, err = r.g.Message(t.Context(), admin, last.ID, gateway.Wait{For: 20 * time.Millisecond, After: last.Rev}); err != nil {
			t.Fatal(err)
		}
	}
	if r.submitted(alice) != 6 {
		t.Errorf("%d parts", r.submitted(alice))
	}
}

func TestNewSIMHasNewQuotas(t *testing.T) {
	r := quotaRig(t, 1, func(o *gateway.Options) { o.Lines[0].PerMonth = 1 })
	r.await(r.post(gateway.NewMessage{To: alice, Text: "the last"}).ID, store.Delivered)
	r.lineState("modem0", "limited")
	m := r.net.Modems()[0]
	m.Unplug()
	m.InsertSIM("8999900000000000777", "999990000000777")
	m.Plug()
	r.lineState("modem0", "up")
	r.await(r.post(gateway.NewMessage{To: alice, Text: "the first"}).ID, store.Delivered)
}

// The line that has used the least of its limits goes first.
func TestLeastLoadedLineSends(t *testing.T) {
	r := quotaRig(t, 3, func(o *gateway.Options) {
		o.Lines[0].PerDay, o.Lines[1].PerDay, o.Lines[2].PerDay = 10, 20, 40
		o.Yield = deadline
	})
	for _, name := range []string{"modem0", "modem1", "modem2"} {
		r.lineState(name, "up")
	}
	no := false
	for range 35 {
		r.await(r.post(gateway.NewMessage{To: alice, Text: "to whoever", Report: &no}).ID, store.Sent)
	}
	for name, want := range map[string]int{"modem0": 5, "modem1": 10, "modem2": 20} {
		if n := r.line(name).PartsToday; n < want-2 || n > want+2 {
			t.Errorf("%s has sent %d, want about %d", name, n, want)
		}
	}
}

func TestLabelsInVia(t *testing.T) {
	r := quotaRig(t, 3, func(o *gateway.Options) {
		o.Lines[0].Labels, o.Lines[1].Labels = []string{"uk"}, []string{"uk", "bulk"}
	})
	v := r.post(gateway.NewMessage{To: alice, Text: "by the bulk line", Via: []string{"bulk"}})
	if len(v.Via) != 1 || v.Via[0] != "bulk" {
		t.Errorf("via is %q", v.Via)
	}
	if v = r.await(v.ID, store.Delivered); v.Line != "modem1" {
		t.Errorf("sent by %s", v.Line)
	}
	// Down: another of the label; a strict name waits.
	r.net.Modems()[1].Unplug()
	r.lineState("modem1", "absent")
	if v = r.await(r.post(gateway.NewMessage{To: alice, Text: "by what is left", Via: []string{"uk"}}).ID, store.Delivered); v.Line != "modem0" {
		t.Errorf("sent by %s", v.Line)
	}
	strict := r.post(gateway.NewMessage{To: alice, Text: "by this one", Via: []string{"modem1"}})
	if _, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: alice, Text: "x", Via: []string{"de"}}); code(err) != gateway.NoSuchLine {
		t.Errorf("an unknown label: %v", err)
	}
	if v, err := r.g.Message(t.Context(), admin, strict.ID, gateway.Wait{}); err != nil || v.State != store.Queued {
		t.Errorf("%s, %v", v.State, err)
	}
	r.net.Modems()[1].Plug()
	if v = r.await(strict.ID, store.Delivered); v.Line != "modem1" {
		t.Errorf("sent by %s", v.Line)
	}
}
