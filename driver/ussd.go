package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNoUSSDSession means that the network waits for no reply.
var ErrNoUSSDSession = errors.New("ussd: the network waits for no reply: begin with a code")

// USSDState is what the network expects after its answer, <m> of +CUSD
// (3GPP TS 27.007 §7.15).
type USSDState string

const (
	// USSDDone: the answer is whole, the session is over.
	USSDDone USSDState = "done"
	// USSDReply: the session is open, the network waits for a reply.
	USSDReply USSDState = "reply-expected"
	// USSDEnded: the network ended the session.
	USSDEnded USSDState = "ended"
	// USSDUnsupported: the network does not know the code.
	USSDUnsupported USSDState = "unsupported"
	// USSDTimeout: no answer came in time.
	USSDTimeout USSDState = "timeout"
)

var ussdStates = map[int]USSDState{
	0: USSDDone, 1: USSDReply, 2: USSDEnded, 3: USSDEnded, 4: USSDUnsupported, 5: USSDTimeout,
}

// USSDAnswer is one answer of the network.
type USSDAnswer struct {
	State USSDState
	Text  string // lines are separated by \n; "" when the network said nothing
}

const (
	ussdPatience = time.Minute // for an answer, when the caller's context has no deadline
	maxUSSD      = 182         // septets of a USSD string, 3GPP TS 23.038 §5
)

// ussdDialog is the USSD session of a modem; it has one at a time.
type ussdDialog struct {
	turn    chan struct{} // holds one token
	open    bool          // the network waits for a reply; owned by the turn
	packed  bool          // text goes as packed septets in hex; owned by the turn
	learned bool          // packed is known to be taken by this modem
}

// USSD begins a session with a code such as *100# and waits for the network's
// answer (3GPP TS 27.007 §7.15). It ends an open session first. A
// *CommandError means that the modem refused; a session that is over gives
// [ErrGone] or what ended it. When ctx ends first the session is ended too.
func (m *Modem) USSD(ctx context.Context, code string) (USSDAnswer, error) {
	if code == "" || len(code) > maxUSSD || strings.Trim(code, "0123456789*#+") != "" {
		return USSDAnswer{}, fmt.Errorf("%w: a USSD code has the characters 0-9 * # +, at most %d of them", ErrForbidden, maxUSSD)
	}
	if spendsPIN(code) {
		return USSDAnswer{}, fmt.Errorf("%w: this code changes a PIN or a password and spends its tries: use a phone", ErrForbidden)
	}
	release, err := m.dialog(ctx)
	if err != nil {
		return USSDAnswer{}, err
	}
	defer release()
	if m.ussd.open {
		if err := m.endUSSD(ctx); err != nil {
			return USSDAnswer{}, err
		}
	}
	return m.askUSSD(ctx, code)
}

// ReplyUSSD answers the network in an open session, else [ErrNoUSSDSession].
func (m *Modem) ReplyUSSD(ctx context.Context, text string) (USSDAnswer, error) {
	if text == "" || len(text) > maxUSSD || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '"' }) {
		return USSDAnswer{}, fmt.Errorf("%w: a reply has 1 to %d characters, no quotes and no line ends", ErrForbidden, maxUSSD)
	}
	release, err := m.dialog(ctx)
	if err != nil {
		return USSDAnswer{}, err
	}
	defer release()
	if !m.ussd.open {
		return USSDAnswer{}, ErrNoUSSDSession
	}
	return m.askUSSD(ctx, text)
}

// CancelUSSD ends an open session; without one it does nothing.
func (m *Modem) CancelUSSD(ctx context.Context) error {
	release, err := m.dialog(ctx)
	if err != nil {
		return err
	}
	defer release()
	if !m.ussd.open {
		return nil
	}
	return m.endUSSD(ctx)
}

// spendsPIN finds the codes of 3GPP TS 22.030 §6.5.4 and §6.6.1 that change
// PIN, PUK or the password of call barring.
func spendsPIN(code string) bool {
	code = strings.TrimLeft(code, "*#")
	for _, p := range []string{"03*", "04*", "042*", "05*", "052*"} {
		if strings.HasPrefix(code, p) {
			return true
		}
	}
	return false
}

// dialog waits for the turn to speak USSD.
func (m *Modem) dialog(ctx context.Context) (release func(), err error) {
	select {
	case <-m.ussd.turn:
		return func() { m.ussd.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("ussd: %w", ctx.Err())
	case <-m.s.done:
		return nil, fmt.Errorf("ussd: %w", m.s.ended())
	}
}

// askUSSD says something to the network and waits for its answer, without
// keeping the modem from other work meanwhile.
func (m *Modem) askUSSD(ctx context.Context, text string) (USSDAnswer, error) {
	heard, done := m.s.wire.expectUSSD()
	defer done()
	if err := m.sayUSSD(ctx, text); err != nil {
		return USSDAnswer{}, fmt.Errorf("ussd: %w", err)
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, ussdPatience)
		defer cancel()
	}
	select {
	case s := <-heard:
		a := m.readUSSD(s.Text)
		m.ussd.open = a.State == USSDReply
		return a, nil
	case <-m.s.done:
		return USSDAnswer{}, fmt.Errorf("ussd: %w", m.s.ended())
	case <-ctx.Done():
	}
	quit, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.o.CommandTimeout)
	defer cancel()
	return USSDAnswer{State: USSDTimeout}, m.endUSSD(quit)
}

