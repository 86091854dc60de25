package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// benchMessages is the number of final messages in the store of a benchmark:
// MODEMGATE_BENCH_MESSAGES, default 1,000.
func benchMessages() int {
	if n, err := strconv.Atoi(os.Getenv("MODEMGATE_BENCH_MESSAGES")); err == nil {
		return n
	}
	return 1000
}

// benchDir keeps a filled database for all benchmarks of one run.
var benchDir struct {
	sync.Mutex
	dir string
	s   store.Store
	n   int
}

func benchStore(b *testing.B) store.Store {
	b.Helper()
	benchDir.Lock()
	defer benchDir.Unlock()
	if benchDir.s != nil {
		return benchDir.s
	}
	dir, err := os.MkdirTemp("", "store-bench-")
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.OpenSQLite(context.Background(), store.Options{Dir: dir, SealKey: testKey})
	if err != nil {
		b.Fatal(err)
	}
	benchDir.dir, benchDir.s = dir, s
	fill(b, s, benchMessages())
	return s
}

func closeBench() {
	if benchDir.s != nil {
		benchDir.s.Close()
		os.RemoveAll(benchDir.dir)
	}
}

// benchID is a time-ordered id.
func benchID(prefix string) (string, int) {
	benchDir.n++
	return fmt.Sprintf("%s_01J%020d", prefix, benchDir.n), benchDir.n
}

