package main_test

import (
	"path/filepath"
	"testing"

	"github.com/modemgate/modemgate/configs"
)

// addPort needs no modem: the simulated lines are what there is to list.
func (r *reader) addPort(t *testing.T, b block) {
	says(t, r.site.sh(t, b.text), `modem0`)
}

// add: the file of the service is one at the site, and the restart is left
// out, since the page restarts the daemon when it restores.
func (r *reader) add(t *testing.T, b block) {
	file := r.site.write(t, "entry.yaml", "site: berlin\n")
	out := r.site.sh(t, swap(t, b.text, "/etc/modemgate/modemgate.yaml", file, "sudo systemctl restart modemgate", ":"))
	says(t, out, `the configuration is right`, `modem0 +up`)
}

// pinUser: the file that comes out is one that the program takes.
func (r *reader) pinUser(t *testing.T, b block) {
	p := newPlace(t)
	p.set("HOME", p.dir)
	p.sh(t, swap(t, b.text, "cat >", "echo 73914628 | cat >"))
	readsPIN(t, p)
}

// pin is the same for the service, whose user is not here.
func (r *reader) pin(t *testing.T, b block) {
	p := newPlace(t)
	p.set("PATH", r.site.get("PATH"))
	p.sh(t, swap(t, b.text, " -o modemgate", "", "/etc/modemgate/", p.dir+"/", "sudo tee", "echo 73914628 | sudo tee"))
	readsPIN(t, p)
}

func readsPIN(t *testing.T, p *place) {
	t.Helper()
	if pin, err := configs.ReadPIN(filepath.Join(p.dir, "front.pin")); err != nil || pin != "73914628" {
		t.Errorf("read %d characters, %v", len(pin), err)
	}
}

func (r *reader) pinEntry(t *testing.T, b block) {
	p := newPlace(t)
	p.set("PATH", r.site.get("PATH"))
	out := p.start(t, "modemgate", "check", "--config", p.write(t, "c.yaml", b.text)).finish(t)
	says(t, out, `the configuration is right: 1 line,`)
}

// resetKey: the reader pastes the line with the address and the key.
func (r *reader) resetKey(t *testing.T, b block) { r.pastes(t, r.site.sh(t, b.text)) }

func (r *reader) reset(t *testing.T, b block) {
	r.site.need(t, "curl")
	says(t, r.site.sh(t, b.text), `"name":"modem0"`)
}
