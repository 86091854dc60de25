package gateway_test

import (
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// TestNationalTablesSurviveAChangeOfConfiguration accepts a text for a national
// table, takes the table out of the configuration, and sends the rest.
func TestNationalTablesSurviveAChangeOfConfiguration(t *testing.T) {
	national := []string{"tr"}
	r := newRig(t, func(o *gateway.Options) { o.National, o.WideReferences = national, true }, nil)
	if _, err := r.g.PauseLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("Şifreniz çok güçlü değil, lütfen İĞŞ ile değiştirin. ", 5)
	v := r.post(gateway.NewMessage{To: alice, Text: text})
	if _, plain, _ := driver.Measure(text); len(v.Parts) >= plain || v.Encoding != "gsm7" {
		t.Errorf("%d parts of %s, without tables it is %d", len(v.Parts), v.Encoding, plain)
	}
	national = nil
	r.restart()
	if _, err := r.g.ResumeLine(t.Context(), admin, "modem0"); err != nil {
		t.Fatal(err)
	}
	if v := r.await(v.ID, "delivered"); v.Encoding != "gsm7" {
		t.Errorf("shown as %s", v.Encoding)
	}
	var first driver.Decoded
	for _, e := range r.net.Journal() {
		if e.Kind == sim.JournalSubmitted && first.Concat == nil {
			first = driver.Decode("00"+e.PDU, len(e.PDU)/2)
		}
	}
	if first.Concat == nil || !first.Concat.Wide || first.Concat.Total != len(v.Parts) {
		t.Errorf("the first part is %+v", first.Concat)
	}
	if got := r.texts(alice, 1)[0]; got.Text != text {
		t.Errorf("the phone shows %q", got.Text)
	}
}
