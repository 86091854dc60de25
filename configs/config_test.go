package configs

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestExampleIsTheDefaults(t *testing.T) {
	c := Config{Modems: Modems{Simulate: 7}} // nothing of it may be left
	lines, faults := decodeYAML(Example, &c)
	if len(faults) > 0 {
		t.Fatal(faults.join())
	}
	if got, want := c, Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("the example gives\n%+v\nthe defaults are\n%+v", got, want)
	}
	if err := Default().Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
	walk(reflect.TypeFor[Config](), "", nil, func(k key) {
		if _, ok := lines[k.path]; !ok && k.path != "modems.auto" {
			t.Errorf("the example does not have %s", k.path)
		}
	})
}

// What the example shows in comments must be right too.
func TestExampleInComments(t *testing.T) {
	var on []string
	for line := range strings.Lines(string(Example)) {
		rest, commented := strings.CutPrefix(line, "  # ")
		switch {
		case commented:
			line = "  " + rest
		case strings.HasPrefix(line, "  list: []"), strings.HasPrefix(line, "  routes: []"), strings.HasPrefix(line, "  cost: []"):
			continue
		}
		on = append(on, line)
	}
	c, _, err := load(Default(), "", []byte(strings.Join(on, "")), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Modems.Auto == nil || !*c.Modems.Auto {
		t.Error("auto is not true")
	}
	limits, month, cost := DefaultLineLimits(), 20000, 50000
	limits.PerMonth, limits.CostPerMonth = &month, &cost
	want := []Line{{
		Name: "front", Port: "/dev/serial/by-id/usb-HUAWEI_Technology_HUAWEI_Mobile-if03-port0",
		Number: "+447700900001", PINFile: "/etc/modemgate/front.pin", SMSC: "+447700900000", Limits: limits, Labels: []string{"uk"},
		PowerCycle: []string{"uhubctl", "-l", "1-1", "-p", "2", "-a", "cycle"},
		KeepAlive:  Duration(30 * day), Balance: Balance{Code: "*100#", Pattern: "balance is ([0-9.,]+)", Every: Duration(day), Below: 5},
	}}
	if !reflect.DeepEqual(c.Modems.List, want) {
		t.Errorf("list is %+v, want %+v", c.Modems.List, want)
	}
	if want := []Route{{Prefix: "+44", Via: []string{"front"}}}; !reflect.DeepEqual(c.Modems.Routes, want) {
		t.Errorf("routes are %+v, want %+v", c.Modems.Routes, want)
	}
	if want := []Cost{{"+44", 4}, {"", 25}}; !reflect.DeepEqual(c.Limits.Cost, want) {
		t.Errorf("costs are %+v, want %+v", c.Limits.Cost, want)
	}
}

// other is a value of the key that is not its default.
func other(k key) string {
	switch k.field.Type {
	case reflect.TypeFor[Duration]():
		return "77s"
	case reflect.TypeFor[Size]():
		return "77MiB"
	case reflect.TypeFor[int]():
		return "77"
	case reflect.TypeFor[string]():
		return "text"
	}
	if k.path == "messages.report" {
		return "false"
	}
	return "true"
}

func TestEveryScalarByEnvironmentAndFlag(t *testing.T) {
	names := map[string]string{}
	for _, k := range scalars() {
		if twin, ok := names[envName(k.path)]; ok {
			t.Fatalf("%s and %s share %s", k.path, twin, envName(k.path))
		}
		names[envName(k.path)] = k.path
		want := Default()
		if err := setScalar(reflect.ValueOf(&want).Elem().FieldByIndex(k.index), other(k)); err != nil {
			t.Fatalf("%s: %v", k.path, err)
		}
		if reflect.DeepEqual(want, Default()) {
			t.Fatalf("%s: setting it changes nothing", k.path)
		}
		byEnv, warnings, _ := load(Default(), "", nil, []string{envName(k.path) + "=" + other(k)}, nil)
		if !reflect.DeepEqual(byEnv, want) || slices.ContainsFunc(warnings, func(w string) bool { return strings.HasPrefix(w, envPrefix) }) {
			t.Errorf("%s does not set %s alone; warnings %q", envName(k.path), k.path, warnings)
		}
		byFlag, _, _ := load(Default(), "", nil, nil, map[string]string{k.path: other(k)})
		if !reflect.DeepEqual(byFlag, want) {
			t.Errorf("the flag %s does not set it alone", k.path)
		}
	}
	for _, want := range []string{"MODEMGATE_API_LISTEN", "MODEMGATE_OTP_PER_NUMBER_HOUR", "MODEMGATE_MODEMS_AUTO"} {
		if names[want] == "" {
			t.Errorf("%s sets nothing", want)
		}
	}
}

func TestFlagsBeatEnvironmentBeatsFileBeatsDefaults(t *testing.T) {
	yaml := []byte("otp: {length: 7, max_sends: 7, max_attempts: 7}\nmodems: {simulate: 1}\n")
	env := []string{"MODEMGATE_OTP_LENGTH=9", "MODEMGATE_OTP_LENGTH=8", "MODEMGATE_OTP_MAX_SENDS=8", "MODEMGATE_NATS_LISTEN="}
	c, warnings, err := load(Default(), "", yaml, env, map[string]string{"otp.length": "9"})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("err %v, warnings %q", err, warnings)
	}
	if c.OTP.Length != 9 || c.OTP.MaxSends != 8 || c.OTP.MaxAttempts != 7 || c.OTP.TTL != Duration(5*time.Minute) {
		t.Errorf("got %+v", c.OTP)
	}
	if c.NATS.Listen != "" {
		t.Errorf("an empty variable did not set nats.listen to empty, it is %q", c.NATS.Listen)
	}
}

