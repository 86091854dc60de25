package driver

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/warthog618/modem/at"
)

// Submission is one part of a text, ready to go.
type Submission struct {
	// TPDU is an SMS-SUBMIT (3GPP TS 23.040 §9.2.2.2) without service centre address.
	TPDU []byte
	// More says that another part follows at once: the radio link is held
	// where the modem can (AT+CMMS=2).
	More bool
	// AtPrompt, if set, is called once when the modem asks for the PDU, before
	// its first octet is written. An error escapes the prompt, and the outcome
	// is NotSent wrapping that error. It must not use the Modem.
	AtPrompt func() error
}

// maxTPDU is the longest SMS-SUBMIT: 12 octets address, 7 validity, 140 text and the rest.
const maxTPDU = 164

// Send submits one part and returns its TP-MR, or -1 where the modem took the
// part without naming one. Any error is a [*SendError] and says what became
// of the part. A cancelled context recalls the part until Ctrl-Z is written;
// after that Send waits for the network's answer up to SubmitTimeout, or
// until Close, which makes the outcome Unknown.
func (m *Modem) Send(ctx context.Context, s Submission) (mr int, err error) {
	if n := len(s.TPDU); n == 0 || n > maxTPDU {
		return -1, &SendError{Fate: Refused, Class: Permanent, Code: "cms-304", Err: fmt.Errorf("tpdu of %d octets, 1 to %d are possible", n, maxTPDU)}
	}
	release, err := m.s.hold(ctx)
	if err != nil {
		return -1, notBegun(err)
	}
	defer release()
	if err := m.holdLink(s.More); err != nil {
		return -1, &SendError{Fate: NotSent, Class: Temporary, Code: CodeLink, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return -1, notBegun(err)
	}
	prompt, result := m.quirks.patience(m.o)
	sub := &submission{
		ctx: ctx, atPrompt: s.AtPrompt, onWrite: m.hook.at,
		pdu:    strings.ToUpper(hex.EncodeToString(append(append([]byte(nil), m.sca...), s.TPDU...))),
		prompt: prompt, result: result,
	}
	lines, err := m.submit(ctx, sub, len(s.TPDU))
	m.hook.at("driver:result:before")
	mr, err = m.concluded(sub, lines, err)
	m.hook.at("driver:result:after")
	return mr, err
}

// submit runs AT+CMGS (3GPP TS 27.005 §4.3). Its deadlines, one for the prompt
// and one for the result, are kept by wire; at.AT's own is only a net.
func (m *Modem) submit(ctx context.Context, sub *submission, length int) ([]string, error) {
	m.s.wire.begin(sub)
	defer m.s.wire.begin(nil)
	stop := context.AfterFunc(ctx, func() { m.s.wire.recall(sub) })
	defer stop()
	net := sub.prompt + sub.result + 3*m.o.WriteTimeout + time.Minute
	return m.s.at.SMSCommand(fmt.Sprintf("+CMGS=%d", length), sub.pdu, at.WithTimeout(net))
}

// concluded turns the end of an AT+CMGS into an outcome. The submission is not
// in use any more, so its fields can be read.
func (m *Modem) concluded(sub *submission, lines []string, err error) (int, error) {
	switch {
	case sub.refused != nil:
		return -1, m.recalled(sub.refused)
	case errors.Is(m.s.wire.outcome(), errRecalled):
		m.s.wire.forgetFinals()
		m.s.at.Escape()
		return -1, m.recalled(context.Cause(sub.ctx))
	case err == nil && sub.ctrlZ:
		for _, f := range answers(lines, "+CMGS:", 1) {
			return number(f[0], -1), nil
		}
		return -1, nil
	case err == nil:
		m.s.end(fmt.Errorf("%w: AT+CMGS ended before the PDU was written", ErrTimeout))
		return -1, &SendError{Fate: NotSent, Class: Temporary, Code: "prompt", Err: m.s.ended()}
	case errors.Is(m.s.wire.outcome(), errNoPrompt):
		m.s.at.Escape()
	}
	return -1, m.failed(sub, m.s.result("+CMGS", err))
}

// recalled is the outcome of a part that was held back at the prompt. The
// escape was written; the session goes on if the modem is shown to be in step.
func (m *Modem) recalled(why error) error {
	if err := m.s.settle(); err != nil {
		m.o.Log.Debug("session ends after an escape", "err", err)
	}
	return &SendError{Fate: NotSent, Class: ClassNone, Code: "canceled", Err: why}
}

// failed is the outcome of an AT+CMGS that ended in an error.
func (m *Modem) failed(sub *submission, err error) error {
	aborted := m.s.wire.outcome()
	if code := codeOf(err); code != "" {
		v := verdictOf(code)
		return &SendError{Fate: v.fateOf(sub.ctrlZ), Class: v.class, Code: code, Wait: v.wait, Err: err}
	}
	e := &SendError{Fate: NotSent, Class: Temporary, Code: "gone", Err: err}
	if sub.ctrlZ {
		e.Fate, e.Class = Unknown, Unsure
	}
	switch {
	case errors.Is(aborted, errNoPrompt):
		e.Code = "prompt"
	case errors.Is(err, ErrTimeout):
		e.Code = "timeout"
	}
	return e
}

// notBegun is the outcome of a part for which AT+CMGS was never written.
func notBegun(err error) error {
	e := &SendError{Fate: NotSent, Class: Temporary, Code: "gone", Err: err}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Class, e.Code = ClassNone, "canceled"
	case errors.Is(err, ErrTimeout):
		e.Code = "timeout"
	}
	return e
}

// holdLink keeps the radio link between parts that follow each other. The
// modem closes the link by itself 1 to 5 s after the last of them.
func (m *Modem) holdLink(more bool) error {
	if m.canLink == 0 || more == m.link {
		return nil
	}
	n := 0
	if more {
		n = m.canLink
	}
	_, err := m.s.do(fmt.Sprintf("+CMMS=%d", n))
	if err != nil && codeOf(err) == "" {
		return err
	}
	if err != nil {
		m.canLink = 0 // it was offered and refused: not worth another try
		return nil
	}
	m.link = more
	return nil
}

// serviceCentre encodes an address as the SCA of 3GPP TS 27.005 §3.1 (<pdu>):
// length in octets, type of address, digits in swapped nibbles.
func serviceCentre(smsc string) ([]byte, error) {
	if smsc == "" {
		return []byte{0}, nil
	}
	digits, international := strings.CutPrefix(smsc, "+")
	if len(digits) < 3 || len(digits) > 20 || strings.Trim(digits, "0123456789") != "" {
		return nil, errors.New("smsc: not a phone number, write it as + and 3 to 20 digits")
	}
	toa := byte(0x81)
	if international {
		toa = 0x91
	}
	if len(digits)%2 == 1 {
		digits += "F"
	}
	number, err := hex.DecodeString(swapNibbles(digits))
	if err != nil {
		return nil, fmt.Errorf("smsc: %w", err)
	}
	return append([]byte{byte(len(number) + 1), toa}, number...), nil
}
