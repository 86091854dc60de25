package driver

import "testing"

// BenchmarkSend measures one part through the whole stack over a pty, at a
// modem that answers at once.
func BenchmarkSend(b *testing.B) {
	p := newPeer(b)
	m := p.open()
	for b.Loop() {
		if _, err := m.Send(b.Context(), Submission{TPDU: samplePDU}); err != nil {
			b.Fatal(err)
		}
	}
}
