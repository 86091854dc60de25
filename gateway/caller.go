package gateway

import (
	"slices"
	"strings"
	"time"
)

// Scopes of API keys. inbound may be narrowed to lines: "inbound:front".
const (
	ScopeOTP      = "otp"      // create OTPs, and what one's own need
	ScopeSend     = "send"     // create messages
	ScopeMessages = "messages" // read all outbound messages
	ScopeInbound  = "inbound"  // read received SMS
	ScopeStatus   = "status"   // lines, queue, metrics
	ScopeAdmin    = "admin"    // all
)

// localKey acts over admin.sock; systemKey owns what the gateway does itself.
const (
	localKey  = "local"
	systemKey = "system"
)

// Caller is who asks: a key with its rights at the time of the request.
type Caller struct {
	Key        string
	Scopes     []string
	Local      bool // came by admin.sock
	Generation int

	to                []string // prefixes it may send to; empty: no narrowing
	perMinute, perDay int      // 0: the configured limit
	createdAt         time.Time
}

// LocalCaller is the operator on the machine itself.
func LocalCaller() Caller {
	return Caller{Key: localKey, Scopes: []string{ScopeAdmin}, Local: true}
}

// Has says whether the caller holds the scope; admin holds all.
func (c Caller) Has(scope string) bool {
	return slices.Contains(c.Scopes, scope) || slices.Contains(c.Scopes, ScopeAdmin)
}

func (c Caller) admin() bool { return slices.Contains(c.Scopes, ScopeAdmin) }

// inboundLines says which lines' SMS the caller may read: all, or those.
func (c Caller) inboundLines() (all bool, lines []string) {
	if c.Has(ScopeInbound) {
		return true, nil
	}
	for _, s := range c.Scopes {
		if l, ok := strings.CutPrefix(s, ScopeInbound+":"); ok {
			lines = append(lines, l)
		}
	}
	return false, lines
}

// readsLine says whether the caller may read the SMS that the line received.
func (c Caller) readsLine(line string) bool {
	all, lines := c.inboundLines()
	return all || slices.Contains(lines, line)
}

// need refuses a caller without the scope.
func (c Caller) need(scope string) error {
	if c.Has(scope) {
		return nil
	}
	return refuse(ScopeMissing, "the key %s lacks the scope %s: make one with modemgate key new NAME --scopes %s", c.Key, scope, scope)
}

// validScope says whether s is a scope a key can have.
func validScope(s string) bool {
	switch s {
	case ScopeOTP, ScopeSend, ScopeMessages, ScopeInbound, ScopeStatus, ScopeAdmin:
		return true
	}
	l, ok := strings.CutPrefix(s, ScopeInbound+":")
	return ok && validName(l)
}

// validName says whether s is a name of a key or a line: [a-z0-9-], 1 to 32.
func validName(s string) bool {
	if len(s) < 1 || len(s) > 32 {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
