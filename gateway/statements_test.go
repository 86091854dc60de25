package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// The test binary plays a gateway that is killed in the middle of an act:
// victimEnv names the act, victimDir its data and victimAt the point of death.
// With victimAt empty it lives and writes the points it passes to standard
// output.
const (
	victimEnv = "MODEMGATE_TEST_VICTIM"
	victimDir = victimEnv + "_DIR"
	victimAt  = victimEnv + "_AT"
)

const (
	victimTo   = "+447700900001"
	victimCode = "111111" // of a source that gives the same octet for ever
)

var victimCaller = gateway.Request{
	Caller: gateway.Caller{Key: "app", Scopes: []string{gateway.ScopeOTP}}, Path: "/v1/otp", IdempotencyKey: "once", Body: []byte("{}"),
}

// victimActs are what the gateway is killed in; what the second function does
// comes before.
var victimActs = map[string]struct {
	before, act func(g *gateway.Gateway) error
}{
	"create": {func(*gateway.Gateway) error { return nil }, victimCreates},
	"verify": {victimCreates, func(g *gateway.Gateway) error {
		v, err := g.VerifyNumber(context.Background(), victimCaller, victimTo, victimCode, "")
		if err == nil && !v.Valid {
			err = errors.New("the right code is wrong")
		}
		return err
	}},
}

func victimCreates(g *gateway.Gateway) error {
	_, _, err := g.CreateOTP(context.Background(), victimCaller, gateway.NewOTP{To: victimTo})
	return err
}

func victim(act string) (exit int) {
	err := func() error {
		dir, at := os.Getenv(victimDir), os.Getenv(victimAt)
		var armed atomic.Bool
		st, g, err := openVictim(dir, func(point string) {
			switch {
			case !armed.Load():
			case at == "":
				fmt.Println(point)
			case at == point:
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // until the signal is delivered
			}
		})
		if err != nil {
			return err
		}
		defer st.Close()
		g.SetRandom(fill(1))
		if err := victimActs[act].before(g); err != nil {
			return err
		}
		armed.Store(true)
		err = victimActs[act].act(g)
		armed.Store(false)
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// openVictim makes a gateway without lines on dir, which is not run.
func openVictim(dir string, hook func(point string)) (store.Store, *gateway.Gateway, error) {
	secrets, err := gateway.LoadSecrets(dir, store.FileName)
	if err != nil {
		return nil, nil, err
	}
	st, err := store.OpenSQLite(context.Background(), store.Options{Dir: dir, SealKey: secrets.Seal, Hook: hook, HookStatements: true})
	if err != nil {
		return nil, nil, err
	}
	g, err := gateway.New(context.Background(), gateway.Options{
		Version: "test", Site: "test", KeyMinute: 1e6, KeyDay: 1e6, MaxQueued: 100, TTL: time.Hour, Keep: 24 * time.Hour,
		KeepText: time.Hour, MaxParts: 10, OnUnknown: "hold", Report: true, InboundKeep: time.Hour, Reassembly: time.Minute,
		Log: slog.New(slog.DiscardHandler), Allow: []string{"+44"}, Store: st, Secrets: secrets,
		OTP: gateway.OTPOptions{
			Length: 6, TTL: 5 * time.Minute, MaxAttempts: 5, MaxSends: 3, ResendAfter: 30 * time.Second, OnUnknown: "resend",
			PerHour: 10, PerDay: 10, Brand: "Test", Template: "{{code}} is your {{brand}} code.",
		},
	})
	return st, g, err
}

// kill runs an act and gives what it wrote; it must die unless at is empty.
func kill(t *testing.T, act, dir, at string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+act, victimDir+"="+dir, victimAt+"="+at)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if killed := err != nil && strings.Contains(err.Error(), "killed"); killed != (at != "") {
		t.Fatalf("%s, to die at %q: %v %s", act, at, err, said.String())
	}
	return string(out)
}

// leftovers are what a killed gateway has left behind.
type leftovers struct {
	otps, messages     int
	approved, canceled int
	tries, texts       int
	events, remembered int
}

func readLeftovers(t *testing.T, dir string) (l leftovers) {
	t.Helper()
	st, g, err := openVictim(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	err = st.View(t.Context(), func(tx store.Tx) error {
		ids, err := tx.OTPsTo(victimTo)
		if err != nil {
			return err
		}
		for _, id := range ids {
			o, err := tx.OTP(id)
			if err != nil {
				return err
			}
			l.otps++
			l.tries += o.AttemptsUsed
			if o.State == store.OTPApproved {
				l.approved++
			}
			if m, err := tx.Message(o.MessageID); err != nil || m.OTPID != id || len(m.Parts) != 1 {
				t.Errorf("an OTP without its message: %v", err)
			}
		}
		if _, err := tx.IdempotencyRecord("app", victimCaller.Path, g.IdempotencyName(victimCaller)); err == nil {
			l.remembered++
		}
		counted, err := tx.CountEvents()
		for _, n := range counted {
			l.events += n
		}
		return errors.Join(err, readMessages(t, tx, &l))
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func readMessages(t *testing.T, tx store.Tx, l *leftovers) error {
	ids, err := tx.MessagesTo(victimTo)
	if err != nil {
		return err
	}
	for _, id := range ids {
		m, err := tx.Message(id)
		if err != nil {
			return err
		}
		l.messages++
		if m.HasText {
			l.texts++
		}
		if m.State == store.Canceled {
			l.canceled++
		}
		if o, err := tx.OTP(m.OTPID); err != nil || o.MessageID != id {
			t.Errorf("a message without its OTP: %v", err)
		}
	}
	return nil
}

// Killed before any statement of an act, nothing of it is there; once its
// commit is done, all of it is.
func TestKilledBetweenAnyTwoStatementsOfAnOTP(t *testing.T) {
	for act, least := range map[string]int{"create": 6, "verify": 4} {
		t.Run(act, func(t *testing.T) {
			t.Parallel()
			seed := t.TempDir()
			points := strings.Fields(kill(t, act, seed, ""))
			all, none := readLeftovers(t, seed), leftovers{}
			if act == "verify" {
				dir := t.TempDir()
				kill(t, "create", dir, "")
				none = readLeftovers(t, dir)
			}
			commits := slices.DeleteFunc(slices.Clone(points), func(p string) bool { return !strings.HasPrefix(p, "commit:") })
			if len(points)-len(commits) < least || len(commits) != 2 || all == none {
				t.Fatalf("passed %q and left %+v: want %d statements or more, in one commit", points, all, least)
			}
			for _, point := range points {
				want := none
				if strings.HasSuffix(point, ":after") {
					want = all
				}
				dir := t.TempDir()
				kill(t, act, dir, point)
				if got := readLeftovers(t, dir); got != want {
					t.Errorf("killed at %s it left %+v, want %+v", point, got, want)
				}
			}
		})
	}
}
