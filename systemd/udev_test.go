package systemd_test

import (
	"maps"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// token is one KEY{attribute}OPERATOR"value" of a rule, udev(7).
var token = regexp.MustCompile(`^([A-Z]+)(\{[^}]+\})?(==|!=|\+=|-=|:=|=)"([^"]*)"$`)

type term struct{ key, attr, op, value string }

// rules reads the udev rules, one list of terms per line.
func rules(t *testing.T) [][]term {
	t.Helper()
	data, err := os.ReadFile("60-modemgate.rules")
	if err != nil {
		t.Fatal(err)
	}
	var all [][]term
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		var rule []term
		for _, part := range strings.Split(line, ", ") {
			m := token.FindStringSubmatch(part)
			if m == nil {
				t.Fatalf("line %d: %q is no udev token", n, part)
			}
			rule = append(rule, term{m[1], strings.Trim(m[2], "{}"), m[3], m[4]})
		}
		all = append(all, rule)
	}
	return all
}

func TestUdevSyntax(t *testing.T) {
	matches := []string{"ACTION", "SUBSYSTEM", "SUBSYSTEMS", "ATTRS", "TEST"}
	sets := []string{"GOTO", "LABEL", "SYMLINK", "IMPORT", "RUN"}
	var labels, gotos []string
	for _, rule := range rules(t) {
		for _, x := range rule {
			isMatch := x.op == "==" || x.op == "!="
			switch {
			case x.key == "ENV" || x.key == "ATTR":
			case slices.Contains(matches, x.key) != isMatch:
				t.Errorf("%s%s%q: wrong operator or key", x.key, x.op, x.value)
			case !isMatch && !slices.Contains(sets, x.key):
				t.Errorf("%s is no key that can be set", x.key)
			}
			switch x.key {
			case "LABEL":
				labels = append(labels, x.value)
			case "GOTO":
				if slices.Contains(labels, x.value) {
					t.Errorf("GOTO %s goes back, which udev does not do", x.value)
				}
				gotos = append(gotos, x.value)
			}
		}
	}
	for _, g := range gotos {
		if !slices.Contains(labels, g) {
			t.Errorf("GOTO %s has no label", g)
		}
	}
}

