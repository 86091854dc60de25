package driver

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/warthog618/sms/encoding/tpdu"
)

// Faults of a text. None of them quotes the text.
var (
	ErrEmptyText        = errors.New("empty text: an SMS needs at least one character")
	ErrControlCharacter = errors.New("control character in text: only line feed, carriage return and tab can be sent; remove the others")
	ErrInvalidUTF8      = errors.New("text is not valid UTF-8: encode it as UTF-8")
	ErrExpired          = errors.New("validity is negative: the text has expired; do not send it")

	errEncode = errors.New("encode SMS-SUBMIT: refused by the PDU library")
)

// maxSegments is the most parts the header of a long SMS can number
// (3GPP TS 23.040 §9.2.3.24.1).
const maxSegments = 255

// DefaultMaxParts is the cap of a [Text] that sets none.
const DefaultMaxParts = 10

// TooLongError says that a text needs more parts than it may have.
type TooLongError struct {
	Parts int // needed
	Max   int // allowed
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("text needs %d parts, at most %d are allowed: shorten it", e.Parts, e.Max)
}

// Text is what [Encode] turns into one or more SMS-SUBMIT.
type Text struct {
	To       string        // +E.164, or digits alone: a short code or national number
	Body     string        // UTF-8; a tab is sent as a space
	Ref      int           // reference of a long SMS, taken modulo 256, or 65536 if Wide
	Wide     bool          // 16-bit reference, one character per part less
	Report   bool          // ask for a status report of every part
	Validity time.Duration // remaining lifetime; 0 leaves it to the network, below 0 is ErrExpired
	MaxParts int           // 0 is DefaultMaxParts, never more than 255

	// National are languages by ISO 639-1, of those with tables of their own (3GPP
	// TS 23.038 §6.2.1.2.4: tr, es, pt, bn, gu, hi, kn, ml, or, pa, ta, te, ur), whose
	// shift tables may be used where they save parts. Not every handset knows them.
	National []string
	// Coding is what Measure said of the text before; it is kept to, so that a
	// text that has begun goes on in the same parts. "" chooses.
	Coding string
}

// Encoded is a text ready to be sent.
type Encoded struct {
	Encoding string        // "gsm7" or "ucs2"
	Coding   string        // the same with its national tables, for [Text.Coding]
	Parts    [][]byte      // TPDUs without service centre address, in order
	Validity time.Duration // what the network is told: see Encode; 0 is nothing
}

// Encode makes the SMS-SUBMIT TPDUs of a text (3GPP TS 23.040 §9.2.2.2).
//
// The GSM 7-bit default alphabet with its extension table is used when it has
// every character, else UCS2 (UTF-16); national tables where they are allowed
// and save parts. Escapes and surrogate pairs are never split between parts,
// emoji sequences and letters with marks not where that costs no part. The validity is the longest step of TP-VP that is not
// above the one wanted, and 5 minutes at least.
//
// Errors: [ErrBadAddress], [ErrEmptyText], [ErrInvalidUTF8],
// [ErrControlCharacter], [ErrExpired], [*TooLongError].
func Encode(t Text) (Encoded, error) {
	warmCharsets()
	to, err := destination(t.To)
	if err != nil {
		return Encoded{}, err
	}
	if t.Validity < 0 {
		return Encoded{}, ErrExpired
	}
	template := tpdu.TPDU{DA: to}
	if err := template.SetSmsType(tpdu.SmsSubmit); err != nil {
		return Encoded{}, errEncode
	}
	if t.Report {
		template.FirstOctet |= tpdu.FoSRR
	}
	effective := setValidity(&template, t.Validity)
	cut, err := segment(t)
	if err != nil {
		return Encoded{}, err
	}
	parts := cut.tpdus(template, t)
	coding := cut.coding.String()
	encoding, _, _ := strings.Cut(coding, ":")
	e := Encoded{Encoding: encoding, Coding: coding, Parts: make([][]byte, len(parts)), Validity: effective}
	for i := range parts {
		if e.Parts[i], err = parts[i].MarshalBinary(); err != nil {
			return Encoded{}, errEncode // its words may quote the address
		}
	}
	return e, nil
}

// Measure tells the encoding of a text and how many parts it makes with an
// 8-bit reference and without national tables. Errors are those of
// [Text.Measure].
func Measure(body string) (encoding string, parts int, err error) {
	return Text{Body: body}.Measure()
}

// Measure tells how a text is coded, for Coding, and how many parts it makes.
// Body, Wide, National and Coding count. Errors are those of [Encode] that
// concern the text; the cap is 255 parts.
func (t Text) Measure() (coding string, parts int, err error) {
	warmCharsets()
	t.MaxParts = maxSegments
	cut, err := segment(t)
	var long *TooLongError
	if err != nil && !errors.As(err, &long) {
		return "", 0, err
	}
	return cut.coding.String(), len(cut.parts), err
}

// segment codes and cuts the text of t.
func segment(t Text) (segments, error) {
	body, err := sendable(t.Body)
	if err != nil {
		return segments{}, err
	}
	cut := choose(t, body)
	most := t.MaxParts
	if most <= 0 {
		most = DefaultMaxParts
	}
	if most = min(most, maxSegments); len(cut.parts) > most {
		return segments{coding: cut.coding}, &TooLongError{Parts: len(cut.parts), Max: most}
	}
	return cut, nil
}

// sendable returns the text with tabs as spaces, or why it cannot be sent. An
// escape would change the character after it, so it is refused like every
// other control character.
func sendable(body string) (string, error) {
	if body == "" {
		return "", ErrEmptyText
	}
	if !utf8.ValidString(body) {
		return "", ErrInvalidUTF8
	}
	body = strings.ReplaceAll(body, "\t", " ")
	for _, r := range body {
		if unicode.IsControl(r) && r != '\n' && r != '\r' {
			return "", ErrControlCharacter
		}
	}
	return body, nil
}

// shortestValidity is the first step of TP-VP.
const shortestValidity = 5 * time.Minute

// setValidity puts TP-VP in the relative format into the template and returns
// what it says (3GPP TS 23.040 §9.2.3.12.1).
func setValidity(template *tpdu.TPDU, want time.Duration) time.Duration {
	if want == 0 {
		return 0
	}
	effective := validityStep(want)
	var vp tpdu.ValidityPeriod
	vp.SetRelative(effective)
	if effective == shortestValidity {
		vp.SetRelative(0) // the library writes 5 min as 10 min and 0 as 5 min
	}
	template.SetVP(vp)
	return effective
}

// validityStep returns the longest step not above d, and the first one if
// there is none.
func validityStep(d time.Duration) time.Duration {
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	switch {
	case d < shortestValidity:
		return shortestValidity
	case d <= 12*time.Hour:
		return d.Truncate(5 * time.Minute)
	case d <= day:
		return d.Truncate(30 * time.Minute)
	case d < 5*week:
		return min(d.Truncate(day), 30*day)
	}
	return min(d.Truncate(week), 63*week)
}
