package driver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRadioGoesOffAndOn(t *testing.T) {
	for name, row := range map[string]struct {
		refuses []string // AT+CFUN=…, one refusal each
		want    []string
	}{
		"as it should":      {nil, []string{"AT+CFUN=4", "AT+CFUN=1"}},
		"without mode 4":    {[]string{"+CFUN=4"}, []string{"AT+CFUN=4", "AT+CFUN=0", "AT+CFUN=1"}},
		"busy for a moment": {[]string{"+CFUN=1"}, []string{"AT+CFUN=4", "AT+CFUN=1", "AT+CFUN=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t)
			m := p.open(func(o *Options) { o.CommandTimeout = time.Second })
			refuses := row.refuses
			p.on("+CFUN", func(p *peer, cmd string) {
				if i := slices.Index(refuses, cmd); i >= 0 {
					refuses = slices.Delete(refuses, i, i+1)
					p.send("\r\n+CME ERROR: 515\r\n")
					return
				}
				p.ok()
			})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if err := m.CycleRadio(ctx); err != nil {
				t.Fatal(err)
			}
			commands, _ := p.seen()
			if got := commands[len(commands)-len(row.want):]; !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// Whoever gives up half way must not leave the modem without its radio.
func TestRadioComesBackAfterCancel(t *testing.T) {
	p := newPeer(t)
	m := p.open(func(o *Options) { o.CommandTimeout = time.Second })
	ctx, cancel := context.WithCancel(context.Background())
	p.on("+CFUN", func(p *peer, cmd string) { cancel(); p.ok() })
	if err := m.CycleRadio(ctx); err != nil {
		t.Fatal(err)
	}
	if commands, _ := p.seen(); commands[len(commands)-1] != "AT+CFUN=1" {
		t.Errorf("the last command was %s", commands[len(commands)-1])
	}
}

func TestResetOfASilentModem(t *testing.T) {
	p := newPeer(t)
	p.says("", "", "+CFUN", "+CGSN")
	quectel := Identity{Manufacturer: "Quectel", Model: "EC25"}
	if err := ResetSilent(context.Background(), p.options(), quectel); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.commands, []string{"AT+CFUN=1,1"}) || p.escapes != 1 {
		t.Errorf("the modem got %q and %d escapes", p.commands, p.escapes)
	}
}

func TestNoResetWhereItDoesHarm(t *testing.T) {
	p := newPeer(t)
	for _, id := range []Identity{{Manufacturer: "huawei", Model: "E173"}, {Manufacturer: "ZTE", Model: "MF190"}, {Manufacturer: "Peer"}, {}} {
		if err := ResetSilent(context.Background(), p.options(), id); !errors.Is(err, ErrNoReset) || CanReset(id) {
			t.Errorf("%+v: got %v, can reset %v", id, err, CanReset(id))
		}
	}
	if commands, _ := p.seen(); len(commands) > 0 {
		t.Errorf("the modem got %q", commands)
	}
}

func TestPlugChangesWithThePort(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "modem")
	for _, port := range []string{link, ""} {
		if got := Plug(port); got != "" {
			t.Errorf("nothing at %q is %q", port, got)
		}
		if err := new(USBSwitch).Reset(context.Background(), port); !errors.Is(err, ErrNoPort) {
			t.Errorf("reset of nothing at %q: %v", port, err)
		}
		if err := ResetSilent(context.Background(), Options{Port: port}, Identity{Manufacturer: "Quectel"}); !errors.Is(err, ErrNoPort) {
			t.Errorf("restart of nothing at %q: %v", port, err)
		}
	}
	a, b := newPeer(t), newPeer(t)
	names := map[string]bool{}
	for _, p := range []*peer{a, b} {
		_ = os.Remove(link)
		if err := os.Symlink(p.path, link); err != nil {
			t.Fatal(err)
		}
		names[Plug(link)] = true
		if again := Plug(link); !names[again] {
			t.Error("the name does not last")
		}
	}
	if len(names) != 2 || names[""] {
		t.Errorf("got %v", names)
	}
}

func TestPowerCommand(t *testing.T) {
	var log bytes.Buffer
	p := Power{
		Argv: []string{"sh", "-c", `printf 'port %s of 4479001234 is off\r\n\033[31mred\n' "$PORT"; exit $CODE`},
		Env:  []string{"PORT=2", "CODE=0"}, Log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	if err := p.Cycle(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := log.String(); !strings.Contains(s, "port 2 of … is off") || strings.Contains(s, "4479") || strings.Contains(s, `\x1b`) || strings.Count(s, "\n") != 2 {
		t.Errorf("log: %s", s)
	}
	p.Env = []string{"PORT=2", "CODE=3"}
	if err := p.Cycle(context.Background()); err == nil || !strings.Contains(err.Error(), "status 3") {
		t.Errorf("status 3: %v", err)
	}
	if err := (Power{Argv: []string{filepath.Join(t.TempDir(), "none")}}).Cycle(context.Background()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such command: %v", err)
	}
	p.Env = []string{"PORT=2", "CODE=0"}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Cycle(ctx); err != nil {
		t.Errorf("nobody waits for it any more: %v", err)
	}
	if err := (Power{}).Cycle(context.Background()); err == nil {
		t.Error("no command is no error")
	}
}

// A command that hangs, and what it has started, is ended; what floods is cut.
func TestPowerCommandIsBounded(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	p := Power{Argv: []string{"sh", "-c", "sleep 300 & echo $! >" + pidFile + "; yes flood"}, Timeout: 500 * time.Millisecond}
	err := p.Cycle(context.Background())
	if err == nil || !strings.Contains(err.Error(), "not done after 500ms") {
		t.Errorf("got %v", err)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Skip("the machine is too slow to start a command in time")
	}
	gone(t, string(pid))
	out := &clipped{limit: 10}
	for range 3 {
		if n, err := out.Write([]byte("seven77")); n != 7 || err != nil {
			t.Fatal(n, err)
		}
	}
	if out.kept.Len() != 10 {
		t.Errorf("%d octets are kept", out.kept.Len())
	}
}

// gone waits until a process has ended.
func gone(t *testing.T, pid string) {
	t.Helper()
	settled(t, "children", 0, func() int {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return 0
		}
		return 1
	})
}

// A command sees no secret of this process, and leaves nothing that runs.
func TestPowerCommandIsAlone(t *testing.T) {
	t.Setenv("MODEMGATE_SECRET", "hidden")
	t.Setenv("LANG", "C.UTF-8")
	t.Setenv("HOME", "/nowhere")
	dir := t.TempDir()
	p := Power{
		Argv: []string{"sh", "-c", `cd "$1"; tr '\0' '\n' </proc/self/environ >env; sleep 300 >&- 2>&- & echo $! >"$1/pid"`, "sh", dir},
		Env:  []string{"MODEMGATE_LINE=front", "MODEMGATE_PORT=/dev/ttyX"},
	}
	if err := p.Cycle(context.Background()); err != nil {
		t.Fatal(err)
	}
	pid, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	gone(t, string(pid))
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(env)) {
		name, _, _ := strings.Cut(line, "=")
		switch name {
		case "PWD", "OLDPWD", "SHLVL", "_": // of the shell
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if want := []string{"HOME", "LANG", "MODEMGATE_LINE", "MODEMGATE_PORT", "PATH"}; !slices.Equal(names, want) {
		t.Errorf("the command sees %v, want %v", names, want)
	}
}