func TestUdevVerifies(t *testing.T) {
	udevadm := tool(t, "udevadm")
	out, err := exec.Command(udevadm, "verify", "60-modemgate.rules").CombinedOutput()
	if strings.Contains(string(out), "Unknown command verb") {
		t.Skip("udevadm verify needs systemd 254")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// apply is what udev would make of a device with these properties, as far as
// the rules use them: its environment and links.
func apply(t *testing.T, device map[string]string) (env map[string]string, links []string) {
	t.Helper()
	env = map[string]string{"DEVTYPE": device["DEVTYPE"]}
	skip := ""
	for _, rule := range rules(t) {
		if rule[0].key == "LABEL" && rule[0].value == skip {
			skip = ""
		}
		if skip != "" || !matchesAll(rule, device, env) {
			continue
		}
		for _, x := range rule {
			switch {
			case x.op == "==" || x.op == "!=":
			case x.key == "ENV":
				env[x.attr] = x.value
			case x.key == "ATTR":
				env["written "+x.attr] = x.value
			case x.key == "IMPORT" && x.value == "usb_id":
				env["ID_USB_INTERFACE_NUM"] = device["interface"]
				if device["interfaces"] != "" {
					env["ID_USB_INTERFACES"] = device["interfaces"]
				}
			case x.key == "IMPORT" && x.value == "path_id":
				env["ID_PATH"] = device["path"]
			case x.key == "RUN":
				env["run"] += strings.ReplaceAll(x.value, "%p", device["devpath"]) + "; "
			case x.key == "SYMLINK":
				links = append(links, strings.ReplaceAll(x.value, "$env{ID_PATH}", env["ID_PATH"]))
			case x.key == "GOTO":
				skip = x.value
			}
		}
	}
	return env, links
}

func matchesAll(rule []term, device, env map[string]string) bool {
	for _, x := range rule {
		if x.op != "==" && x.op != "!=" {
			continue
		}
		got := device[strings.ToLower(x.key)]
		switch x.key {
		case "ENV":
			got = env[x.attr]
		case "ATTRS", "ATTR":
			got = device[x.attr]
		case "TEST":
			got = x.value
		}
		hit := slices.ContainsFunc(strings.Split(x.value, "|"), func(pattern string) bool {
			fits, err := path.Match(pattern, got)
			return fits && err == nil
		})
		if hit != (x.op == "==") {
			return false
		}
	}
	return true
}

func TestKnownModems(t *testing.T) {
	const socket = "pci-0000:00:14.0-usb-0:1.2:1.2"
	daemon := unit(t)["Group"][0]
	for _, x := range []struct {
		name, vendor, product, at, proto string
	}{
		{"Huawei E169", "12d1", "1001", "02", ""},
		{"Huawei E173", "12d1", "140c", "03", ""},
		{"Huawei E3372 stick", "12d1", "1506", "03", ""},
		{"Huawei E1750", "12d1", "1436", "04", ""},
		{"Huawei ME909u", "12d1", "1573", "03", "02"},
		{"ZTE MF110", "19d2", "0031", "03", ""},
		{"ZTE MF190", "19d2", "0117", "02", ""},
		{"SIM7600", "1e0e", "9001", "02", ""},
		{"A7670", "1e0e", "9011", "04", ""},
		{"Quectel EC25", "2c7c", "0125", "02", ""},
		{"Quectel EM060K", "2c7c", "0128", "05", ""},
		{"Quectel EC20", "05c6", "9215", "02", ""},
		{"Sierra MC7455", "1199", "9071", "03", ""},
		{"u-blox SARA-U2", "1546", "1102", "00", ""},
		{"Telit LE910C", "1bc7", "1031", "01", ""},
		{"Telit LE922", "1bc7", "1040", "04", ""},
		{"Cinterion PLS8", "1e2d", "0061", "02", ""},
	} {
		env, links := apply(t, map[string]string{"subsystem": "usb", "DEVTYPE": "usb_device", "idVendor": x.vendor, "idProduct": x.product, "devpath": "/devices/1-1", "authorized": "1"})
		if want := "/bin/chgrp " + daemon + " /sys/devices/1-1/authorized; /bin/chmod g+w /sys/devices/1-1/authorized; "; env["run"] != want {
			t.Errorf("%s: the daemon cannot reset it: %q, want %q", x.name, env["run"], want)
		}
		if env["ID_MM_DEVICE_IGNORE"] != "1" || env["written power/control"] != "on" || len(links) > 0 {
			t.Errorf("%s, the device: got %v, links %q", x.name, env, links)
		}
		tty := map[string]string{
			"subsystem": "tty", "subsystems": "usb", "path": socket, "interface": x.at,
			"idVendor": x.vendor, "idProduct": x.product, "bInterfaceProtocol": x.proto,
		}
		env, links = apply(t, tty)
		if env["ID_MM_DEVICE_IGNORE"] != "1" || !slices.Equal(links, []string{"modemgate/" + socket}) {
			t.Errorf("%s, its AT port: got %v, links %q", x.name, env, links)
		}
		tty["interface"], tty["bInterfaceProtocol"] = "09", "01"
		if env, links = apply(t, tty); env["ID_MM_DEVICE_IGNORE"] != "1" || len(links) > 0 {
			t.Errorf("%s, another port: got %v, links %q", x.name, env, links)
		}
	}
}

// A modem that the table knows only by its vendor is told by its interfaces.
func TestModemsOfAVendor(t *testing.T) {
	for _, x := range []struct {
		name, vendor, product, interfaces string
		modem                             bool
	}{
		{"a stick by protocol", "12d1", "1465", ":ff0101:ff0102:080650:", true},
		{"a module by protocol", "12d1", "15c9", ":ff0201:ff0202:ff0216:", true},
		{"its network card", "12d1", "1f03", ":020600:0a0000:080650:", false},
		{"its network card by a driver of its own", "12d1", "14dd", ":ff0216:ff0210:", false},
		{"its phone that shares files", "12d1", "107e", ":ffff00:", false},
		{"its phone that shares pictures", "12d1", "1051", ":060101:ff0202:", false},
		{"its phone in the hands of a developer", "12d1", "1057", ":ff0202:ff4201:", false},
		{"its reader", "12d1", "1003", ":080650:", false},
		{"an AirCard", "1199", "6880", ":ffffff:", true},
		{"another device of Sierra", "1199", "0fff", ":ffffff:", false},
		{"somebody else's", "1234", "6880", ":ff0102:", false},
	} {
		common := map[string]string{"idVendor": x.vendor, "idProduct": x.product, "interfaces": x.interfaces, "interface": "01", "path": "p", "bInterfaceProtocol": "02"}
		device, tty := maps.Clone(common), maps.Clone(common)
		maps.Copy(device, map[string]string{"subsystem": "usb", "DEVTYPE": "usb_device", "devpath": "/devices/1-1", "authorized": "1"})
		maps.Copy(tty, map[string]string{"subsystem": "tty", "subsystems": "usb"})
		env, links := apply(t, device)
		if (env["ID_MM_DEVICE_IGNORE"] == "1") != x.modem || (env["written power/control"] == "on") != x.modem || (env["run"] != "") != x.modem || len(links) > 0 {
			t.Errorf("%s: got %v, links %q", x.name, env, links)
		}
		if env, links = apply(t, tty); (env["ID_MM_DEVICE_IGNORE"] == "1") != x.modem || (len(links) == 1) != x.modem {
			t.Errorf("%s, its port: got %v, links %q", x.name, env, links)
		}
	}
}

// What the administrator keeps off USB is not handed to the daemon, which could
// switch it on.
func TestModemsThatAreKeptOffStaySo(t *testing.T) {
	env, _ := apply(t, map[string]string{
		"subsystem": "usb", "DEVTYPE": "usb_device", "idVendor": "2c7c", "idProduct": "0125", "devpath": "/devices/1-1", "authorized": "0",
	})
	if env["run"] != "" || env["ID_MM_DEVICE_IGNORE"] != "1" {
		t.Errorf("got %v", env)
	}
}

func TestUnknownDevicesAreLeftAlone(t *testing.T) {
	for _, id := range []string{"1a86:7523", "10c4:ea60", "0403:6001", "067b:2303", "12d1:14db", "12d1:ffff"} {
		vendor, product, _ := strings.Cut(id, ":")
		for _, subsystem := range []string{"usb", "tty"} {
			env, links := apply(t, map[string]string{
				"subsystem": subsystem, "subsystems": "usb", "DEVTYPE": "usb_device", "idVendor": vendor, "idProduct": product, "interface": "00", "path": "p", "authorized": "1",
			})
			if env["ID_MM_DEVICE_IGNORE"] != "" || env["written power/control"] != "" || env["run"] != "" || len(links) > 0 {
				t.Errorf("%s as %s: got %v, links %q", id, subsystem, env, links)
			}
		}
	}
}

// Ids are compared as text: four lower-case hexadecimal digits, or two and any.
func TestUdevIds(t *testing.T) {
	id := regexp.MustCompile(`^[0-9a-f]{4}(\|[0-9a-f]{4})*$|^[0-9a-f]{2}\*$`)
	seen := map[string]bool{}
	for _, rule := range rules(t) {
		vendor := ""
		for _, x := range rule {
			if x.attr != "idVendor" && x.attr != "idProduct" {
				continue
			}
			if !id.MatchString(x.value) {
				t.Errorf("%s %q is not made of four lower-case hex digits, or two and *", x.attr, x.value)
			}
			if x.attr == "idVendor" {
				vendor = x.value
				continue
			}
			for p := range strings.SplitSeq(x.value, "|") {
				if seen[vendor+p] {
					t.Errorf("%s:%s stands twice", vendor, p)
				}
				seen[vendor+p] = true
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d modems are known", len(seen))
	}
}
