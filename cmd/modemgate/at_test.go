package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modemgate/modemgate/driver"
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

// TestATFindsTheModemOfALine asks modems who they are, when no daemon runs that
// knows: by IMEI, by SIM, also one that is locked, and by the name of an adopted
// line; a port that somebody holds is left alone.
func TestATFindsTheModemOfALine(t *testing.T) {
	r := newUSBRig(t, 3, "  auto: true\n  list: [{name: front, imei: IMEI0}, {name: back, iccid: ICCID1}, {name: gone, imei: \"869999000000991\"}]\n")
	r.stop()
	for i := range 3 {
		r.plug(i, fmt.Sprintf("1-%d", i+1))
	}
	r.net.Modems()[1].SetSIM("pin", "1234")
	at := func(line, cmd string) (int, string) {
		return launch(t, []string{"TEST_USB_SYS=" + r.bus.Sys, "TEST_USB_DEV=" + r.bus.Dev}, "at", line, cmd, "--config", r.file).exits()
	}
	third := r.net.Modems()[2]
	for line, m := range map[string]int{"front": 0, "back": 1, "m-" + third.ICCID()[len(third.ICCID())-6:]: 2, filepath.Join(r.bus.Dev, "ttyUSB6"): 1} {
		if code, out := at(line, "AT+CGSN"); code != exitOK || !strings.Contains(out, r.net.Modems()[m].IMEI()) {
			t.Errorf("%s: exit %d: %s", line, code, out)
		}
	}
	if commands := strings.Join(r.net.Modems()[1].Transcript(), "\n"); strings.Contains(commands, "AT+CPIN=") {
		t.Error("it tried a PIN")
	}
	held, err := driver.Open(t.Context(), driver.Options{Port: third.Path(), Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	for line, want := range map[string]string{
		"gone": "no modem with the IMEI …0991 is found", "m-000000": "no modem whose SIM has a number that ends in 000000 is found",
		"side": `modems.list has no line "side"`, filepath.Join(r.bus.Dev, "ttyUSB10"): "is held by",
	} {
		code, out := at(line, "AT")
		if code == exitOK || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d: %s", line, code, out)
		}
		if line == "gone" && (!strings.Contains(out, "is held by modemgate") || !strings.Contains(out, "ttyUSB2 is the modem …") || !strings.Contains(out, "give a port instead")) {
			t.Errorf("it does not say what there is: %s", out)
		}
	}
}
