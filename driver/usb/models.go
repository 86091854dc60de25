package usb

import (
	"fmt"
	"strconv"
	"strings"
)

// roles are the ports of a model by interface number.
type roles map[int]Role

// model is one row of the table of known devices.
type model struct {
	ids      string // vendor:product, with spaces; a product may end in *
	name     string
	mode     Mode
	roles    roles
	protocol bool // Huawei marks ports by the protocol of a vendor class
	hangs    bool // may, on its AT port, until something comes on the secondary one (botletics#298)
}

// quectel are the ports of most Quectel modems, and of Qualcomm's reference.
var quectel = roles{0: Diag, 1: NMEA, 2: AT, 3: Secondary, 4: Net}

// models is the table. An exact id beats one with *. A modem without an AT
// port in its row, or with none of them at hand, is probed.
var models = []model{
	{ids: "12d1:*", name: "Huawei modem", mode: Modem, protocol: true},
	{ids: "12d1:1001", name: "Huawei E160/E169/E1550", mode: Modem, protocol: true, roles: roles{0: PPP, 1: Audio, 2: AT}},
	{ids: "12d1:140b 12d1:140c 12d1:1c07", name: "Huawei E173/E17xx", mode: Modem, protocol: true, roles: roles{2: Audio, 3: AT}},
	{ids: "12d1:1406", name: "Huawei E1750", mode: Modem, protocol: true},
	{ids: "12d1:1436", name: "Huawei E1750", mode: Modem, protocol: true, roles: roles{3: Audio, 4: AT}},
	{ids: "12d1:14ac", name: "Huawei E153", mode: Modem, protocol: true, roles: roles{3: Audio, 4: AT}},
	{ids: "12d1:1506", name: "Huawei E171/E3131/E3372", mode: Modem, protocol: true, roles: roles{2: Audio, 3: AT}},
	{ids: "12d1:1442", name: "Huawei E3131/E3372", mode: Modem, protocol: true},
	{ids: "12d1:1573", name: "Huawei ME909u", mode: Modem, protocol: true},
	{ids: "12d1:15c1", name: "Huawei ME906s", mode: Modem, protocol: true},
	{ids: "12d1:14db 12d1:14dc", name: "Huawei E353/E3131/E3372 HiLink", mode: Network},
	{ids: "12d1:1446 12d1:14fe 12d1:1f01", name: "Huawei stick", mode: Storage},

	{ids: "19d2:2000 19d2:0083", name: "ZTE stick", mode: Storage},
	{ids: "19d2:0031", name: "ZTE MF110/MF627", mode: Modem, roles: roles{1: Secondary, 3: AT}},
	{ids: "19d2:0117", name: "ZTE MF190/MF667", mode: Modem, roles: roles{1: Secondary, 2: AT}},
	{ids: "19d2:0063", name: "ZTE K3565-Z", mode: Modem, roles: roles{3: AT}},
	{ids: "19d2:0016", name: "ZTE modem", mode: Modem, roles: roles{2: AT}},

	{ids: "1e0e:9001", name: "SIMCom SIM7000/7100/7500/7600", mode: Modem, hangs: true, roles: roles{0: Diag, 1: NMEA, 2: AT, 3: Secondary, 4: Audio, 5: Net, 6: Net}},
	{ids: "1e0e:9003", name: "SIMCom SIM7600 with MBIM", mode: Modem},
	{ids: "1e0e:9011", name: "SIMCom A7670/A7602/A7600", mode: Modem, roles: roles{2: Ignore, 4: AT, 5: PPP}},
	{ids: "1e0e:9205 1e0e:9206", name: "SIMCom SIM7070/7080/7090", mode: Modem},
	{ids: "05c6:9000", name: "SIMCom SIM5218/5320", mode: Modem},

	{ids: "2c7c:0121 2c7c:0125 2c7c:0191 2c7c:0195 2c7c:0296 2c7c:0306", name: "Quectel EC21/EC25/EG25/EG9x/BG96/EG06", mode: Modem, roles: quectel},
	{ids: "2c7c:0800", name: "Quectel RM500Q", mode: Modem, roles: quectel},
	{ids: "2c7c:0801", name: "Quectel RM520", mode: Modem},
	{ids: "2c7c:0128", name: "Quectel EM060K", mode: Modem, roles: roles{3: Diag, 4: NMEA, 5: AT}},
	{ids: "2c7c:6002 2c7c:6005 2c7c:6026 2c7c:0901", name: "Quectel EC200x", mode: Modem},
	{ids: "05c6:9003", name: "Quectel UC20", mode: Modem},
	{ids: "05c6:9090", name: "Quectel UC15", mode: Modem},
	{ids: "05c6:9215", name: "Quectel EC20", mode: Modem, roles: roles{0: Diag, 1: NMEA, 2: AT, 3: PPP}},

	{ids: "1199:68c0 1199:9071 1199:9079 1199:9091", name: "Sierra MC73xx/MC74xx/EM74xx/EM75xx", mode: Modem, roles: roles{0: Diag, 2: NMEA, 3: AT, 8: Net, 10: Net}},
	{ids: "1199:68*", name: "Sierra AirCard/MC87xx", mode: Modem},
	{ids: "114f:1234", name: "Wavecom Fastrack Xtend", mode: Modem},

	{ids: "1546:1102 1546:1104", name: "u-blox LISA-U2/SARA-U2", mode: Modem, roles: roles{
		0: AT, 2: Secondary, 4: Secondary, 6: Ignore, 7: Ignore, 8: Ignore, 9: Ignore, 10: Ignore, 11: Ignore, 12: Ignore}},
	{ids: "1546:1107", name: "u-blox TOBY-R2", mode: Modem},
	{ids: "1546:110a", name: "u-blox LARA-R2", mode: Modem},
	{ids: "05c6:90b2", name: "u-blox SARA-R410", mode: Modem},
	{ids: "1546:1311 1546:1312 1546:1313", name: "u-blox LARA-R6", mode: Modem},

	{ids: "1bc7:1031", name: "Telit LE910C", mode: Modem, roles: roles{1: AT, 2: Secondary}},
	{ids: "1bc7:1040", name: "Telit LE922", mode: Modem, roles: roles{4: AT, 5: Secondary}},
	{ids: "1bc7:1201", name: "Telit LE910", mode: Modem},
	{ids: "1bc7:1203 1bc7:1204 1bc7:1206", name: "Telit LE910C", mode: Modem},
	{ids: "1bc7:1200", name: "Telit LE920", mode: Modem},

	{ids: "0681:0034", name: "Siemens MC35/ES75", mode: Modem},
	{ids: "1e2d:0059", name: "Cinterion BGx", mode: Modem},
	{ids: "1e2d:0058", name: "Cinterion EHS6", mode: Modem},
	{ids: "1e2d:0061", name: "Cinterion PLS8", mode: Modem, roles: roles{0: PPP, 2: AT}},
	{ids: "1e2d:0053", name: "Cinterion PHS8", mode: Modem},

	{ids: "06e0:f108", name: "MultiTech GSM/EDGE", mode: Firmware},
	{ids: "06e0:f111", name: "MultiTech GSM", mode: Modem},
	{ids: "06e0:f112", name: "MultiTech EDGE", mode: Modem},

	// SIM800, SIM900, M66, M95, TC35 and other modems with a UART are behind
	// one of these, and so are boards that a stray octet resets.
	{ids: "1a86:7523", name: "CH340 adapter", mode: Adapter},
	{ids: "10c4:ea60", name: "CP210x adapter", mode: Adapter},
	{ids: "0403:6001", name: "FTDI adapter", mode: Adapter},
	{ids: "067b:2303", name: "PL2303 adapter", mode: Adapter},
}

