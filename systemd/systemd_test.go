// Package systemd_test holds the unit, the udev rules and the user
// declaration to what they promise.
package systemd_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) {
	switch os.Getenv("MODEMGATE_TEST_DIE") {
	case "of a panic":
		go panic("on purpose") // in a goroutine of its own: no test may recover it
		select {}
	case "of the watchdog":
		_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
		select {}
	}
	os.Exit(m.Run())
}

// unit is modemgate.service: the values of each key, in order. A later empty
// value does not reset here; the unit has none that would.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("modemgate.service")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if k, v, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			all[k] = append(all[k], v)
		}
	}
	return all
}

func TestUnitDirectives(t *testing.T) {
	u := unit(t)
	for key, want := range map[string]string{
		"Type":                   "notify",
		"NotifyAccess":           "main",
		"WatchdogSec":            "30",
		"User":                   "modemgate",
		"StateDirectory":         "modemgate",
		"Restart":                "always",
		"TimeoutStopSec":         "45",
		"ProtectSystem":          "strict",
		"NoNewPrivileges":        "yes",
		"LimitCORE":              "0",
		"LimitNOFILE":            "1024",
		"StateDirectoryMode":     "0700",
		"SupplementaryGroups":    "dialout",
		"CapabilityBoundingSet":  "",
		"MemoryDenyWriteExecute": "yes",
		"StartLimitIntervalSec":  "0",
	} {
		if got := u[key]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if u["DynamicUser"] != nil {
		t.Error("the state belongs to a fixed user; DynamicUser must not be set")
	}
	// Without a file a daemon that is not root puts its state under XDG_STATE_HOME.
	if !slices.Contains(u["Environment"], "XDG_STATE_HOME=/var/lib") {
		t.Errorf("Environment %q does not lead the state into StateDirectory", u["Environment"])
	}
}

// char-ttyUSB is resolved when the unit starts: without a modem plugged in
// before, a later one is refused until a restart. Major numbers are not.
func TestDevicesAreAllowedByMajorNumber(t *testing.T) {
	u := unit(t)
	if got := u["DevicePolicy"]; !slices.Equal(got, []string{"closed"}) {
		t.Errorf("DevicePolicy is %q, want closed", got)
	}
	for _, want := range []string{"char-188 rw", "char-166 rw"} { // ttyUSB, ttyACM
		if !slices.Contains(u["DeviceAllow"], want) {
			t.Errorf("DeviceAllow=%s is missing", want)
		}
	}
	byNumber := regexp.MustCompile(`^char-[0-9]+ rw$`)
	for _, d := range u["DeviceAllow"] {
		if !byNumber.MatchString(d) {
			t.Errorf("DeviceAllow=%s is not by major number", d)
		}
	}
}

// PrivateDevices hides the ports, whatever DeviceAllow says.
func TestDevicesAreNotPrivate(t *testing.T) {
	if got := unit(t)["PrivateDevices"]; got != nil {
		t.Errorf("PrivateDevices is set to %q", got)
	}
}

// Exit 2 is never restarted, and a Go program that panics, or is sent
// the watchdog's SIGABRT, exits with 2 unless its environment says otherwise.
func TestCrashIsNotTakenForAWrongConfiguration(t *testing.T) {
	u := unit(t)
	if got := u["RestartPreventExitStatus"]; !slices.Equal(got, []string{"2"}) {
		t.Fatalf("RestartPreventExitStatus is %q, want 2", got)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"of a panic", "of the watchdog"} {
		cmd := exec.Command("sh", "-c", `ulimit -c 0; exec "$0"`, exe)
		cmd.Env = append(os.Environ(), "GOTRACEBACK=", "MODEMGATE_TEST_DIE="+how)
		cmd.Env = append(cmd.Env, u["Environment"]...)
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) {
			t.Fatalf("dying %s ended with %v", how, err)
		}
		if ws := exit.Sys().(syscall.WaitStatus); !ws.Signaled() {
			t.Errorf("dying %s ended with exit status %d, want a signal", how, ws.ExitStatus())
		}
	}
}

// installed makes a unit that this machine can check: its program exists.
func installed(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("modemgate.service")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "modemgate.service")
	data = []byte(strings.Replace(string(data), "/usr/bin/modemgate serve", "/bin/true", 1))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

func TestSystemdVerifiesTheUnit(t *testing.T) {
	out, err := exec.Command(tool(t, "systemd-analyze"), "verify", installed(t)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// systemd before 254 does not know these two and goes on without them.
	since254 := regexp.MustCompile(`RestartSteps|RestartMaxDelaySec`)
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "modemgate.service") && !since254.MatchString(line) {
			t.Errorf("systemd says: %s", line)
		}
	}
}

// The threshold is ten times the exposure level: at most 2.0 of 10.
func TestSystemdFindsLittleExposed(t *testing.T) {
	out, err := exec.Command(tool(t, "systemd-analyze"), "security", "--offline=true", "--threshold=20", installed(t)).CombinedOutput()
	if strings.Contains(string(out), "unrecognized option") {
		t.Skip("systemd-analyze security --offline needs systemd 250")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestUserDeclaration(t *testing.T) {
	u := unit(t)
	data, err := os.ReadFile("modemgate.sysusers")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"u " + u["User"][0] + " ", "m " + u["User"][0] + " " + u["SupplementaryGroups"][0]} {
		if !strings.Contains("\n"+string(data), "\n"+want) {
			t.Errorf("no line begins with %q", want)
		}
	}
	out, err := exec.Command(tool(t, "systemd-sysusers"), "--root="+t.TempDir(), "--dry-run", mustAbs(t, "modemgate.sysusers")).CombinedOutput()
	if strings.Contains(string(out), "unrecognized option") {
		t.Skip("systemd-sysusers --dry-run needs systemd 250")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func mustAbs(t *testing.T, name string) string {
	t.Helper()
	abs, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
