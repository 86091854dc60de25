// Package configs is the configuration of modemgate: plain data, its
// defaults, its commented file and the rules it must keep.
//
// Flags beat the environment, the environment beats the file, the file beats
// the defaults. Every fault is found and reported at once, each with the
// dotted path of its key and the line or variable it came from.
package configs

import (
	_ "embed" // for the commented file
	"fmt"
	"time"
)

// Example is the commented configuration file. Read as it is, it gives
// [Default].
//
//go:embed modemgate.yaml
var Example []byte

// Config is everything that can be set. The yaml tags are the names that
// people write. [Load] makes one.
type Config struct {
	DataDir       string   `yaml:"data_dir"`       // holds the whole state, mode 0700
	Store         string   `yaml:"store"`          // "": SQLite in DataDir
	Site          string   `yaml:"site"`           // "": the host name
	DefaultRegion string   `yaml:"default_region"` // ISO 3166 alpha-2; "": only international numbers
	API           API      `yaml:"api"`
	NATS          NATS     `yaml:"nats"`
	InsecureLAN   bool     `yaml:"insecure_lan"` // allows listeners beyond this host without TLS
	Modems        Modems   `yaml:"modems"`
	Alerts        Alerts   `yaml:"alerts"`
	Probe         Probe    `yaml:"probe"`
	Limits        Limits   `yaml:"limits"`
	Messages      Messages `yaml:"messages"`
	OTP           OTP      `yaml:"otp"`
	Inbound       Inbound  `yaml:"inbound"`
	Storage       Storage  `yaml:"storage"`
	Log           Log      `yaml:"log"`
}

// API is the REST listener.
type API struct {
	Listen string `yaml:"listen"` // host:port; port 0 picks a free one
	TLS    TLS    `yaml:"tls"`
}

// TLS names the PEM files of a listener; both or none.
type TLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// On tells whether the listener speaks TLS.
func (t TLS) On() bool { return t.CertFile != "" && t.KeyFile != "" }

// NATS is where events go: the embedded server, or a cluster of your own.
type NATS struct {
	URL       string `yaml:"url"`        // "": embedded
	CredsFile string `yaml:"creds_file"` // for URL
	Listen    string `yaml:"listen"`     // of the embedded server; "": in-process only
	TLS       TLS    `yaml:"tls"`        // of the embedded server
	Prefix    string `yaml:"prefix"`     // before every subject and stream
}

// Modems are the lines: modems with their SIMs under names.
type Modems struct {
	Auto          *bool    `yaml:"auto,omitempty"` // nil: not written; see Adopt
	Simulate      int      `yaml:"simulate"`       // number of simulated modems
	SubmitTimeout Duration `yaml:"submit_timeout"` // how long +CMGS may take
	PowerCycle    []string `yaml:"power_cycle"`    // command that takes a modem's power and gives it back
	Calls         string   `yaml:"calls"`          // what becomes of a call: reject or ignore
	List          []Line   `yaml:"list"`
	Routes        []Route  `yaml:"routes"`
}

// Adopt tells whether USB modems that appear are to be taken as lines: what
// auto says, and if it is not written, whenever none are simulated.
func (m Modems) Adopt() bool {
	if m.Auto != nil {
		return *m.Auto
	}
	return m.Simulate == 0
}

// Names are the names of all lines that the configuration makes: the listed
// ones, or modem0, modem1 … when they are simulated.
func (m Modems) Names() []string {
	names := make([]string, 0, len(m.List)+max(m.Simulate, 0))
	for i := range m.Simulate {
		names = append(names, fmt.Sprintf("modem%d", i))
	}
	for _, l := range m.List {
		names = append(names, l.Name)
	}
	return names
}

// Line is one listed modem.
type Line struct {
	Name    string   `yaml:"name"`
	Port    string   `yaml:"port,omitempty"`
	IMEI    string   `yaml:"imei,omitempty"`
	ICCID   string   `yaml:"iccid,omitempty"`
	USBPath string   `yaml:"usb_path,omitempty"`
	Labels  []string `yaml:"labels,omitempty"`   // further names, which lines may share; see Route
	Number  string   `yaml:"number,omitempty"`   // E.164, when the SIM does not know it
	PINFile string   `yaml:"pin_file,omitempty"` // see ReadPIN
	SMSC    string   `yaml:"smsc,omitempty"`     // E.164; "": the SIM's own
	Roaming bool     `yaml:"roaming,omitempty"`  // send in foreign networks too

	PowerCycle []string   `yaml:"power_cycle,omitempty"` // instead of that of Modems
	Limits     LineLimits `yaml:"limits"`

	Balance   Balance  `yaml:"balance,omitempty"`
	KeepAlive Duration `yaml:"keep_alive,omitempty"` // text itself when nothing was sent for so long; 0: never
}