// adapters are the kernel drivers of serial adapters, whatever their ids.
var adapters = map[string]bool{"ch341": true, "ch341-uart": true, "cp210x": true, "ftdi_sio": true, "pl2303": true}

// switching are the vendors whose sticks come up as a disk.
var switching = map[uint16]bool{0x12d1: true, 0x19d2: true}

// table finds a row by id.
var table = func() map[string]*model {
	rows := map[string]*model{}
	for i := range models {
		for id := range strings.FieldsSeq(models[i].ids) {
			if rows[id] != nil {
				panic("usb: two rows for " + id)
			}
			rows[id] = &models[i]
		}
	}
	return rows
}()

// find looks an id up, the longest match first; nil if it is not known.
func find(vendor, product uint16) *model {
	id := fmt.Sprintf("%04x:%04x", vendor, product)
	if m := table[id]; m != nil {
		return m
	}
	for n := len(id) - 1; n >= len("12d1:"); n-- {
		if m := table[id[:n]+"*"]; m != nil {
			return m
		}
	}
	return nil
}

// role is what the port on an interface is for. Huawei marks its ports by the
// protocol of interfaces of class ff/01 and ff/02 (MODEM and PCUI ports); the
// number counts where the class is ff/ff/ff.
func (m *model) role(number int, class string) Role {
	if m.protocol {
		switch class {
		case "ff/01/01", "ff/02/01":
			return PPP
		case "ff/01/02", "ff/02/02":
			return AT
		}
		if strings.HasPrefix(class, "ff/01/") || strings.HasPrefix(class, "ff/02/") {
			return Ignore
		}
	}
	if r, ok := m.roles[number]; ok {
		return r
	}
	return Unknown
}

// hex reads a number as sysfs writes ids and interface numbers.
func hex(s string) (int, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 16, 16)
	return int(n), err == nil
}
