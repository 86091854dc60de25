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

// peerStation is a network with one modem of each profile, for programs of
// other projects to use: what they can do without knowing us shows that the
// simulator is no mirror of our driver.
type peerStation struct {
	net    *Network
	modems map[string]*Modem // by profile
	dirs   map[string]string
}

func newPeerStation(t *testing.T) *peerStation {
	t.Helper()
	profiles := Profiles()
	s := &peerStation{
		net:    network(t, Options{Modems: len(profiles), Profile: strings.Join(profiles, ",")}),
		modems: make(map[string]*Modem), dirs: make(map[string]string),
	}
	for i, profile := range profiles {
		s.modems[profile], s.dirs[profile] = s.net.Modems()[i], t.TempDir()
	}
	return s
}

// incoming is what a modem of a profile is texted.
func incoming(profile string) string { return "a text for " + profile }

// outgoing is the number that it texts.
func outgoing(m *Modem) string { return fmt.Sprintf("+447700900%03d", 100+m.index) }

// texts lets a phone text each modem.
func (s *peerStation) texts(t *testing.T) {
	t.Helper()
	for profile, m := range s.modems {
		if err := s.net.Phone("+447700900002").Send(m.Number(), incoming(profile)); err != nil {
			t.Fatal(err)
		}
	}
}

// each runs a check of each profile but those that the program cannot cope
// with.
func (s *peerStation) each(t *testing.T, cannot map[string]string, check func(profile string, m *Modem) error) {
	t.Helper()
	for _, profile := range Profiles() {
		t.Run(profile, func(t *testing.T) {
			if why, known := cannot[profile]; known {
				t.Skip(why)
			}
			if err := check(profile, s.modems[profile]); err != nil {
				t.Errorf("%v\nthe modem saw:\n%s", err, strings.Join(s.modems[profile].Transcript(), "\n"))
			}
		})
	}
}

// sentText checks that the one text has come to the phone from the modem.
func (s *peerStation) sentText(m *Modem, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), toolTime)
	defer cancel()
	got, err := s.net.Phone(outgoing(m)).Wait(ctx, 1)
	if err != nil || got[0].Text != text || got[0].From != m.Number() {
		return fmt.Errorf("the phone shows %+v: %w", got, err)
	}
	return nil
}

const gammuConfig = "[gammu]\ndevice = %s\nconnection = at115200\nsynchronizetime = no\nuse_locking = no\n"

// run runs a command to its end.
func run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), toolTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// gammuCannot says what gammu 1.42 cannot do with a profile, and why.
var gammuCannot = map[string]string{
	"bare":      "it asks for the model and the character set before anything else, and stops at ERROR",
	"wavecom":   "it begins with AT+CFUN=1, with which a Wavecom restarts (gammu issue 93)",
	"multitech": "it begins with AT+CFUN=1, with which a Wavecom restarts (gammu issue 93)",
}

// TestGammu identifies each modem, sends with it and reads what it has stored.
func TestGammu(t *testing.T) {
	t.Parallel()
	gammu := tool(t, "gammu", "gammu")
	s := newPeerStation(t)
	s.texts(t)
	odd := []string{"Grüße, 5 €", "smile 😀", strings.Repeat("two parts ", 20)}
	for _, text := range odd {
		if err := s.net.Phone("+447700900002").Send(s.modems["generic"].Number(), text); err != nil {
			t.Fatal(err)
		}
	}
	outcome := make(map[string]chan error)
	for profile, m := range s.modems {
		if gammuCannot[profile] != "" {
			continue
		}
		config, done := filepath.Join(s.dirs[profile], "gammurc"), make(chan error, 1)
		writeFile(t, config, fmt.Sprintf(gammuConfig, m.Path()))
		outcome[profile] = done
		go func() {
			out, err := run(gammu, "-c", config, "identify")
			if err == nil && !strings.Contains(out, m.IMEI()) {
				err = fmt.Errorf("identify does not show the IMEI %s:\n%s", m.IMEI(), out)
			}
			if err == nil {
				_, err = run(gammu, "-c", config, "sendsms", "TEXT", outgoing(m), "-text", "gammu sends this")
			}
			if err == nil {
				out, err = run(gammu, "-c", config, "getallsms")
			}
			if err == nil && (!strings.Contains(out, incoming(profile)) || !strings.Contains(out, `"+447700900002"`)) {
				err = fmt.Errorf("getallsms does not show the text:\n%s", out)
			}
			for _, text := range odd[:2] {
				if err == nil && profile == "generic" && (!strings.Contains(out, text) || !strings.Contains(out, "5 SMS parts in")) {
					err = fmt.Errorf("getallsms does not show %q in five parts:\n%s", text, out)
				}
			}
			done <- err
		}()
	}
	s.each(t, gammuCannot, func(profile string, m *Modem) error {
		if err := <-outcome[profile]; err != nil {
			return err
		}
		return s.sentText(m, "gammu sends this")
	})
}

