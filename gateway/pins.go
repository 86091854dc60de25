package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// settleTimeout bounds the writing of what a SIM said to its PIN.
const settleTimeout = 10 * time.Second

// PINs remembers in the store which PIN was tried on which SIM, so that none
// is tried twice. SIM and PIN are kept as an HMAC under the pepper. It
// implements [driver.PINGuard] for all lines.
//
// A try is on record for the SIM and for the modem, since a SIM may tell its
// number at one power-up and not at the next. Without a number it may be any
// SIM that was in the modem.
type PINs struct {
	st      store.Store
	secrets Secrets
}

var _ driver.PINGuard = (*PINs)(nil)

// NewPINs keeps its records in the store of the secrets.
func NewPINs(st store.Store, secrets Secrets) *PINs { return &PINs{st, secrets} }

// Why a PIN is kept back.
var (
	errPINRefusedBefore = errors.New("this SIM has refused this PIN before, and it is never tried twice")
	errPINOpen          = errors.New("this PIN was entered before and nobody saw whether this SIM took it, so it is not tried again")
	errPINDoubt         = errors.New("a SIM in this modem, which may be this one, did not take this PIN before, and it is never tried twice")
	errPINRestored      = errors.New("the records are from a backup, and the SIM does not say that all its tries are left")
	errPINBlind         = errors.New("the modem does not say how many tries are left, and another PIN has failed on this SIM")
)

// pinState is what is known of a PIN on a SIM.
type pinState string

const (
	pinOpen  pinState = "open"  // written to the SIM, or about to be
	pinWrong pinState = "wrong" // refused
	pinRight pinState = "right" // it unlocked the SIM
)

// triedPIN is the record of one PIN on one SIM. Left is the counter of the SIM
// before the try, -1 if it was not known.
type triedPIN struct {
	State pinState `json:"state"`
	Once  bool     `json:"unlocked_before"` // it has unlocked this SIM at least once
	Left  int      `json:"left"`
	Since string   `json:"restored,omitempty"` // the restore before it, as in pinsRestored
}

// pinsRestored names the setting that tells when the records were restored: they
// lack what was tried after the backup.
const pinsRestored = "pins-restored"

// allTries is how many tries of its PIN a SIM has when none has failed.
const allTries = 3

// Claim implements [driver.PINGuard]. A PIN that has unlocked the SIM before
// is entered at each power-up; if its last try had no end that anybody saw,
// only when the counter shows that the SIM has not refused it.
func (p *PINs) Claim(ctx context.Context, try driver.PINTry) error {
	return p.change(ctx, try, func(r pinRecords) (triedPIN, error) {
		known, before := r.own[r.key]
		switch {
		case known.State == pinWrong:
			return known, errPINRefusedBefore
		case known.State == pinOpen && !(known.Once && known.Left > 0 && try.Left >= known.Left):
			return known, errPINOpen
		case r.maybe.failed(r.pin):
			return known, errPINDoubt
		case !r.complete() && try.Left < allTries:
			return known, errPINRestored
		case !before && try.Left < 0 && (r.own.failed("") || r.maybe.failed("")):
			return known, errPINBlind
		}
		return triedPIN{State: pinOpen, Once: known.Once, Left: try.Left}, nil
	})
}

// Settle implements [driver.PINGuard].
func (p *PINs) Settle(ctx context.Context, try driver.PINTry, right bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return p.change(ctx, try, func(pinRecords) (triedPIN, error) {
		if right {
			return triedPIN{State: pinRight, Once: true, Left: try.Left}, nil
		}
		return triedPIN{State: pinWrong, Left: try.Left}, nil
	})
}

// pinBook is what was tried on a SIM, or in a modem, by the key of the PIN. In
// the book of a modem the name of the SIM follows the key, if it was known.
type pinBook map[string]triedPIN

// failed says whether a PIN was tried that was not right, if its key begins so.
func (b pinBook) failed(key string) bool {
	for k, t := range b {
		if strings.HasPrefix(k, key) && t.State != pinRight {
			return true
		}
	}
	return false
}

// part is the tries in a modem of SIMs with, or without, a known number.
func (b pinBook) part(numbered bool) pinBook {
	part := maps.Clone(b)
	maps.DeleteFunc(part, func(key string, _ triedPIN) bool { return strings.Contains(key, onSIM) != numbered })
	return part
}

// onSIM stands between the key of a PIN and the name of a SIM.
const onSIM = "."

// pinRecords are the tries that count for a new one.
type pinRecords struct {
	own   pinBook // of the SIM, or of the modem's SIMs without a number
	key   string  // of the PIN in own
	maybe pinBook // of the modem's other SIMs, which may be this one
	pin   string  // of the PIN in maybe
	since string  // when all of them were restored, "" for never
}

// complete says whether nothing was tried on the SIM since a backup that is not
// on record: nothing was restored, or the SIM had all its tries after that.
func (r pinRecords) complete() bool {
	for _, t := range r.own {
		if t.Since == r.since {
			return true
		}
	}
	return r.since == ""
}

