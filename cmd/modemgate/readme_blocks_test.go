package main_test

import (
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// readmeRunners are what runs each block, by its label.
var readmeRunners = map[string]func(*reader, *testing.T, block){
	"start": (*reader).start, "modem": (*reader).realModem, "modem-send": (*reader).modemSend,
	"serve": (*reader).serve, "key": (*reader).key, "phone": (*reader).phone,
	"curl": (*reader).curl, "node": (*reader).node, "python": (*reader).python, "go": (*reader).goREST,
	"nats-go": (*reader).natsGo, "nats-node": (*reader).natsNode, "nats-rights": (*reader).natsRights,
	"config": (*reader).config, "routes": (*reader).config, "install": (*reader).install, "service": (*reader).service,
	"daily": (*reader).daily, "operate": (*reader).operate, "pin": (*reader).pin, "keys": (*reader).keys, "metrics": (*reader).metrics, "unknown": (*reader).unknown,
	"backup": (*reader).backup, "restore": (*reader).restore, "erase": (*reader).erase,
	"speak": (*reader).speak, "add-port": (*reader).addPort, "add-entry": (*reader).config, "adopted-entry": (*reader).oneLine, "add": (*reader).add,
	"pin-user": (*reader).pinUser, "pin-entry": (*reader).pinEntry, "reset-key": (*reader).resetKey, "reset": (*reader).reset,
}

// start: the demonstration runs until it says that it stays up, then Ctrl-C
// ends it. go test ./... is only looked at: this test is part of it.
func (r *reader) start(t *testing.T, b block) {
	const demo, tests = "go run ./cmd/modemgate demo", "go test ./..."
	if b.text != demo+"\n"+tests+"\n" {
		t.Fatalf("the first block is not exactly %q and %q", demo, tests)
	}
	p := newPlace(t)
	p.dir = r.repo
	args := strings.Fields(demo)
	g := p.start(t, args[0], args[1:]...)
	g.await(t, `stays valid until Ctrl-C[\s\S]*modemgate serve --config my.yaml\n`)
	g.interrupt(t)
	// After a Ctrl-C go run exits with 1, whatever the program did; when that
	// failed it says "exit status 1" as well.
	if out := g.end(t); regexp.MustCompile(`(?m)^(exit status|signal|modemgate:)`).MatchString(out) {
		t.Errorf("the demonstration does not end well:\n%s", out)
	}
}

// realModem: the port is the link of a simulated modem, whose pty the daemon
// opens like any other port.
func (r *reader) realModem(t *testing.T, b block) {
	port := r.radio.Modems()[0].Path()
	text := swap(t, b.text,
		"/dev/serial/by-id/usb-HUAWEI_Mobile-if00-port0", port,
		"/dev/serial/by-id/", filepath.Dir(port)+"/",
		"go build -o modemgate ", "go build -C '"+r.repo+"' -o '"+r.modem.dir+"/modemgate' ",
		"./modemgate serve", "exec ./modemgate serve")
	g := r.modem.launch(t, r.t, "sh", "-euc", text)
	g.await(t, "modemgate is ready")
	if err := os.Symlink(filepath.Join(r.modem.dir, "modemgate"), filepath.Join(r.bin, "modemgate")); err != nil {
		t.Fatal(err)
	}
}

func (r *reader) modemSend(t *testing.T, b block) {
	says(t, r.modem.sh(t, b.text), `(sent|delivered) \(line front\)`)
	if got := r.radio.Phone(readmePhone).Received(); len(got) != 1 || got[0].Text != "Hello from my own modem" {
		t.Errorf("the phone has got %v", got)
	}
}

func (r *reader) serve(t *testing.T, b block) {
	r.t.Cleanup(r.endService)
	g := r.site.launch(t, r.t, "sh", "-euc", swap(t, b.text, "modemgate serve", "exec modemgate serve"))
	g.await(t, "modemgate is ready")
	r.site.set("MODEMGATE_MODEMS_SIMULATE", "2")
	r.site.write(t, filepath.Base(r.pid), pidOf(g))
}

// key: the reader pastes the line with the address and the key.
func (r *reader) key(t *testing.T, b block) {
	out := r.site.sh(t, b.text)
	n := regexp.MustCompile(`export NATS_URL=nats://(\S+)\n`).FindStringSubmatch(out)
	if n == nil {
		t.Fatalf("nothing to paste in\n%s", out)
	}
	r.pastes(t, out)
	r.site.set("NATS_URL", "nats://"+n[1])
}

// pastes takes the address and the key from the output of key new.
func (r *reader) pastes(t *testing.T, out string) {
	t.Helper()
	m := regexp.MustCompile(`export MODEMGATE_URL=(\S+) MODEMGATE_KEY=(mg_\S+)\n`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("nothing to paste in\n%s", out)
	}
	r.site.set("MODEMGATE_URL", m[1])
	r.site.set("MODEMGATE_KEY", m[2])
}

func (r *reader) phone(t *testing.T, b block) {
	r.site.need(t, "curl")
	// A text of the key's own; else the first line waits for one.
	says(t, r.site.sh(t, `curl -sS -H "Authorization: Bearer $MODEMGATE_KEY" -H 'Content-Type: application/json' -d '{"to":"`+readmePhone+
		`","text":"Hello"}' "$MODEMGATE_URL/v1/messages"`), `"state":"queued"`)
	for end := time.Now().Add(readmePatience); len(r.onPhone(t)) == 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	says(t, r.site.sh(t, b.text), `"text":"Hello"`, `"line":"modem0"`)
}

func (r *reader) curl(t *testing.T, b block) {
	r.site.need(t, "curl")
	before := len(r.onPhone(t))
	g := r.site.start(t, "sh", "-euc", b.text)
	r.typesCode(t, g, before)
	says(t, g.finish(t), `"state":"pending"`, `"valid":true`, `"text":"Your table is ready."`, `"text":"Is my table ready\?"`)
}

// speaks runs a program that makes and verifies an OTP, sends a message, and
// then prints what comes in until it is ended.
func (r *reader) speaks(t *testing.T, right, name string, args ...string) {
	t.Helper()
	before := len(r.onPhone(t))
	g := r.site.start(t, name, args...)
	r.typesCode(t, g, before)
	r.site.text(t, "Thanks, "+t.Name())
	g.await(t, `\+447700900123 Thanks, `+t.Name())
	out, _ := g.output()
	says(t, out, right, `the message is delivered`)
}

func (r *reader) node(t *testing.T, b block) {
	r.site.need(t, "node")
	r.speaks(t, "welcome", "node", r.site.write(t, "rest.mjs", b.text))
}

func (r *reader) python(t *testing.T, b block) {
	r.site.need(t, "python3")
	r.speaks(t, "welcome", "python3", r.site.write(t, "rest.py", b.text))
}

func (r *reader) goREST(t *testing.T, b block) {
	r.speaks(t, "right: true", r.compiled(t, b))
}

// compiled builds a program with the modules of this one.
func (r *reader) compiled(t *testing.T, b block) string {
	t.Helper()
	dir := filepath.Join(r.site.dir, b.label)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(r.repo, name))
		if err != nil {
			t.Fatal(err)
		}
		r.site.write(t, b.label+"/"+name, string(text))
	}
	if formatted, err := format.Source([]byte(b.text)); err != nil || string(formatted) != b.text {
		t.Errorf("not as gofmt writes it (%v):\n%s", err, formatted)
	}
	r.site.write(t, b.label+"/main.go", b.text)
	r.site.start(t, "go", "build", "-C", dir, "-o", "program", ".").finish(t)
	return filepath.Join(dir, "program")
}

