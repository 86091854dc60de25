package events

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Names of the two streams in the outbox.
const (
	streamInbound = "inbound"
	streamStatus  = "status"
)

// maxSender is the longest name or number in a <sender> token, characters.
const maxSender = 32

// SenderToken is the <sender> token of sms.inbound.<line>.<sender>: the
// digits of an international number, "s-" and the digits of a short or
// national one, "n-" and the lower-case name of an alphanumeric one with each
// run of anything but a-z0-9 as one "-", "none" where there is no address.
// fromType is international, national, alphanumeric, unknown or none.
//
// The token is never empty and holds only a-z, 0-9 and "-", whatever came
// over the air.
func SenderToken(from, fromType string) string {
	if from == "" || fromType == "none" {
		return "none"
	}
	digits := onlyDigits(from)
	numeric := digits != "" && !strings.ContainsFunc(from, isLetter)
	switch {
	case fromType == "alphanumeric", !numeric && strings.ContainsFunc(from, isLetter):
		return nameToken(from)
	case digits == "":
		return "none"
	case fromType == "international", strings.HasPrefix(from, "+"):
		return cut(digits)
	default:
		return "s-" + cut(digits)
	}
}

func nameToken(from string) string {
	var t strings.Builder
	for _, r := range strings.ToLower(from) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			t.WriteRune(r)
		case t.Len() > 0 && !strings.HasSuffix(t.String(), "-"):
			t.WriteByte('-')
		}
		if t.Len() == maxSender {
			break
		}
	}
	name := strings.Trim(t.String(), "-")
	if name == "" {
		sum := sha256.Sum256([]byte(from))
		return "n-x" + hex.EncodeToString(sum[:4])
	}
	return "n-" + name
}

func isLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func cut(s string) string {
	if len(s) > maxSender {
		return s[:maxSender]
	}
	return s
}

// names are the subjects and stream names under one prefix.
type names struct {
	dot     string            // "" or "P."
	streams map[string]string // name in the outbox to name of the stream
}

func newNames(prefix string) names {
	n := names{streams: map[string]string{streamInbound: "SMS_INBOUND", streamStatus: "SMS_STATUS"}}
	if prefix == "" {
		return n
	}
	n.dot = prefix + "."
	upper := strings.ToUpper(strings.ReplaceAll(prefix, "-", "_")) + "_"
	for k, v := range n.streams {
		n.streams[k] = upper + v
	}
	return n
}

// subject puts the prefix before a subject, bare takes it away.
func (n names) subject(s string) string { return n.dot + s }
func (n names) bare(s string) string    { return strings.TrimPrefix(s, n.dot) }

// api is the prefix under which keys reach their consumers.
func (n names) api() string { return n.dot + "modemgate.API" }

// roots are the subject trees of a stream, without the prefix.
func roots(stream string) []string {
	if stream == streamInbound {
		return []string{"sms.inbound.>"}
	}
	return []string{"sms.status.>", "otp.status.>", "modem.>"}
}

// maxSubject is the longest subject published, bytes; the protocol line of
// NATS holds 4,096 with the reply subject.
const maxSubject = 512

var validToken = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// checkSubject says why a subject can never be published to the stream.
func checkSubject(stream, subject string) error {
	if len(subject) > maxSubject {
		return fmt.Errorf("its subject has %d bytes, more than %d", len(subject), maxSubject)
	}
	for token := range strings.SplitSeq(subject, ".") {
		if !validToken.MatchString(token) {
			return fmt.Errorf("its subject has an empty or invalid token")
		}
	}
	for _, root := range roots(stream) {
		if strings.HasPrefix(subject, strings.TrimSuffix(root, ">")) {
			return nil
		}
	}
	return fmt.Errorf("its subject does not belong to the stream")
}