// fill adds n delivered messages with their parts and history.
func fill(b *testing.B, s store.Store, n int) {
	b.Helper()
	at := time.Now().Add(-time.Hour)
	for n > 0 {
		err := s.Update(context.Background(), "fill", func(tx store.Tx) error {
			for range min(n, 2000) {
				n--
				id, i := benchID("msg")
				m := benchMessage(id, i, at)
				m.State, m.Final, m.EndedAt, m.Text = store.Delivered, true, at, ""
				m.Parts[0].State, m.Parts[0].Reference, m.Parts[0].ICCID = store.Delivered, i%256, "8944"
				if err := tx.InsertMessage(m); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Checkpoint(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func benchMessage(id string, i int, at time.Time) *store.Message {
	return &store.Message{
		ID: id, Key: "shop", To: fmt.Sprintf("+4477%08d", i*7919%100000000), Text: "123456 is your code, valid 5 min.",
		Encoding: "gsm7", Priority: store.PriorityOTP, State: store.Queued, OnUnknown: "resend", Report: true,
		CreatedAt: at, NotBefore: at, DeadlineAt: at.Add(5 * time.Hour),
		Parts: []store.Part{{Index: 1, State: store.Queued, Reference: -1, Status: -1}},
	}
}

// acceptOTP is the commit that accepts a one-time password, as the gateway
// composes it.
func acceptOTP(tx store.Tx, msg, otp string, i int) error {
	now := time.Now()
	m := benchMessage(msg, i, now)
	m.OTPID = otp
	day := now.Truncate(24 * time.Hour)
	number := fmt.Sprintf("h%d", i%5000)
	if _, err := tx.Failures(number); err != nil {
		return err
	}
	if _, err := tx.Moments("otp", number, day); err != nil {
		return err
	}
	if err := tx.AddMoment("otp", number, now); err != nil {
		return err
	}
	if _, err := tx.AddCounter("key-minute", "shop", now.Truncate(time.Minute), 1); err != nil {
		return err
	}
	if _, err := tx.AddCounter("key-day", "shop", day, 1); err != nil {
		return err
	}
	err := tx.InsertOTP(&store.OTP{ID: otp, Key: "shop", To: m.To, State: store.OTPPending, MAC: make([]byte, 32), MaxAttempts: 5,
		MaxSends: 3, SendsUsed: 1, Length: 6, TTL: 5 * time.Minute, CreatedAt: now, ExpiresAt: now.Add(5 * time.Minute), MessageID: msg})
	if err != nil {
		return err
	}
	if err := tx.InsertMessage(m); err != nil {
		return err
	}
	err = tx.PutIdempotency(store.IdempotencyRecord{Key: "shop", Path: "/v1/otp", ID: otp, Fingerprint: make([]byte, 32),
		Status: 201, Resource: otp, At: now})
	if err != nil {
		return err
	}
	return tx.AddEvent(&store.Event{Stream: "status", Subject: "otp.status.shop." + otp, MsgID: otp, Type: "modemgate.otp.status.v1",
		Source: "/site/front", About: otp, Payload: make([]byte, 300), At: now})
}

// measure runs step b.N times, each in its own commit, and reports its
// quantiles beside the time of one fsync on the same disk.
func measure(b *testing.B, s store.Store, step string, fn func(tx store.Tx, i int) error) {
	b.Helper()
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	busy := cpuTime()
	for i := range b.N {
		began := time.Now()
		if err := s.Update(context.Background(), step, func(tx store.Tx) error { return fn(tx, i) }); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	b.StopTimer()
	b.ReportMetric(float64((cpuTime()-busy).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	report(b, took)
}

// cpuTime is what the process has computed, also in the kernel: unlike the
// time on the clock it means something on a machine that others use.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func report(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms/p99")
	b.ReportMetric(float64(fsyncTime(b, benchDir.dir).Microseconds())/1000, "ms/fsync")
}

// fsyncTime is the median of an fsync after writing 4 KiB over a file, which
// is the least a durable commit can take.
func fsyncTime(b *testing.B, dir string) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	f.WriteAt(page, 1<<20)
	f.Sync()
	took := make([]time.Duration, 101)
	for i := range took {
		binary.NativeEndian.PutUint32(page, uint32(i))
		began := time.Now()
		f.WriteAt(page, 0)
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

func BenchmarkAcceptOTP(b *testing.B) {
	s := benchStore(b)
	measure(b, s, "accept-otp", func(tx store.Tx, int int) error {
		msg, i := benchID("msg")
		return acceptOTP(tx, msg, fmt.Sprintf("otp_01J%020d", i), i)
	})
}

func BenchmarkClaim(b *testing.B) {
	s := benchStore(b)
	fillQueue(b, s, b.N)
	measure(b, s, "claim", func(tx store.Tx, i int) error {
		now := time.Now()
		id, ok, err := tx.NextQueued([]string{"", "front", "back,front"}, now)
		if err != nil || !ok {
			return fmt.Errorf("nothing to claim: %v", err)
		}
		line, iccid, sending := "front", "8944", store.Sending
		if _, err := tx.Message(id); err != nil {
			return err
		}
		_, err = tx.ChangeMessage(id, []store.State{store.Queued}, store.MessageChange{State: &sending, Line: &line,
			ICCID: &iccid, AddAttempts: 1, At: now})
		if err != nil {
			return err
		}
		if _, err = tx.ChangePart(id, 1, []store.State{store.Queued}, store.PartChange{State: &sending, Line: &line,
			ICCID: &iccid, AddAttempts: 1, SubmittedAt: &now}); err != nil {
			return err
		}
		return tx.AddEvent(&store.Event{Stream: "status", Subject: "sms.status.shop." + id, MsgID: id, About: id,
			Payload: make([]byte, 300), At: now})
	})
}

func fillQueue(b *testing.B, s store.Store, n int) {
	b.Helper()
	err := s.Update(context.Background(), "fill", func(tx store.Tx) error {
		for range n {
			id, i := benchID("msg")
			if err := tx.InsertMessage(benchMessage(id, i, time.Now())); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkVerify(b *testing.B) {
	s := benchStore(b)
	ids := make([]string, b.N)
	err := s.Update(context.Background(), "fill", func(tx store.Tx) error {
		for k := range ids {
			msg, i := benchID("msg")
			ids[k] = fmt.Sprintf("otp_01J%020d", i)
			if err := acceptOTP(tx, msg, ids[k], i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	measure(b, s, "verify", func(tx store.Tx, i int) error {
		now := time.Now()
		if _, err := tx.Failures("h1"); err != nil {
			return err
		}
		o, ok, err := tx.CountTry(ids[i], now)
		if err != nil || !ok {
			return fmt.Errorf("try not counted: %v", err)
		}
		approved, none := store.OTPApproved, []byte(nil)
		if _, err := tx.ChangeOTP(o.ID, []store.OTPState{store.OTPPending}, store.OTPChange{State: &approved, MAC: &none,
			EndedAt: &now}); err != nil {
			return err
		}
		return tx.AddEvent(&store.Event{Stream: "status", Subject: "otp.status.shop." + o.ID, MsgID: o.ID + "2", About: o.ID,
			Payload: make([]byte, 300), At: now})
	})
}

// BenchmarkGroupCommit accepts from 16 goroutines at once.
func BenchmarkGroupCommit(b *testing.B) {
	s := benchStore(b)
	const writers = 16
	before := s.Stats()
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	busy := cpuTime()
	b.ResetTimer()
	for w := range writers {
		wg.Go(func() {
			for range b.N/writers + 1 {
				began := time.Now()
				err := s.Update(context.Background(), "accept-otp", func(tx store.Tx) error {
					msg, i := benchID("msg")
					return acceptOTP(tx, msg, fmt.Sprintf("otp_01J%020d", i), i)
				})
				if err != nil {
					b.Errorf("writer %d: %v", w, err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	after := s.Stats()
	b.ReportMetric(float64((cpuTime()-busy).Microseconds())/1000/float64(len(took)), "cpu-ms/op")
	report(b, took)
	b.ReportMetric(float64(after.Steps-before.Steps)/float64(after.Commits-before.Commits), "steps/commit")
}

// BenchmarkReopen opens the store again.
func BenchmarkReopen(b *testing.B) {
	benchStore(b)
	benchDir.Lock()
	defer benchDir.Unlock()
	var took []time.Duration
	for range b.N {
		benchDir.s.Close()
		began := time.Now()
		s, err := store.OpenSQLite(context.Background(), store.Options{Dir: benchDir.dir, SealKey: testKey})
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		benchDir.s = s
	}
	report(b, took)
}
