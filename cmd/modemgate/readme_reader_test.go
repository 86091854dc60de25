package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// reader is who follows README.md: with a modem of its own, then with a site
// of simulated lines.
type reader struct {
	t     *testing.T // of the whole page: what lives longer than a block ends with it
	repo  string
	bin   string       // on the PATH: modemgate, once it is built, and what stands for sudo and systemctl
	radio *sim.Network // around the "real" modem
	modem *place
	site  *place
	pid   string // file with the pid of the daemon at the site
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, modem: newPlace(t), site: newPlace(t)}
	var err error
	if r.repo, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		t.Fatal(err)
	}
	if r.radio, err = sim.New(sim.Options{Modems: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.radio.Close() })
	r.bin = filepath.Join(r.site.dir, "bin")
	if err := os.Mkdir(r.bin, 0o755); err != nil {
		t.Fatal(err)
	}
	r.pid = filepath.Join(r.site.dir, "pid")
	for _, p := range []*place{r.modem, r.site} {
		r.common(p)
	}
	r.site.set("MODEMGATE_DATA_DIR", filepath.Join(r.site.dir, "data"))
	r.site.write(t, "bin/sudo", fakeSudo)
	r.site.write(t, "bin/systemctl", strings.NewReplacer("PID", r.pid, "DIR", r.site.dir).Replace(fakeSystemctl))
	return r
}

// common is what the reader's commands have besides the page: free ports,
// and no reserve that a small disk would not have.
func (r *reader) common(p *place) {
	p.set("PATH", r.bin+string(os.PathListSeparator)+p.get("PATH"))
	p.set("MODEMGATE_API_LISTEN", "127.0.0.1:0")
	p.set("MODEMGATE_NATS_LISTEN", "127.0.0.1:0")
	p.set("MODEMGATE_STORAGE_RESERVE", "1MiB")
}

// fakeSudo runs the command as who we are.
const fakeSudo = `#!/bin/sh
if [ "$1" = -u ]; then shift 2; fi
exec "$@"
`

// fakeSystemctl stops and starts the daemon of the site.
const fakeSystemctl = `#!/bin/sh
set -eu
[ "$2" = modemgate ]
case $1 in
stop)
	pid=$(cat PID)
	kill -TERM "$pid"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
	;;
start)
	modemgate serve >DIR/log 2>&1 </dev/null &
	echo $! >PID
	until grep -q 'modemgate is ready' DIR/log; do
		kill -0 $! || { cat DIR/log; exit 1; }
		sleep 0.02
	done
	;;
*) exit 64 ;;
esac
`

// endService ends a daemon that fakeSystemctl started.
func (r *reader) endService() {
	text, _ := os.ReadFile(r.pid)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || syscall.Kill(pid, syscall.SIGTERM) != nil {
		return
	}
	for end := time.Now().Add(readmePatience); syscall.Kill(pid, 0) == nil && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}

// swap replaces what is not on this machine by what is; it must be there.
func swap(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the block does not say %q any more", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// says checks the output of a block.
func says(t *testing.T, out string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(out) {
			t.Errorf("the output lacks %q:\n%s", p, out)
		}
	}
}

// ask speaks to the daemon of a place by its socket.
func (p *place) ask(t *testing.T, data, method, path string, body, answer any) {
	t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(data, "admin.sock"))
	}
	c := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: readmePatience}
	in, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, "http://modemgate"+path, bytes.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		t.Fatal(err)
	}
}

// readmePhone is the number that all examples use.
const readmePhone = "+447700900123"

// onPhone lists the texts that the phone at the site has got.
func (r *reader) onPhone(t *testing.T) (texts []string) {
	t.Helper()
	var page struct{ Items []struct{ Text string } }
	r.site.ask(t, r.site.get("MODEMGATE_DATA_DIR"), http.MethodGet, "/v1/sim/phones/"+readmePhone, nil, &page)
	for _, i := range page.Items {
		texts = append(texts, i.Text)
	}
	return texts
}

// text sends an SMS from the phone at a place.
func (p *place) text(t *testing.T, text string) {
	t.Helper()
	var sent struct{ Line string }
	p.ask(t, p.get("MODEMGATE_DATA_DIR"), http.MethodPost, "/v1/sim/phones/"+readmePhone+"/send", map[string]string{"text": text, "line": "modem0"}, &sent)
}

var readmeCode = regexp.MustCompile(`^(\d{6}) is your code`)

// typesCode is the person with the phone: it waits until the program asks for
// the code, and types the one that has come since there were `before` texts.
func (r *reader) typesCode(t *testing.T, g *program, before int) {
	t.Helper()
	g.await(t, `code: $`)
	for end := time.Now().Add(readmePatience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, text := range r.onPhone(t)[before:] {
			if m := readmeCode.FindStringSubmatch(text); m != nil {
				if _, err := g.in.Write([]byte(m[1] + "\n")); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
	}
	t.Fatal("no code came")
}

// message sends one from the command line and returns its id.
func (p *place) message(t *testing.T, args string) string {
	t.Helper()
	m := regexp.MustCompile(`"id":"(msg_[0-9a-z]+)"`).FindStringSubmatch(p.sh(t, "modemgate send --json "+readmePhone+" "+args))
	if m == nil {
		t.Fatal("the answer has no id")
	}
	return m[1]
}
