package gateway_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// silentOn are the profiles that give no reports: without +CNMI, or without a
// form of it that asks for them.
var silentOn = map[string]bool{"bare": true, "mf626": true}

// deafOn are the profiles whose received SMS are found by listing: without
// +CNMI, or without a form of it that announces them and reports too.
var deafOn = map[string]bool{"bare": true, "e3531": true}

// TestEveryFamilySendsReportsAndReceives takes one message both ways through
// every simulated family of modems: sent, confirmed, and received once.
func TestEveryFamilySendsReportsAndReceives(t *testing.T) {
	profiles := sim.Profiles()
	r := newRig(t, nil, func(o *sim.Options) { o.Modems, o.Profile = len(profiles), strings.Join(profiles, ",") })
	sent := make(map[string]string)
	for _, m := range r.net.Modems() {
		v := r.post(gateway.NewMessage{To: "+999777000001", Text: "from " + m.Name(), Via: []string{m.Name()}})
		sent[m.Name()] = v.ID
	}
	var want []string
	for i, m := range r.net.Modems() {
		final := gateway.State("delivered")
		if silentOn[profiles[i]] {
			final = "sent"
		}
		r.await(sent[m.Name()], final)
		for _, body := range []string{"one for ", "two for "} {
			if err := r.net.Phone("+999777000002").Send(m.Number(), body+profiles[i]); err != nil {
				t.Fatal(err)
			}
			want = append(want, body+profiles[i])
		}
	}
	r.inbound(len(want))
	for i, m := range r.net.Modems() {
		by := gateway.ByAnnouncement
		if deafOn[profiles[i]] {
			by = gateway.ByListing
		}
		if got := r.line(m.Name()).InboundBy; got != by {
			t.Errorf("%s: received SMS are found by %q, want %q", profiles[i], got, by)
		}
	}
	r.until("all SIMs are empty", func() bool {
		return !slices.ContainsFunc(r.net.Modems(), func(m *sim.Modem) bool { return len(m.Stored()) > 0 })
	})
	var got []string
	for _, in := range r.inbound(len(want)) {
		got = append(got, in.Text)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}
