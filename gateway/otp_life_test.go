package gateway_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// S4: a code is good until the last moment before expires_at, and not at it.
func TestS4Lifetime(t *testing.T) {
	r := stillRig(t, nil, nil)
	for i, ttl := range []time.Duration{0, 30 * time.Second, 5 * time.Minute} {
		want := ttl
		if ttl == 0 {
			want = 5 * time.Minute
		}
		early, c1 := r.sentCode(app, gateway.NewOTP{To: number(2 * i), TTL: ttl}, 0)
		late, c2 := r.sentCode(app, gateway.NewOTP{To: number(2*i + 1), TTL: ttl}, 0)
		if got := early.ExpiresAt.Sub(r.record(early.ID).CreatedAt); got != want {
			t.Fatalf("ttl %s gives a life of %s", ttl, got)
		}
		r.pass(want - time.Second)
		r.approve(app, early.ID, c1)
		r.pass(time.Second)
		v, err := r.try(app, late.ID, c2)
		ended(t, err, store.OTPExpired)
		if v.Valid {
			t.Fatal("refused and valid at once")
		}
		if v := r.read(late.ID); v.State != store.OTPExpired || !v.Final || v.AttemptsUsed != 0 {
			t.Fatalf("after its end: %+v", v)
		}
		// Its number has nothing pending then.
		if v, err := r.g.VerifyNumber(t.Context(), app, late.To, c2, ""); err != nil || v.Valid || v.State != "" {
			t.Fatalf("by number: %+v, %v", v, err)
		}
	}
}

// S4: whether or not anybody tries it, an OTP is ended by its deadline.
func TestS4ExpiryNeedsNoTry(t *testing.T) {
	r := stillRig(t, nil, nil)
	v, _ := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	r.pass(5*time.Minute + time.Second)
	r.until("the sweeper ends it", func() bool { return r.read(v.ID).State == store.OTPExpired })
	if o := r.record(v.ID); o.MAC != nil {
		t.Fatal("the MAC of an ended OTP is kept")
	}
}

// S5: 16 parallel right answers on one OTP, by id and by number, give exactly
// one approval; 1,000 rounds. The rounds share the work of sending.
func TestS5OneApprovalOfParallelTries(t *testing.T) {
	const rounds, tries = 1000, 16
	r := newRig(t, nil, func(o *sim.Options) { o.Modems = 4 })
	ids := make([]string, rounds)
	for i := range ids {
		ids[i] = r.create(app, gateway.NewOTP{To: number(i)}).ID
	}
	for i, id := range ids {
		c := codeIn(t, r.texts(number(i), 1)[0].Text)
		valid, ends := race(tries, func(n int) (gateway.Verdict, error) {
			if n%2 == 0 {
				return r.try(app, id, c)
			}
			return r.g.VerifyNumber(t.Context(), app, number(i), c, "")
		})
		if valid != 1 || ends["otp-ended"]+ends["nothing"] != tries-1 {
			t.Fatalf("round %d: %d approvals, else %v", i, valid, ends)
		}
	}
}

// race runs the tries at once and counts approvals, and how the others ended.
func race(n int, try func(n int) (gateway.Verdict, error)) (valid int, ends map[string]int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	gate := make(chan struct{})
	ends = map[string]int{}
	for i := range n {
		all.Go(func() {
			<-gate
			v, err := try(i)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				ends[string(code(err))]++
			case v.Valid:
				valid++
			case v.State == "":
				ends["nothing"]++
			default:
				ends["wrong"]++
			}
		})
	}
	close(gate)
	all.Wait()
	return valid, ends
}

// S5: right and wrong answers at once never use more than the allowed tries,
// and never approve twice.
func TestS5ParallelWrongAndRight(t *testing.T) {
	r := newRig(t, nil, nil)
	for i := range 50 {
		v, c := r.sentCode(app, gateway.NewOTP{To: number(i)}, 0)
		valid, ends := race(16, func(n int) (gateway.Verdict, error) {
			if n%4 == 0 {
				return r.try(app, v.ID, c)
			}
			return r.try(app, v.ID, other(c))
		})
		got := r.read(v.ID)
		if valid > 1 || ends["wrong"] > 5 || ends["wrong"]+valid != got.AttemptsUsed || got.AttemptsUsed > 5 {
			t.Fatalf("%d approvals, %v, %d tries counted", valid, ends, got.AttemptsUsed)
		}
		if want := map[int]store.OTPState{0: store.OTPBlocked, 1: store.OTPApproved}[valid]; got.State != want {
			t.Fatalf("%d approvals and it is %s", valid, got.State)
		}
		if valid == 0 && r.g.UnlockNumber(t.Context(), admin, v.To) != nil {
			t.Fatal("cannot unlock")
		}
	}
}