// endUSSD tells modem and network that the session is over.
func (m *Modem) endUSSD(ctx context.Context) error {
	m.ussd.open = false
	release, err := m.s.hold(ctx)
	if err != nil {
		return fmt.Errorf("ussd: %w", err)
	}
	defer release()
	if _, err := m.s.do("+CUSD=2"); err != nil && codeOf(err) == "" {
		return fmt.Errorf("ussd: %w", err)
	}
	return nil
}

// sayUSSD writes text in the form that the modem takes: the family's first,
// then the other one. What the default alphabet has not goes as UCS2.
func (m *Modem) sayUSSD(ctx context.Context, text string) error {
	release, err := m.s.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	packed, plain := packUSSD(text)
	if !plain {
		return m.sayWide(text)
	}
	if !m.ussd.learned {
		m.ussd.packed = m.quirks.ussd == ussdPacked
	}
	forms := map[bool]string{true: fmt.Sprintf(`+CUSD=1,"%s",%d`, packed, ussdDefault), false: fmt.Sprintf(`+CUSD=1,"%s",%d`, text, ussdDefault)}
	_, err = m.s.do(forms[m.ussd.packed])
	if m.ussd.learned || !formRefused(err) {
		m.ussd.learned = m.ussd.learned || err == nil
		return err
	}
	if m.quirks.ussd == ussdPacked { // an E1752 wants its mode set first
		if _, off := m.s.do("^USSDMODE=0"); off == nil {
			if _, err = m.s.do(forms[true]); !formRefused(err) {
				return err
			}
		}
	}
	_, other := m.s.do(forms[!m.ussd.packed])
	if other == nil {
		m.ussd.packed, m.ussd.learned = !m.ussd.packed, true
		return nil
	}
	if codeOf(other) == "" {
		return other
	}
	return err
}

// formRefused says whether an error may be about the form of the command: the
// network was not asked.
func formRefused(err error) bool {
	switch codeOf(err) {
	case "error", "cme-3", "cme-4", "cme-50", "cme-100":
		return true
	}
	return false
}

// sayWide sends UCS2, for which modems that do not take hex anyway need
// another character set. The set is put back, whatever the answer.
func (m *Modem) sayWide(text string) error {
	cmd := fmt.Sprintf(`+CUSD=1,"%s",%d`, hexUCS2(text), ussdUCS2)
	if m.quirks.ussd == ussdPacked {
		_, err := m.s.do(cmd)
		return err
	}
	before := "GSM"
	lines, err := m.s.do("+CSCS?")
	if err != nil && codeOf(err) == "" {
		return err
	}
	for _, f := range answers(lines, "+CSCS:", 1) {
		before = f[0]
	}
	if _, err := m.s.do(`+CSCS="UCS2"`); err != nil {
		return err
	}
	_, err = m.s.do(cmd)
	if _, back := m.s.do(fmt.Sprintf(`+CSCS="%s"`, before)); back != nil && err == nil && codeOf(back) == "" {
		err = back
	}
	return err
}

// readUSSD reads <m>[,<str>[,<dcs>]]. The text may hold quotes and commas of
// its own, so it ends at the last quote.
func (m *Modem) readUSSD(line string) USSDAnswer {
	kind, rest, _ := strings.Cut(line, ",")
	state, known := ussdStates[number(kind, -1)]
	if !known {
		state = USSDDone
	}
	raw, tail := rest, ""
	if first, last := strings.IndexByte(rest, '"'), strings.LastIndexByte(rest, '"'); first >= 0 && last > first {
		raw, tail = rest[first+1:last], rest[last+1:]
	} else if text, scheme, ok := strings.Cut(rest, ","); ok {
		raw, tail = text, scheme
	}
	dcs := number(strings.Trim(tail, ", "), ussdDefault)
	return USSDAnswer{State: state, Text: decodeUSSD(raw, dcs, m.ussd.packed || m.quirks.ussd == ussdPacked)}
}

// expectUSSD takes the next answers of the network to a USSD code; done ends
// that. Without it they are signals.
func (w *wire) expectUSSD() (heard <-chan Signal, done func()) {
	ch := make(chan Signal, 4)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ussd = ch
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ussd = nil
	}
}

// HangUp rejects or ends a call: AT+CHUP (3GPP TS 27.007 §6.5), else ATH
// (ITU-T V.250 §6.3.6). It waits for its turn as long as ctx lets it.
func (m *Modem) HangUp(ctx context.Context) error {
	release, err := m.s.hold(ctx)
	if err != nil {
		return fmt.Errorf("hang up: %w", err)
	}
	defer release()
	if _, err = m.s.do("+CHUP"); codeOf(err) != "" {
		_, err = m.s.do("H")
	}
	if err != nil {
		return fmt.Errorf("hang up: %w", err)
	}
	return nil
}
