package events

import (
	"context"
	"testing"
	"time"
)

// BenchmarkOpen is the time from nothing to a server with both streams.
func BenchmarkOpen(b *testing.B) {
	var closing time.Duration
	for b.Loop() {
		bus, err := Open(b.Context(), Options{Dir: b.TempDir(), Listen: "127.0.0.1:0", Key: []byte("key")})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		start := time.Now()
		if err := bus.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
		closing += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(closing.Milliseconds())/float64(b.N), "ms/close")
}

// BenchmarkEventToSubscriber is the time from the commit of an event to a
// live subscriber of a key, over TCP, the event being on the disk.
func BenchmarkEventToSubscriber(b *testing.B) {
	r := newRig(b, func(o *Options) { o.lazySync = false })
	r.keys.set("tok", Grant{Key: "me", Inbound: true})
	nc := r.client(b, "tok")
	sub, err := nc.SubscribeSync("sms.inbound.>")
	if err != nil {
		b.Fatal(err)
	}
	nc.Flush()
	n := 0
	for b.Loop() {
		n++
		r.box.sms("front", n)
		if _, err := sub.NextMsg(patience); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPublish is the time of 64 events that wait together, to the mark.
func BenchmarkPublish(b *testing.B) {
	r := newRig(b, func(o *Options) { o.lazySync = false })
	n := 0
	for b.Loop() {
		for range inFlight {
			n++
			r.box.sms("front", n)
		}
		r.published(b)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/event")
}