// S5: a used code is used, for good: by id, by number, after a restart.
func TestS5SingleUse(t *testing.T) {
	r := newRig(t, nil, nil)
	v, c := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	r.approve(app, v.ID, c)
	for range 2 {
		_, err := r.try(app, v.ID, c)
		ended(t, err, store.OTPApproved)
		if v, err := r.g.VerifyNumber(t.Context(), app, number(1), c, ""); err != nil || v.Valid {
			t.Fatalf("by number: %+v, %v", v, err)
		}
		r.restart()
	}
	if o := r.record(v.ID); o.MAC != nil {
		t.Fatal("the MAC of a used code is kept")
	}
}

// S23: an OTP expires when its time has passed, though the wall clock was
// turned back, with the gateway running, stopped, or killed meanwhile.
func TestS23ClockTurnedBack(t *testing.T) {
	for name, restart := range map[string]func(r *rig){
		"running":   func(*rig) {},
		"restarted": (*rig).restart,
		"killed":    (*rig).kill,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil, nil)
			v, c := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
			r.await(v.MessageID, store.Delivered)
			r.pass(4 * time.Minute)
			r.wrong(app, v.ID) // something happens at that time
			r.pass(-time.Hour)
			restart(r)
			if got := r.read(v.ID); !got.ExpiresAt.Equal(v.ExpiresAt) {
				t.Fatalf("expires_at moved from %s to %s", v.ExpiresAt, got.ExpiresAt)
			}
			r.wrong(app, v.ID) // a minute is left
			r.pass(61 * time.Second)
			_, err := r.try(app, v.ID, c)
			ended(t, err, store.OTPExpired)
		})
	}
}

// kill starts a second gateway on a copy of the files as they are on the disk
// now, as if this one had been killed.
func (r *rig) kill() {
	r.t.Helper()
	dir := r.t.TempDir()
	for _, name := range append(gateway.SecretFiles(), store.FileName, store.FileName+"-wal") {
		b, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	r.halt()
	r.dir = dir
	r.start()
}

// S23: while the clock is plainly wrong nothing new is accepted.
func TestS23NothingNewWithAWrongClock(t *testing.T) {
	r := newRig(t, nil, nil)
	r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	r.pass(-time.Hour)
	r.restart()
	_, _, err := r.g.CreateOTP(t.Context(), app, gateway.NewOTP{To: number(2)})
	refusal(t, err, gateway.ClockNotSet)
	r.pass(time.Hour)
	r.sentCode(app, gateway.NewOTP{To: number(2)}, 0)
}

// S9, S23: a pepper that is missing, damaged or another's refuses to start
// and says what would become invalid; the right one starts as before.
func TestS9PepperMissingOrChanged(t *testing.T) {
	r := newRig(t, nil, nil)
	v, c := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	r.halt()
	file := filepath.Join(r.dir, gateway.SecretFiles()[0])
	right, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || len(right) != 32 {
		t.Fatalf("the pepper is %d octets, mode %v, %v", len(right), info.Mode(), err)
	}
	for name, set := range map[string]func() error{
		"missing": func() error { return os.Remove(file) },
		"short":   func() error { return os.WriteFile(file, right[:31], 0o600) },
		"empty":   func() error { return os.WriteFile(file, nil, 0o600) },
		"another": func() error { return os.WriteFile(file, []byte(strings.Repeat("x", 32)), 0o600) },
	} {
		if err := set(); err != nil {
			t.Fatal(err)
		}
		err := r.tryStart()
		if err == nil {
			t.Fatalf("%s: it starts", name)
		}
		for _, word := range []string{"pepper.key", "backup"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not mention %s", name, err, word)
			}
		}
		if (name == "missing" || name == "another") && !strings.Contains(err.Error(), "no pending code") {
			t.Errorf("%s: %q does not say what becomes invalid", name, err)
		}
		if strings.Contains(err.Error(), string(right)) {
			t.Errorf("%s: the error holds the pepper", name)
		}
		if _, err := os.Stat(file); name == "missing" && err == nil {
			t.Fatal("a new pepper was made beside the old data")
		}
	}
	if err := os.WriteFile(file, right, 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.approve(app, v.ID, c)
}

// tryStart opens everything as start does and says why it cannot.
func (r *rig) tryStart() error {
	ctx := r.t.Context()
	secrets, err := gateway.LoadSecrets(r.dir, store.FileName)
	if err != nil {
		return err
	}
	st, err := store.OpenSQLite(ctx, store.Options{Dir: r.dir, SealKey: secrets.Seal})
	if err != nil {
		return err
	}
	defer st.Close()
	o := r.options()
	o.Store, o.Secrets = st, secrets
	_, err = gateway.New(ctx, o)
	return err
}