// LineLimits bound what one line sends, in SMS parts; CostPerMonth in the units
// of [Limits].Cost.
type LineLimits struct {
	PerMinute    int  `yaml:"per_minute"` // size of a token bucket, and what it gets in a minute
	PerDay       int  `yaml:"per_day"`
	PerMonth     *int `yaml:"per_month,omitempty"` // nil: what the days allow
	CostPerMonth *int `yaml:"cost_per_month,omitempty"`
}

// Route prefers lines for numbers that begin with Prefix; the first match
// counts.
type Route struct {
	Prefix string   `yaml:"prefix"` // + and digits
	Via    []string `yaml:"via"`    // names or labels of lines
}

// Limits bound who may be texted and how much.
type Limits struct {
	Allow  []string  `yaml:"allow"` // prefixes; empty: region and SIM countries
	Deny   []string  `yaml:"deny"`  // prefixes; beats Allow
	PerKey KeyLimits `yaml:"per_key"`
	Queued int       `yaml:"queued"` // messages waiting for a line
	Cost   []Cost    `yaml:"cost"`   // what a part costs, for cost_per_month of lines
}

// Cost is what an SMS part to a number that begins with Prefix costs; the first
// match counts, and what matches none costs 1.
type Cost struct {
	Prefix string `yaml:"prefix"` // + and digits; "": every number
	Units  int    `yaml:"units"`
}

// KeyLimits bound what one API key sends.
type KeyLimits struct {
	Minute int `yaml:"minute"`
	Day    int `yaml:"day"`
}

// Messages are the defaults and bounds of outbound messages.
type Messages struct {
	TTL       Duration `yaml:"ttl"`       // from acceptance, or send_at, to the last try
	Keep      Duration `yaml:"keep"`      // how long a finished message is remembered
	KeepText  Duration `yaml:"keep_text"` // how long its text is, from the end of sending
	MaxParts  int      `yaml:"max_parts"` // SMS parts of one message
	National  []string `yaml:"national"`  // languages whose SMS alphabets may be used
	Wide      bool     `yaml:"wide_references"`
	OnUnknown string   `yaml:"on_unknown"`
	Report    bool     `yaml:"report"` // ask the network for delivery reports
}

// OTP are the bounds of one-time passwords. A request may narrow them.
type OTP struct {
	Length      int          `yaml:"length"` // digits
	TTL         Duration     `yaml:"ttl"`
	MaxAttempts int          `yaml:"max_attempts"`
	MaxSends    int          `yaml:"max_sends"` // the first one included
	ResendAfter Duration     `yaml:"resend_after"`
	OnUnknown   string       `yaml:"on_unknown"`
	PerNumber   NumberLimits `yaml:"per_number"`
	Brand       string       `yaml:"brand"`
	Template    string       `yaml:"template"`
}

// NumberLimits bound the OTPs sent to one number, over all keys.
type NumberLimits struct {
	Hour int `yaml:"hour"`
	Day  int `yaml:"day"`
}

// Inbound is about received SMS.
type Inbound struct {
	Keep       Duration `yaml:"keep"`
	Reassembly Duration `yaml:"reassembly"` // how long to wait for the parts of a long SMS
}

// Storage bounds what modemgate takes of the disk.
type Storage struct {
	Max     Size `yaml:"max"`
	Reserve Size `yaml:"reserve"` // free space below which nothing new is accepted
}

// Log is about the log.
type Log struct {
	Level string `yaml:"level"` // debug, info, warn, error
}

// Default is the configuration when nothing is set.
func Default() Config {
	return Config{
		DataDir: "/var/lib/modemgate",
		API:     API{Listen: "127.0.0.1:8080"},
		NATS:    NATS{Listen: "127.0.0.1:4222"},
		Modems:  Modems{SubmitTimeout: Duration(150 * time.Second), Calls: CallsReject},
		Alerts:  Alerts{After: Duration(10 * time.Minute)},
		Probe:   Probe{PerDay: 10, Objective: Duration(time.Minute)},
		Limits:  Limits{PerKey: KeyLimits{Minute: 600, Day: 10000}, Queued: 10000},
		Messages: Messages{
			TTL: Duration(24 * time.Hour), Keep: Duration(720 * time.Hour), KeepText: Duration(24 * time.Hour),
			MaxParts: 10, OnUnknown: "hold", Report: true,
		},
		OTP: OTP{
			Length: 6, TTL: Duration(5 * time.Minute), MaxAttempts: 5, MaxSends: 3,
			ResendAfter: Duration(30 * time.Second), OnUnknown: "resend",
			PerNumber: NumberLimits{Hour: 5, Day: 10},
			Template:  "{{code}} is your {{brand}} code, valid {{ttl_minutes}} min.",
		},
		Inbound: Inbound{Keep: Duration(168 * time.Hour), Reassembly: Duration(10 * time.Minute)},
		Storage: Storage{Max: 4 << 30, Reserve: 256 << 20},
		Log:     Log{Level: "info"},
	}
}

// DefaultLineLimits are the limits of a line that sets none, simulated ones
// included.
func DefaultLineLimits() LineLimits { return LineLimits{PerMinute: 40, PerDay: 1000} }