// change is one durable change of what was tried on a SIM and in its modem.
func (p *PINs) change(ctx context.Context, try driver.PINTry, fn func(pinRecords) (triedPIN, error)) error {
	sim, modem := withoutCheckDigit(try.SIM), "imei:"+try.IMEI
	return p.st.Update(ctx, "pin", func(tx store.Tx) error {
		inModem, err := readPINs(tx, p.book(modem))
		if err != nil {
			return err
		}
		pin := p.key(modem, try.PIN)
		r := pinRecords{own: inModem.part(false), key: pin, maybe: inModem.part(true), pin: pin}
		if sim != "" {
			r.maybe, r.key = r.own, p.key(sim, try.PIN)
			if r.own, err = readPINs(tx, p.book(sim)); err != nil {
				return err
			}
		}
		if r.since, err = tx.Setting(pinsRestored); err != nil {
			return err
		}
		t, err := fn(r)
		if err != nil {
			return err
		}
		t.Since = r.since
		if sim == "" {
			inModem[pin] = t
			return writePINs(tx, p.book(modem), inModem)
		}
		r.own[r.key], inModem[pin+onSIM+p.book(sim)] = t, t
		return errors.Join(writePINs(tx, p.book(sim), r.own), writePINs(tx, p.book(modem), inModem))
	})
}

// book is the name of the records of a SIM or modem.
func (p *PINs) book(of string) string { return hex.EncodeToString(p.secrets.mac("pin-sim", of)[:16]) }

// key is the key of a PIN in the records of a SIM or modem.
func (p *PINs) key(of, pin string) string {
	return hex.EncodeToString(p.secrets.mac("pin-try", of, pin)[:16])
}

func readPINs(tx store.Tx, book string) (pinBook, error) {
	tried := pinBook{}
	if err := readSetting(tx, pinPrefix+book, &tried); err != nil {
		return nil, fmt.Errorf("the record of PINs tried on this SIM or in this modem cannot be read: %w", err)
	}
	return tried, nil
}

func writePINs(tx store.Tx, book string, tried pinBook) error {
	return writeSetting(tx, pinPrefix+book, tried)
}

// pinPrefix begins the names of the settings that hold a book.
const pinPrefix = "pins/"

// withoutCheckDigit takes the Luhn digit off an ICCID (ITU-T E.118): of two modems
// one may tell it and the other not, and the SIM is the same.
func withoutCheckDigit(iccid string) string {
	if len(iccid) < 19 || strings.Trim(iccid, "0123456789") != "" {
		return iccid
	}
	sum := 0
	for i := range len(iccid) {
		d := int(iccid[len(iccid)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	if sum%10 == 0 {
		return iccid[:len(iccid)-1]
	}
	return iccid
}

// simWords say what a state of a SIM means for the line, and what to do.
var simWords = map[string]string{
	"puk":          "the SIM is blocked: in a phone, enter its PUK, which the operator has, and a new PIN; then put that PIN into pin_file",
	"absent":       "there is no SIM in the modem, or it has no contact: insert it; some modems see it only after they were unplugged",
	"failure":      "the SIM has failed or is blocked for good: try it in a phone, and replace it",
	"busy":         "the SIM is still starting: the line waits for it",
	"wrong":        "the modem does not take a SIM of this kind: use another SIM or another modem",
	"network-lock": "the modem is locked to another operator or SIM: unlock it with its code, or use another modem",
	"down":         "the SIM has no power: unplug the modem and plug it in again",
}

// simDetail says what is wrong with a SIM and what to do.
func simDetail(e *driver.SIMError) string {
	if e.State != "pin" {
		if words, ok := simWords[e.State]; ok {
			return words
		}
		return e.Error()
	}
	left := ""
	if e.Left > 0 {
		left = fmt.Sprintf(" (tries left: %d)", e.Left)
	}
	switch {
	case e.Err == nil: // it was locked while the modem was in use
		return "the SIM asks for its PIN" + left + ": the modem is opened anew, which enters it"
	case errors.Is(e, driver.ErrPINMissing):
		return "the SIM asks for its PIN" + left + ": name the file that holds it in pin_file of this line, or switch the PIN off in a phone"
	case errors.Is(e, driver.ErrPINWrong), errors.Is(e, errPINRefusedBefore):
		return "the SIM refused the PIN in pin_file" + left + ", which is not tried again: put the right PIN into that file"
	case errors.Is(e, driver.ErrPINLastTry):
		return "the SIM asks for its PIN and only one try is left, which is not risked: enter the PIN in a phone, which gives the tries back"
	case errors.Is(e, errPINOpen), errors.Is(e, driver.ErrPINUnsettled):
		return "the PIN in pin_file was entered and the SIM did not say whether it is right" + left +
			"; it is not tried again: in a phone, change the PIN and put the new one into that file, or switch the PIN off"
	case errors.Is(e, errPINDoubt):
		return "the PIN in pin_file was tried before on a SIM in this modem that may be this one, and was not right or nobody saw whether it was" + left +
			": put the right PIN into that file; if it is right, change it in a phone and put the new one there, or switch the PIN off"
	case errors.Is(e, errPINRestored):
		return "the PIN is not entered" + left + ": " + errPINRestored.Error() + ": enter it in a phone, which gives the tries back, or switch it off there"
	case errors.Is(e, errPINBlind), errors.Is(e, driver.ErrPINNobody):
		return fmt.Sprintf("the PIN is not entered: %s: switch it off in a phone", e.Err)
	}
	return fmt.Sprintf("the SIM asks for its PIN%s, and it cannot be entered: %v", left, e.Err)
}
