package sim

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const toolTime = 60 * time.Second

// tool finds a program of another project or skips the test.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
			if p := filepath.Join(dir, name); fileExists(p) {
				return p
			}
		}
		t.Skipf("%s is not installed; to run this test: apt-get install %s", name, debian)
	}
	return path
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGammu identifies, sends and reads through gammu.
func TestGammu(t *testing.T) {
	t.Parallel()
	gammu := tool(t, "gammu", "gammu")
	n := network(t, Options{})
	m := n.Modems()[0]
	config := filepath.Join(t.TempDir(), "gammurc")
	writeFile(t, config, fmt.Sprintf("[gammu]\ndevice = %s\nconnection = at115200\nsynchronizetime = no\nuse_locking = no\n", m.Path()))
	run := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), toolTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, gammu, append([]string{"-c", config}, args...)...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("gammu %v: %v\n%s\nthe modem saw:\n%s", args, err, out, strings.Join(m.Transcript(), "\n"))
		}
		return string(out)
	}
	if out := run("identify"); !strings.Contains(out, m.IMEI()) || !strings.Contains(out, m.IMSI()) || !strings.Contains(out, "Simulated") {
		t.Errorf("identify:\n%s", out)
	}
	run("sendsms", "TEXT", "+447700900001", "-text", "gammu sends this")
	if got := wait(t, n.Phone("+447700900001"), 1)[0]; got.Text != "gammu sends this" || got.From != m.Number() {
		t.Errorf("the phone shows %+v", got)
	}
	for _, text := range []string{"Grüße, 5 €", "smile 😀", strings.Repeat("two parts ", 20)} {
		if err := n.Phone("+447700900002").Send(m.Number(), text); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "stored", func() bool { return len(m.Stored()) == 4 })
	out := run("getallsms")
	for _, want := range []string{"Grüße, 5 €", "smile 😀", `"+447700900002"`, centreNumber, "4 SMS parts in"} {
		if !strings.Contains(out, want) {
			t.Errorf("getallsms does not show %q:\n%s", want, out)
		}
	}
}

const smsdConfig = `devices = GSM1
outgoing = DIR/outgoing
checked = DIR/checked
incoming = DIR/incoming
sent = DIR/sent
failed = DIR/failed
report = DIR/report
logfile = DIR/smsd.log
infofile = DIR/smsd.info
pidfile = DIR/smsd.pid
loglevel = 7
delaytime = 1
errorsleeptime = 1
blocktime = 5
[GSM1]
device = PORT
init = AT+CNMI=2,1,0,0,0
incoming = yes
baudrate = 115200
`

// TestSmstools lets smsd send a file of its outgoing directory and receive
// into its incoming directory.
func TestSmstools(t *testing.T) {
	t.Parallel()
	smsd := tool(t, "smsd", "smstools")
	n := network(t, Options{})
	m := n.Modems()[0]
	dir := t.TempDir()
	for _, name := range []string{"outgoing", "checked", "incoming", "sent", "failed", "report"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "smsd.conf")
	writeFile(t, config, strings.NewReplacer("DIR", dir, "PORT", m.Path()).Replace(smsdConfig))
	writeFile(t, filepath.Join(dir, "outgoing", "one"), "To: 447700900001\n\nsent by smsd")
	if err := n.Phone("+447700900002").Send(m.Number(), "received by smsd"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(smsd, "-c"+config, "-t")
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it forks one process for each modem
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		force := time.AfterFunc(5*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		_ = cmd.Wait() // it was told to end; how does not matter
		force.Stop()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "smsd.log"))
			t.Logf("smsd says:\n%s%s\nthe modem saw:\n%s", out.Bytes(), log, strings.Join(m.Transcript(), "\n"))
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), toolTime)
	defer cancel()
	texts, err := n.Phone("+447700900001").Wait(ctx, 1)
	if err != nil || texts[0].Text != "sent by smsd" || texts[0].From != m.Number() {
		t.Errorf("the phone shows %+v: %v", texts, err)
	}
	eventually(t, "the file is in sent", func() bool { return fileExists(filepath.Join(dir, "sent", "one")) })
	eventually(t, "the text is in incoming", func() bool {
		files, _ := filepath.Glob(filepath.Join(dir, "incoming", "GSM1.*"))
		if len(files) != 1 {
			return false
		}
		text, _ := os.ReadFile(files[0])
		return bytes.Contains(text, []byte("From: 447700900002")) && bytes.HasSuffix(text, []byte("\n\nreceived by smsd"))
	})
	eventually(t, "the SIM is empty", func() bool { return len(m.Stored()) == 0 })
}
