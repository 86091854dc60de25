package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver/sim"
)

// TestATWithoutADaemon speaks to the port of a configured line, also when its
// SIM is of no use.
func TestATWithoutADaemon(t *testing.T) {
	n, err := sim.New(sim.Options{Modems: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	m := n.Modems()[0]
	m.SetSIM("absent", "")
	dir := shortDir(t)
	file := filepath.Join(dir, "c.yaml")
	text := fmt.Sprintf("data_dir: %s\nmodems: {list: [{name: front, port: %q}, {name: back, port: /dev/serial/by-id/none}]}\n", filepath.Join(dir, "d"), m.Path())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"MODEMGATE_CONFIG=" + file}
	r := modemgate(t, env, "", "at", "front", "AT+CGSN", "AT+CPIN?")
	if r.code != exitFailed || !strings.Contains(r.out, m.IMEI()+"\nOK\n") || !strings.Contains(r.out, "+CME ERROR: 10 (there is no SIM in the modem)") {
		t.Errorf("exit %d, out %s, err %s", r.code, r.out, r.err)
	}
	if r := modemgate(t, env, "", "at", "--json", "front", "AT"); r.code != exitOK || r.out != `{"lines":[],"result":"OK"}`+"\n" {
		t.Errorf("exit %d, out %s, err %s", r.code, r.out, r.err)
	}
	for line, want := range map[string]string{"back": "there is no such port, /dev/serial/by-id/none: plug the modem in, or name one that `ls -l /dev/serial/by-id` or `modemgate modems` shows", "side": `no line "side"`} {
		if r := modemgate(t, env, "", "at", line, "AT"); r.code == exitOK || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit %d, err %s", line, r.code, r.err)
		}
	}
}
