package events

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Grant is what one API key may read. Its own status events it always may.
type Grant struct {
	Key        string // [a-z0-9-]; names the key's two consumers
	Generation int    // raised when a revoked name is used again: its consumers start anew

	Inbound      bool     // sms.inbound.> and the consumer on SMS_INBOUND
	InboundLines []string // only these lines; empty: all
	Status       bool     // modem.>
	Messages     bool     // it makes messages or OTPs; told for completeness
	AllMessages  bool     // every sms.status.>, but of otp.status.> only its own

	// InboundFrom is the payload member seq of the last SMS that the consumer
	// leaves out: it starts after it. 0: with the oldest that is kept.
	InboundFrom uint64
	// StatusFrom leaves out status events stored before it; zero: none.
	StatusFrom time.Time
	// ExpiresAt ends connections and consumers; zero: never.
	ExpiresAt time.Time
}

// check refuses names that would be wildcards or several tokens.
func (g Grant) check() error {
	if !validName(g.Key) {
		return fmt.Errorf("key %q: only a-z, 0-9 and - are allowed", g.Key)
	}
	for _, line := range g.InboundLines {
		if !validName(line) {
			return fmt.Errorf("key %s: line %q: only a-z, 0-9 and - are allowed", g.Key, line)
		}
	}
	if g.expired() {
		return errExpired
	}
	return nil
}

var errExpired = errors.New("the key has expired")

func (g Grant) expired() bool {
	return !g.ExpiresAt.IsZero() && !time.Now().Before(g.ExpiresAt)
}

func validName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}

// inboundSubjects are the inbound subjects of the grant, without prefix.
func (g Grant) inboundSubjects() []string {
	if !g.Inbound {
		return nil
	}
	if len(g.InboundLines) == 0 {
		return []string{"sms.inbound.>"}
	}
	lines := slices.Clone(g.InboundLines)
	slices.Sort(lines)
	var subjects []string
	for _, line := range slices.Compact(lines) {
		subjects = append(subjects, "sms.inbound."+line+".>")
	}
	return subjects
}

// statusSubjects are the status subjects of the grant, without prefix.
func (g Grant) statusSubjects() []string {
	subjects := []string{"otp.status." + g.Key + ".>"}
	if g.AllMessages {
		subjects = append(subjects, "sms.status.>")
	} else {
		subjects = append(subjects, "sms.status."+g.Key+".>")
	}
	if g.Status {
		subjects = append(subjects, "modem.>")
	}
	return subjects
}

// rights is a short hash of all that the account of the key depends on.
func (g Grant) rights() string {
	g.Messages, g.InboundFrom, g.StatusFrom = false, 0, time.Time{}
	g.ExpiresAt = g.ExpiresAt.UTC().Round(0)
	text, _ := json.Marshal(struct {
		Generation      int
		Inbound, Status []string
		Expires         time.Time
	}{g.Generation, g.inboundSubjects(), g.statusSubjects(), g.ExpiresAt})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// account is the name of the NATS account with these rights.
func (g Grant) account() string {
	return "key." + g.Key + "." + strconv.Itoa(g.Generation) + "." + g.rights()
}
