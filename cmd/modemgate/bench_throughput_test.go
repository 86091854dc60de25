package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// scaled is a duration on the benchmarks' time scale.
func scaled(d time.Duration) time.Duration { return time.Duration(float64(d) * benchScale()) }

// bareLoop is the least that a careful sender does: a commit, AT+CMGS, a
// commit, one message after the other on one modem.
func bareLoop(b *testing.B, n int, tune func(*sim.Options)) time.Duration {
	o := sim.Options{Modems: 1}
	if tune != nil {
		tune(&o)
	}
	net, err := sim.New(o)
	if err != nil {
		b.Fatal(err)
	}
	defer net.Close()
	dir := b.TempDir()
	secrets, err := gateway.LoadSecrets(dir, store.FileName)
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.OpenSQLite(b.Context(), store.Options{Dir: dir, SealKey: secrets.Seal})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	m, err := driver.Open(b.Context(), driver.Options{Port: net.Modems()[0].Path()})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	commit := func(v string) {
		if err := st.Update(b.Context(), "bare", func(tx store.Tx) error { return tx.PutSetting("bare", v) }); err != nil {
			b.Fatal(err)
		}
	}
	began := time.Now()
	for i := range n {
		commit(fmt.Sprint("intent ", i))
		enc, err := driver.Encode(driver.Text{To: "+999555001", Body: "bench", Validity: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Send(b.Context(), driver.Submission{TPDU: enc.Parts[0]}); err != nil {
			b.Fatal(err)
		}
		commit(fmt.Sprint("result ", i))
	}
	return time.Since(began)
}

// drainTime queues n messages on paused lines and measures how long they take
// from the resuming to the last result, and that of what is queued meanwhile.
func drainTime(b *testing.B, n int, modems int, tune func(*sim.Options), meanwhile func(a *benchApp) (more int)) time.Duration {
	a := newBenchApp(b, b.TempDir(), modems, tune)
	defer a.end()
	return a.drain(b, n, meanwhile)
}

func (t *benchApp) drain(b *testing.B, n int, meanwhile func(a *benchApp) (more int)) time.Duration {
	r := gateway.Request{Caller: gateway.LocalCaller()}
	for _, m := range t.sim.Modems() {
		if _, err := t.gw.PauseLine(b.Context(), r, m.Name()); err != nil {
			b.Fatal(err)
		}
	}
	before, report := t.sent(), false
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for i := c; i < n; i += 16 {
				if _, _, err := t.gw.CreateMessage(context.Background(), r, gateway.NewMessage{To: "+999555001", Text: "bench", Report: &report}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	began := time.Now()
	for _, m := range t.sim.Modems() {
		if _, err := t.gw.ResumeLine(b.Context(), r, m.Name()); err != nil {
			b.Fatal(err)
		}
	}
	if meanwhile != nil {
		n += meanwhile(t)
	}
	for {
		if t.sent()-before >= n {
			return time.Since(began)
		}
		time.Sleep(20 * time.Millisecond) // asking costs the lines time
	}
}

// sent counts parts that lines have recorded as sent.
func (t *benchApp) sent() int {
	lines, err := t.gw.Lines(t.b.Context(), gateway.Request{Caller: gateway.LocalCaller()})
	if err != nil {
		t.b.Fatal(err)
	}
	n := uint64(0)
	for _, l := range lines {
		n += l.Sent
	}
	return int(n)
}

// BenchmarkThroughput compares the gateway on one line with the bare loop, in
// the same process and run.
func BenchmarkThroughput(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
		tune func(*sim.Options)
		want string
	}{
		{"no-delay", 2000, nil, ">0.6"},
		{"115200-baud", 500, func(o *sim.Options) { o.Baud = 115200 }, ">0.9"},
		{"3s-per-SMS", 10, func(o *sim.Options) { o.SubmitDelay = scaled(3 * time.Second) }, ">0.99"},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				bare := bareLoop(b, c.n, c.tune)
				ours := drainTime(b, c.n, 1, c.tune, nil)
				b.ReportMetric(float64(c.n)/bare.Seconds(), "bare-sms/s")
				b.ReportMetric(float64(c.n)/ours.Seconds(), "sms/s")
				goal(b, bare.Seconds()/ours.Seconds(), "ratio", c.want)
			}
		})
	}
}

// BenchmarkEightLines sends 400 messages over eight lines at 3 s per SMS while
// OTPs come in: each OTP goes out on the first line that is free after it.
func BenchmarkEightLines(b *testing.B) {
	radio, lines, n, otps := scaled(3*time.Second), 8, 400, 8
	for b.Loop() {
		a := newBenchApp(b, b.TempDir(), lines, func(o *sim.Options) { o.SubmitDelay = radio })
		var waits []time.Duration
		took := a.drain(b, n, func(a *benchApp) int {
			for i := range otps {
				time.Sleep(radio * 3)
				waits = append(waits, otpWait(b, a, fmt.Sprintf("+9995560%02d", i)))
			}
			return otps
		})
		ideal := time.Duration((n+otps+lines-1)/lines) * radio
		goal(b, took.Seconds()/ideal.Seconds(), "of-ideal", "<1.01")
		goal(b, float64(a.overtaken(b)), "claimed-before-an-otp", "<1")
		b.ReportMetric(quantile(waits, 1).Seconds()/radio.Seconds(), "otp-wait-radios")
		a.end()
	}
}

// otpWait posts an OTP and measures the time until its phone has it: at most the
// rest of one submission, divided over the lines, and its own.
func otpWait(b *testing.B, a *benchApp, to string) time.Duration {
	began := time.Now()
	_, _, err := a.gw.CreateOTP(b.Context(), gateway.Request{Caller: gateway.LocalCaller()}, gateway.NewOTP{To: to})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := a.sim.Phone(to).Wait(b.Context(), 1); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// overtaken is the most messages that lines have claimed between the acceptance
// of an OTP and its own claim, by the history of all messages.
func (t *benchApp) overtaken(b *testing.B) (most int) {
	r := gateway.Request{Caller: gateway.LocalCaller()}
	type claimed struct{ accepted, at time.Time }
	var all, otps []claimed
	for cursor := ""; ; {
		page, err := t.gw.ListMessages(b.Context(), r, gateway.MessageFilter{Cursor: cursor, Limit: 100})
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range page.Items {
			v, err := t.gw.Message(b.Context(), r, m.ID, gateway.Wait{})
			if err != nil {
				b.Fatal(err)
			}
			i := slices.IndexFunc(v.History, func(h gateway.HistoryEntry) bool { return h.State == store.Sending })
			if i < 0 {
				b.Fatalf("%s was never claimed", v.ID)
			}
			c := claimed{v.CreatedAt, v.History[i].At}
			if all = append(all, c); v.OTPID != "" {
				otps = append(otps, c)
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	for _, o := range otps {
		n := 0
		for _, c := range all {
			if c.at.After(o.accepted) && c.at.Before(o.at) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