func TestOverriddenMistakeDoesNotCount(t *testing.T) {
	_, _, err := load(Default(), "", []byte("otp: {ttl: 5}\n"), nil, map[string]string{"otp.ttl": "6m"})
	if err != nil {
		t.Error(err)
	}
}

func TestFaultsNameTheirSource(t *testing.T) {
	yaml := []byte("otp:\n  length: 3\n")
	env := []string{"MODEMGATE_LOG_LEVEL=loud", "MODEMGATE_OTP_TTL=5", "MODEMGATE_API_LISTN=secret", "MODEMGATE_KEY=x", "MODEMGATE_MODEMS_LIST=y", "OTHER=1"}
	_, warnings, err := load(Default(), "", yaml, env, map[string]string{"limits.queued": "0", "api.listn": "x", "modems.list": "x"})
	want := []string{
		"line 2: otp.length: must be 6 to 10 digits, or 4 to 5 with otp.max_attempts of 3 or less; is 3",
		"otp.ttl: MODEMGATE_OTP_TTL: 5 has no unit; write it as 5s, 5m or 5h",
		"api.listn: flag: no such key that takes one value; did you mean api.listen?",
		"modems.list: flag: no such key that takes one value",
		"limits.queued: flag: 0 is refused, nothing is unlimited; write 1 to 1000000000",
		`log.level: MODEMGATE_LOG_LEVEL: "loud" is not one of debug, info, warn, error`,
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	wantWarnings := []string{
		"MODEMGATE_API_LISTN: is no configuration key and does nothing; did you mean MODEMGATE_API_LISTEN?",
		"MODEMGATE_MODEMS_LIST: is no configuration key and does nothing",
	}
	if !slices.Equal(warnings, wantWarnings) {
		t.Errorf("warnings %q, want %q", warnings, wantWarnings)
	}
	if n := len(faultsIn(err)); n != len(want) {
		t.Errorf("%d faults, want %d", n, len(want))
	}
}

func TestFileThatIsNotThere(t *testing.T) {
	name := t.TempDir() + "/none.yaml"
	_, _, err := Load("", []string{"MODEMGATE_CONFIG=" + name}, nil)
	if want := name + ", named by MODEMGATE_CONFIG, is not there: modemgate config > " + name + " makes one"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWhichFile(t *testing.T) {
	there := t.TempDir() + "/modemgate.yaml"
	if err := os.WriteFile(there, []byte("site: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := there + ".missing"
	env := []string{"MODEMGATE_CONFIG=/from/env"}
	for _, x := range []struct {
		name, path string
		env        []string
		system     string
		want       string
	}{
		{"a named file beats all", "/named", env, there, "/named"},
		{"the variable beats the system's file", "", env, there, "/from/env"},
		{"an empty variable is none", "", []string{"MODEMGATE_CONFIG="}, there, there},
		{"the system's file when it exists", "", nil, there, there},
		{"else the defaults", "", nil, missing, ""},
		{"a system's file that cannot be looked at is not skipped", "", nil, there + "/under-a-file", there + "/under-a-file"},
	} {
		if got := file(x.path, x.env, x.system); got != x.want {
			t.Errorf("%s: got %q, want %q", x.name, got, x.want)
		}
	}
	c, _, err := Load(there, nil, nil)
	if err != nil || c.Site != "a" || c.DataDir != Default().DataDir {
		t.Errorf("got site %q, data_dir %q, err %v", c.Site, c.DataDir, err)
	}
	if _, _, err := Load(missing, nil, nil); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing file gives %v", err)
	}
	if err := os.WriteFile(there, slices.Repeat([]byte("# much\n"), 200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load(there, nil, nil); err == nil || !strings.Contains(err.Error(), "larger than 1MiB") {
		t.Errorf("a huge file gives %v", err)
	}
}

func TestUserDataDir(t *testing.T) {
	for _, x := range []struct {
		env  []string
		want string
	}{
		{[]string{"XDG_STATE_HOME=/s", "HOME=/h"}, "/s/modemgate"},
		{[]string{"XDG_STATE_HOME=relative", "HOME=/h"}, "/h/.local/state/modemgate"},
		{[]string{"HOME=/h"}, "/h/.local/state/modemgate"},
		{nil, "/var/lib/modemgate"},
	} {
		if got := userDataDir(x.env, Default().DataDir); got != x.want {
			t.Errorf("%q: got %s, want %s", x.env, got, x.want)
		}
	}
}

func TestAdoptAndNames(t *testing.T) {
	yes, no := true, false
	for _, x := range []struct {
		m     Modems
		adopt bool
		names []string
	}{
		{Modems{}, true, []string{}},
		{Modems{Simulate: 2}, false, []string{"modem0", "modem1"}},
		{Modems{Auto: &no, List: []Line{{Name: "a"}}}, false, []string{"a"}},
		{Modems{Auto: &yes, List: []Line{{Name: "a"}, {Name: "b"}}}, true, []string{"a", "b"}},
	} {
		if x.m.Adopt() != x.adopt || !slices.Equal(x.m.Names(), x.names) {
			t.Errorf("%+v: adopt %v, names %q", x.m, x.m.Adopt(), x.m.Names())
		}
	}
}

func TestPowerCommandIsChecked(t *testing.T) {
	yaml := `
modems:
  power_cycle: ["uhubctl -l 1"]
  list:
    - {name: a, port: /dev/a, power_cycle: ["", x]}
    - {name: b, port: /dev/b, power_cycle: [./cycle]}
    - {name: c, port: /dev/c, power_cycle: [/opt/cycle, "port 2; $(reboot)"]}
`
	_, _, err := load(Default(), "", []byte(yaml), nil, nil)
	var got []string
	for _, f := range faultsIn(err) {
		got = append(got, f.Path)
	}
	want := []string{"modems.power_cycle", "modems.list[0].power_cycle", "modems.list[1].power_cycle"}
	if !slices.Equal(got, want) {
		t.Errorf("faults at %q, want %q: %v", got, want, err)
	}
}

func TestServers(t *testing.T) {
	got := NATS{URL: "tls://a,b:4223, nats://c"}.Servers()
	if want := []string{"tls://a", "tls://b:4223", "nats://c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (NATS{}).Servers(); got != nil {
		t.Errorf("the embedded server has URLs %q", got)
	}
}

func TestDerived(t *testing.T) {
	for in, want := range map[string]string{
		"gate1.example.org": "gate1.example.org", "my house": "my-house", "": "modemgate", "-": "modemgate",
		strings.Repeat("a", 100): strings.Repeat("a", 64), "é": "modemgate",
	} {
		if got := siteOf(in); got != want {
			t.Errorf("host %q is site %q, want %q", in, got, want)
		}
	}
	c := Default()
	if c.SiteName() == "" || !siteName.MatchString(c.SiteName()) {
		t.Errorf("the site is %q", c.SiteName())
	}
	c.Site, c.Log.Level = "cellar", "debug"
	if c.SiteName() != "cellar" || c.LogLevel().String() != "DEBUG" || Default().LogLevel().String() != "INFO" {
		t.Errorf("site %q, level %v", c.SiteName(), c.LogLevel())
	}
}

// faultsIn are the single faults inside err, in the order they were reported;
// nil when err is not about a configuration.
func faultsIn(err error) []*Fault {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Fault
		for _, e := range joined.Unwrap() {
			all = append(all, faultsIn(e)...)
		}
		return all
	}
	if f := (*Fault)(nil); errors.As(err, &f) {
		return []*Fault{f}
	}
	return nil
}