const gammuSMSDConfig = gammuConfig + `[smsd]
service = files
inboxpath = DIR/in/
outboxpath = DIR/out/
sentsmspath = DIR/sent/
errorsmspath = DIR/error/
logfile = DIR/log
debuglevel = 1
checksecurity = 0
checkbattery = 0
checksignal = 0
loopsleep = 1
statusfrequency = 0
commtimeout = 1
`

// TestGammuSMSD lets gammu-smsd send a file of its outbox and receive into its
// inbox.
func TestGammuSMSD(t *testing.T) {
	t.Parallel()
	smsd := tool(t, "gammu-smsd", "gammu-smsd")
	s := newPeerStation(t)
	s.texts(t)
	for profile, m := range s.modems {
		if gammuCannot[profile] != "" {
			continue
		}
		dir := s.dirs[profile]
		folders(t, dir, "in", "out", "sent", "error")
		config := filepath.Join(dir, "smsdrc")
		writeFile(t, config, strings.ReplaceAll(fmt.Sprintf(gammuSMSDConfig, m.Path()), "DIR", dir))
		writeFile(t, filepath.Join(dir, "out", "OUT"+outgoing(m)+".txt"), "sent by gammu-smsd")
		daemon(t, smsd, "-c", config)
	}
	s.each(t, gammuCannot, func(profile string, m *Modem) error {
		err := s.sentText(m, "sent by gammu-smsd")
		if err == nil {
			err = received(filepath.Join(s.dirs[profile], "in", "IN*"), incoming(profile))
		}
		if err != nil {
			log, _ := os.ReadFile(filepath.Join(s.dirs[profile], "log"))
			err = fmt.Errorf("%w\ngammu-smsd says:\n%s", err, log)
		}
		return err
	})
}

func folders(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// daemon runs a program with all its children until the test ends.
func daemon(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		force := time.AfterFunc(5*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		_ = cmd.Wait() // it was told to end; how does not matter
		force.Stop()
		if t.Failed() {
			t.Logf("%s says:\n%s", filepath.Base(name), out.Bytes())
		}
	})
}

// received waits for a file that holds a text.
func received(pattern, text string) error {
	for end := time.Now().Add(toolTime); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, name := range files {
			if b, err := os.ReadFile(name); err == nil && bytes.Contains(b, []byte(text)) {
				return nil
			}
		}
	}
	return fmt.Errorf("no file %s holds the text", pattern)
}

const smstoolsConfig = `outgoing = DIR/outgoing
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
incoming_utf8 = yes
`

// smstoolsNeeds are settings that its manual has for such modems.
var smstoolsNeeds = map[string]string{
	"e3531": "primary_memory = SM\nsecondary_memory = ME\nsecondary_memory_max = 50\n", // messages are there whatever is selected
	"bare":  "check_memory_method = 0\n",                                               // there is no AT+CPMS
}

// TestSmstools lets one smsd with all modems send a file of each modem's queue
// and receive into its incoming directory.
func TestSmstools(t *testing.T) {
	t.Parallel()
	smsd := tool(t, "smsd", "smstools")
	s := newPeerStation(t)
	s.texts(t)
	dir := t.TempDir()
	folders(t, dir, "outgoing", "checked", "incoming", "sent", "failed", "report")
	var devices, queues, modems strings.Builder
	for i, profile := range Profiles() {
		m := s.modems[profile]
		folders(t, dir, "queue-"+profile)
		fmt.Fprintf(&queues, "%s = %s/queue-%[1]s\n", profile, dir)
		fmt.Fprintf(&modems, "[%s]\ndevice = %s\nincoming = yes\nbaudrate = 115200\nqueues = %[1]s\n", profile, m.Path())
		modems.WriteString(smstoolsNeeds[profile])
		if i > 0 {
			devices.WriteString(", ")
		}
		devices.WriteString(profile)
		writeFile(t, filepath.Join(dir, "queue-"+profile, profile), "To: "+strings.TrimPrefix(outgoing(m), "+")+"\n\nsent by smsd")
	}
	config := filepath.Join(dir, "smsd.conf")
	writeFile(t, config, "devices = "+devices.String()+"\n"+strings.ReplaceAll(smstoolsConfig, "DIR", dir)+"[queues]\n"+queues.String()+modems.String())
	daemon(t, smsd, "-c"+config, "-t")
	s.each(t, nil, func(profile string, m *Modem) error {
		err := s.sentText(m, "sent by smsd")
		if err == nil {
			err = received(filepath.Join(dir, "incoming", profile+".*"), incoming(profile))
		}
		if err != nil {
			log, _ := os.ReadFile(filepath.Join(dir, "smsd.log"))
			err = fmt.Errorf("%w\nsmsd says:\n%s", err, log)
		}
		return err
	})
}
