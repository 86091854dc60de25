package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestUpkeepOfALine(t *testing.T) {
	load := func(text string) (Config, error) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, err := Load(path, nil, nil)
		return c, err
	}
	c, err := load(`
modems:
  calls: ignore
  list:
    - name: front
      port: /dev/serial/by-id/x
      balance: {code: "*100#", pattern: 'is ([0-9.]+)', every: 12h, below: 2.50}
      keep_alive: 30d
alerts: {sms_to: ["+447700900001"], after: 5m}
`)
	l := c.Modems.List[0]
	want := Balance{Code: "*100#", Pattern: "is ([0-9.]+)", Every: Duration(12 * time.Hour), Below: 2.5}
	if err != nil || l.Balance != want || l.KeepAlive != Duration(30*day) || c.Alerts.SMSTo[0] != "+447700900001" || c.Alerts.After != Duration(5*time.Minute) || c.Modems.Calls != CallsIgnore {
		t.Errorf("%+v, %+v, %v", l, c.Alerts, err)
	}
	_, err = load(`
modems:
  calls: accept
  list:
    - {name: a, port: /dev/a, balance: {code: hello, pattern: "[", every: 1m, below: "5,00"}, keep_alive: 1h}
    - {name: b, port: /dev/b, balance: {pattern: x}}
    - {name: c, port: /dev/c, balance: {code: "*1#", pattern: x}}
    - {name: d, port: /dev/d, balance: {code: "*1#"}}
alerts: {sms_to: ["07700900001", "+447700900001", "+447700900001"], after: 10s}
`)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, fault := range []string{
		"modems.calls: ", "list[0].balance.below: ", "list[0].balance.code: ", "list[0].balance.pattern: ", "list[0].balance.every: ", "list[0].keep_alive: ",
		"list[1].balance.code: ", "has no group; put", "is empty; write an expression",
		"alerts.sms_to[0]: ", "alerts.sms_to[2]: ", "alerts.after: ",
	} {
		if !strings.Contains(err.Error(), fault) {
			t.Errorf("no fault %q in\n%v", fault, err)
		}
	}
}