// config is checked, not started: its ports are not here.
func (r *reader) config(t *testing.T, b block)  { r.checks(t, b, "2 lines") }
func (r *reader) oneLine(t *testing.T, b block) { r.checks(t, b, "1 line") }

func (r *reader) checks(t *testing.T, b block, lines string) {
	t.Helper()
	p := newPlace(t)
	p.set("PATH", r.site.get("PATH"))
	out := p.start(t, "modemgate", "check", "--config", p.write(t, "c.yaml", b.text)).finish(t)
	if out != "the configuration is right: "+lines+", API on 127.0.0.1:8080\n" {
		t.Errorf("got %s", out)
	}
}

// install goes below a directory instead of the root, with what was built
// already: .ci/run builds without cgo.
func (r *reader) install(t *testing.T, b block) {
	p := newPlace(t)
	p.set("PATH", r.site.get("PATH"))
	root := filepath.Join(p.dir, "root")
	if err := os.MkdirAll(filepath.Join(root, "usr", "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(r.repo, "systemd"), filepath.Join(p.dir, "systemd")); err != nil {
		t.Fatal(err)
	}
	p.sh(t, swap(t, b.text,
		"CGO_ENABLED=0 go build -trimpath -o modemgate ./cmd/modemgate", "cp '"+r.modem.dir+"/modemgate' modemgate",
		" /usr/", " "+root+"/usr/", " /etc/", " "+root+"/etc/"))
	p.sh(t, root+"/usr/bin/modemgate check --config "+root+"/etc/modemgate/modemgate.yaml")
	unit, err := os.ReadFile(filepath.Join(root, "usr/lib/systemd/system/modemgate.service"))
	if err != nil || !strings.Contains(string(unit), "\nExecStart=/usr/bin/modemgate serve\n") {
		t.Errorf("the unit does not start what was installed (%v)", err)
	}
}

// service needs a machine with systemd of its own: only the syntax is
// checked, and that nothing else is in it.
func (r *reader) service(t *testing.T, b block) {
	newPlace(t).start(t, "sh", "-nc", b.text).finish(t)
	known := regexp.MustCompile(`^sudo (systemd-sysusers|udevadm (control --reload|trigger)|systemctl (daemon-reload|enable --now modemgate)|-u modemgate modemgate status)$`)
	for line := range strings.Lines(b.text) {
		if !known.MatchString(strings.TrimSpace(line)) {
			t.Errorf("nobody has tried %q", line)
		}
	}
}

func (r *reader) daily(t *testing.T, b block) {
	r.site.set("ID", r.site.message(t, "explained --wait 30s"))
	says(t, r.site.sh(t, b.text), `modem0 +up \(simulated\)`, `nothing waits to be sent`, `Thanks, `, r.site.get("ID"), `delivered`)
}

// operate: what is canceled is for later, so that no line has begun with it.
func (r *reader) operate(t *testing.T, b block) {
	r.site.set("ID", r.site.message(t, "later --send-at 1h"))
	says(t, r.site.sh(t, b.text), `modem0 sends nothing more`, `modem0 sends again`, `line modem0 is up \(simulated\) since`, r.site.get("ID")+` canceled`, `\+447700900123 is not locked`)
}

func (r *reader) speak(t *testing.T, b block) {
	says(t, r.site.sh(t, b.text), `\+CSQ: \d+,\d+\nOK\n`, `\+COPS: `, `[<>] `, `Your balance is 9.90`)
}

func (r *reader) keys(t *testing.T, b block) {
	says(t, r.site.sh(t, b.text), `the key monitor is made`, `monitor +live`, `monitor is revoked|revoked`)
}

func (r *reader) metrics(t *testing.T, b block) {
	r.site.need(t, "curl")
	out := r.site.sh(t, b.text)
	says(t, out, `"status":"ready"[\s\S]*"status":"ready"`)
	page, err := os.ReadFile(filepath.Join(r.repo, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile("`(modemgate_[a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
		says(t, out, `(?m)^`+name[1]+`[ {]`)
	}
}

// unknown: the modem is pulled out when the network has taken the text, and
// the network gives no report.
func (r *reader) unknown(t *testing.T, b block) {
	m := r.radio.Modems()[0]
	m.Inject(sim.Fault{Kind: sim.FaultNoReport, Times: -1})
	m.Inject(sim.Fault{Kind: sim.FaultUnplug, Match: "+CMGS", Point: sim.PointAccepted, Delay: time.Second})
	r.modem.set("MODEMGATE_CONFIG", filepath.Join(r.modem.dir, "my.yaml"))
	id := r.modem.message(t, "perhaps")
	data := filepath.Join(r.modem.dir, "state")
	var message struct {
		State string
		Rev   int
	}
	for end := time.Now().Add(readmePatience); message.State != "unknown" && time.Now().Before(end); {
		r.modem.ask(t, data, "GET", fmt.Sprintf("/v1/messages/%s?wait=25s&after=%d", id, message.Rev), nil, &message)
	}
	r.modem.set("ID", id)
	says(t, r.modem.sh(t, b.text), `unknown +front`, `modemgate resolve`, `\bsent\b`)
	r.modem.ask(t, data, "GET", "/v1/messages/"+id, nil, &message)
	if message.State != "sent" {
		t.Errorf("the message is %s", message.State)
	}
}

// backup has a message in it that waits.
func (r *reader) backup(t *testing.T, b block) {
	r.site.message(t, "later --send-at 2h")
	r.site.sh(t, b.text)
}

// restore: sudo and systemctl are ours, the directory is the site's.
func (r *reader) restore(t *testing.T, b block) {
	data := r.site.get("MODEMGATE_DATA_DIR")
	out := r.site.sh(t, swap(t, b.text, "/var/lib/modemgate", data, "-o modemgate -g modemgate ", ""))
	says(t, out, `1 message is held until`, `shop`, `1 message is held since a restore`, `1 message is released`)
	addr, err := os.ReadFile(filepath.Join(data, "api.addr"))
	if err != nil {
		t.Fatal(err)
	}
	r.site.set("MODEMGATE_URL", "http://"+strings.TrimSpace(string(addr)))
}

func (r *reader) erase(t *testing.T, b block) {
	says(t, r.site.sh(t, b.text), `messages sent to it +[1-9]`, `SMS received from it +[1-9]`)
	var page struct{ Items []struct{ ID string } }
	r.site.ask(t, r.site.get("MODEMGATE_DATA_DIR"), "GET", "/v1/messages", nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("%d messages are left", len(page.Items))
	}
}
