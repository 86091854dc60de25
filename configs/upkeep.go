package configs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Balance says how a line asks its operator for the credit of its SIM; the
// zero value asks nothing.
type Balance struct {
	Code    string   `yaml:"code"`    // USSD, such as *100#
	Pattern string   `yaml:"pattern"` // regular expression (RE2) whose first group is the amount
	Every   Duration `yaml:"every"`   // 0: 24h
	Below   Amount   `yaml:"below"`   // less than this is told
}

// On tells whether the credit is asked for.
func (b Balance) On() bool { return b.Code != "" }

// Alerts say whom to text when a line is down.
type Alerts struct {
	SMSTo []string `yaml:"sms_to"` // E.164
	After Duration `yaml:"after"`  // how long it is down first
}

// Amount is a sum of money, without its currency.
type Amount float64

// MarshalText writes a as people do.
func (a Amount) MarshalText() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(a), 'f', -1, 64), nil
}

var amountForm = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,6})?$`)

// UnmarshalText reads digits with a decimal point.
func (a *Amount) UnmarshalText(b []byte) error {
	if !amountForm.Match(b) {
		return fmt.Errorf("%s is not an amount such as 5 or 2.50", quote(string(b)))
	}
	v, err := strconv.ParseFloat(string(b), 64)
	*a = Amount(v)
	return err
}

// Ways to treat a call that comes in.
const (
	CallsReject = "reject"
	CallsIgnore = "ignore"
)

// maxAlerted is how many people are texted at most.
const maxAlerted = 10

func (v *checks) alerts(a Alerts) {
	if len(a.SMSTo) > maxAlerted {
		v.addf("alerts.sms_to", "has %d numbers, %d are the most", len(a.SMSTo), maxAlerted)
	}
	seen := map[string]string{}
	for i, n := range a.SMSTo {
		path := fmt.Sprintf("alerts.sms_to[%d]", i)
		if !e164.MatchString(n) {
			v.add(path, `is no international number; write it in quotes, such as "+447700900001"`)
			continue
		}
		v.unique(path, n, seen)
	}
	v.span("alerts.after", a.After, time.Minute, 7*day)
}

// upkeep checks what a line does by itself to keep its SIM alive.
func (v *checks) upkeep(path string, l Line) {
	if l.KeepAlive != 0 {
		v.span(path+".keep_alive", l.KeepAlive, day, 366*day)
	}
	b := l.Balance
	if !b.On() {
		if b != (Balance{}) {
			v.add(path+".balance.code", "is empty; write the USSD code that asks for the credit, such as *100#")
		}
		return
	}
	path += ".balance"
	if strings.Trim(b.Code, "0123456789*#+") != "" || len(b.Code) > 32 {
		v.add(path+".code", "is no USSD code of 0-9 * # and +, such as *100#")
	}
	switch re, err := regexp.Compile(b.Pattern); {
	case b.Pattern == "":
		v.add(path+".pattern", `is empty; write an expression whose group is the amount, such as "balance is ([0-9.,]+)"`)
	case err != nil:
		v.addf(path+".pattern", "is no regular expression: %v", err)
	case re.NumSubexp() < 1:
		v.add(path+".pattern", "has no group; put the amount into brackets, such as ([0-9.,]+)")
	}
	if b.Every != 0 {
		v.span(path+".every", b.Every, time.Hour, 366*day)
	}
}
