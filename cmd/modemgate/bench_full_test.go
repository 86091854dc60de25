package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// longSMS is the payload of an SMS of ten parts with its raw PDUs, octets.
const longSMS = 5 << 10

// full says how much there is: at scale 1 a million messages, the 100,000
// events that SMS_STATUS keeps, and more than SMS_INBOUND has room for, which
// is the larger part of the quarter that streams have of storage.max. Only at
// scale 1 the streams are full.
type full struct {
	messages, status, inbound int
	storage                   configs.Size
}

func fullStore() full {
	scale := benchScale()
	storage := int64(2 << 30 * scale)
	room := storage / streamShare / 4 * 3
	// Each event is a sync of the disk: below scale 1 there are fewer still.
	events := min(scale, 1)
	return full{int(1e6 * scale), int(1e5 * scale * events), int(float64(room/longSMS)*events*1.1) + 1, configs.Size(storage)}
}

func (f full) config(c *configs.Config) { c.Storage.Max = f.storage }

// BenchmarkIdle is the start and the memory of the real program with an empty
// store.
func BenchmarkIdle(b *testing.B) {
	binary := buildBinary(b)
	for b.Loop() {
		ready, mb := startAndMeasure(b, binary, filepath.Join(b.TempDir(), "data"), fullStore())
		goal(b, inMS(ready), "ms-ready", "<150")
		goal(b, mb, "MB-rss", "<40")
	}
}

// BenchmarkFull is the same with a full store and full streams, and what their
// presence costs the other figures: each is measured with and without them in
// turn, and the ratio of the sums is told.
func BenchmarkFull(b *testing.B) {
	f, dir := fullStore(), b.TempDir()
	fillStore(b, filepath.Join(dir, "data"), f.messages, f.status, f.inbound)
	a := newBenchApp(b, dir, 1, nil, f.config)
	a.published()
	a.end()
	binary := buildBinary(b)
	for b.Loop() {
		ready, mb := startAndMeasure(b, binary, filepath.Join(dir, "data"), f)
		goal(b, inMS(ready), "ms-ready", "<300")
		goal(b, mb, "MB-rss", "<60")
		empty, filled := figures{}, figures{}
		for range 2 {
			empty.measure(b, b.TempDir(), f)
			filled.measure(b, dir, f)
		}
		for name, v := range filled {
			b.ReportMetric(v/2, name)
			goal(b, v/empty[name], name+"-of-empty", "<1.1")
		}
	}
	b.ReportMetric(float64(f.messages), "messages")
	b.ReportMetric(treeSize(b, filepath.Join(dir, "data", store.FileName)), "MB-store")
	b.ReportMetric(treeSize(b, filepath.Join(dir, "data", "jetstream")), "MB-streams")
}

// figures are times: less is better.
type figures map[string]float64

func (s figures) measure(b *testing.B, dir string, f full) {
	a := newBenchApp(b, dir, 1, nil, f.config)
	defer a.end()
	n := max(50, int(500*benchScale()))
	add := func(name string, v float64) {
		s[name] += v
		a.published()
	}
	add("ms-post-to-CMGS", inMS(quantile(a.postToCMGS(times(n)), .5)))
	add("ms-inbound-to-NATS", inMS(quantile(a.inboundToNATS(times(n)), .5)))
	add("ms/OTP", 1000/a.otpRate(times(max(1000, 2*n)))) // fewer are over in a moment that says nothing
	add("ms/SMS", inMS(a.drain(b, 2*n, nil))/float64(2*n))
}

// treeSize is the room that a file or directory takes, MB.
func treeSize(b *testing.B, root string) float64 {
	var n int64
	err := filepath.WalkDir(root, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return float64(n) / 1e6
}

// fillStore writes n sent messages as the gateway does, and events that wait
// to be published.
func fillStore(b *testing.B, dir string, n, status, inbound int) {
	unlock, err := lockDataDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer unlock()
	secrets, err := gateway.LoadSecrets(dir, store.FileName)
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.OpenSQLite(b.Context(), store.Options{Dir: dir, SealKey: secrets.Seal, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	now := time.Now().Add(-time.Hour)
	batches := func(n int, add func(tx store.Tx, i int) error) {
		const batch = 5000
		for i := 0; i < n; i += batch {
			err := st.Update(b.Context(), "fill", func(tx store.Tx) error {
				for j := i; j < min(i+batch, n); j++ {
					if err := add(tx, j); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	batches(n, func(tx store.Tx, i int) error {
		return tx.InsertMessage(filledMessage(i, now.Add(time.Duration(i)*time.Millisecond), now))
	})
	batches(status, func(tx store.Tx, i int) error {
		return tx.AddEvent(&store.Event{
			Stream: "status", Subject: fmt.Sprintf("sms.status.bench.msg_%026d", i), MsgID: fmt.Sprint("fill-status-", i), Type: "modemgate.sms.status.v1",
			Source: "/bench/modem0", Payload: make([]byte, 300), At: now,
		})
	})
	batches(inbound, func(tx store.Tx, i int) error {
		return tx.AddEvent(&store.Event{
			Stream: "inbound", Subject: "sms.inbound.modem0.999555001", MsgID: fmt.Sprint("fill-inbound-", i), Type: "modemgate.sms.received.v1",
			Source: "/bench/modem0", Payload: make([]byte, longSMS), At: now,
		})
	})
	if err := st.Checkpoint(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func filledMessage(i int, at, now time.Time) *store.Message {
	return &store.Message{
		ID: fmt.Sprintf("msg_%026d", i), Key: "bench", To: fmt.Sprintf("+99955%07d", i), Text: "a text that was sent", Encoding: "gsm7",
		Priority: store.PriorityNormal, State: store.Sent, Final: true, Rev: 3, OnUnknown: "hold", CreatedAt: at, DeadlineAt: at.Add(time.Hour),
		NotBefore: at, EndedAt: at, TextUntil: now.Add(48 * time.Hour), Line: "modem0", ICCID: "8999900000000000001",
		Parts: []store.Part{{Index: 1, State: store.Sent, Line: "modem0", ICCID: "8999900000000000001", Reference: i & 255, SubmittedAt: at, SentAt: at, Status: -1}},
	}
}
