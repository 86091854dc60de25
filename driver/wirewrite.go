package driver

import (
	"context"
	"strings"
	"time"
)

// submission is what wire has to know about the +CMGS that is running. All
// fields but ctrlZ and started are set before the command is written; those
// two are guarded by wire.mu.
type submission struct {
	ctx      context.Context
	pdu      string
	atPrompt func() error
	onWrite  func(point string)
	prompt   time.Duration
	result   time.Duration

	started bool  // the first octet of the PDU may be out
	ctrlZ   bool  // Ctrl-Z was taken by the kernel, or may have been
	refused error // why the PDU was held back at the prompt
}

// writeCommand starts a command: from here on lines are its answer. CR alone
// ends a command line (ITU-T V.250 §5.2.1), at.AT's LF is left out.
func (w *wire) writeCommand(b []byte) (int, error) {
	line := strings.TrimRight(string(b), "\r\n")
	w.mu.Lock()
	w.command = strings.TrimPrefix(line, "AT")
	w.aborted = nil
	s := w.send
	w.phase = running
	if s != nil && strings.HasPrefix(w.command, "+CMGS=") {
		w.phase = awaiting
		w.startTimer(s.prompt, errNoPrompt)
	} else if w.silence > 0 {
		w.startTimer(w.silence, errSilence)
	}
	submitting := w.phase == awaiting
	w.trace.add(">", line)
	w.mu.Unlock()

	if submitting {
		s.onWrite("driver:cmgs:before")
		defer s.onWrite("driver:cmgs:after")
	}
	if _, err := w.port.Write([]byte(line + "\r")); err != nil {
		w.mu.Lock()
		w.disarm()
		w.phase = idle
		w.mu.Unlock()
		return 0, err
	}
	return len(b), nil
}

// writePDU is called by at.AT when the modem asked for the PDU. An error from
// here makes at.AT escape the prompt.
func (w *wire) writePDU(b []byte) (int, error) {
	w.mu.Lock()
	s := w.send
	w.mu.Unlock()
	err := s.ctx.Err()
	if err == nil && s.atPrompt != nil {
		err = s.atPrompt()
	}
	w.mu.Lock()
	if err == nil {
		err = s.ctx.Err()
	}
	if err != nil {
		s.refused = err
		w.disarm()
		w.phase = idle
		w.forgetFinals() // the next one answers the escape
		w.mu.Unlock()
		return 0, err
	}
	w.phase, s.started = submitted, true
	w.startTimer(s.result, errNoResult)
	w.trace.add(">", string(b))
	w.mu.Unlock()

	s.onWrite("driver:pdu:before")
	n, err := w.port.Write(b)
	w.mu.Lock()
	s.ctrlZ = n == len(b)
	if err != nil {
		w.disarm()
		w.phase = idle
	}
	w.mu.Unlock()
	s.onWrite("driver:pdu:after")
	return n, err
}

// writeEscape passes an escape on unless a PDU is out: then it would come too
// late to mean what it says.
func (w *wire) writeEscape(b []byte) (int, error) {
	w.mu.Lock()
	late := w.send != nil && w.send.started
	if !late {
		w.trace.add(">", "<ESC>")
	}
	w.mu.Unlock()
	if late {
		return len(b), nil
	}
	if _, err := w.port.Write(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// begin makes a submission the one that the next +CMGS belongs to; nil ends it.
func (w *wire) begin(s *submission) {
	w.mu.Lock()
	w.send = s
	if s != nil {
		w.aborted = nil
		w.forgetFinals()
	}
	w.mu.Unlock()
}

// setSilence sets how long the running answer may pause; 0 for no limit but
// the command's own deadline.
func (w *wire) setSilence(d time.Duration) {
	w.mu.Lock()
	w.silence = d
	w.mu.Unlock()
}

// outcome says why we ended the last command, nil if the modem did.
func (w *wire) outcome() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.aborted
}

// takeStrayPrompt says whether the modem showed a prompt that nobody waits
// for, and forgets it.
func (w *wire) takeStrayPrompt() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	stray := w.strayPrompt
	w.strayPrompt = false
	return stray
}

// forgetFinals empties the record of final codes that came while idle.
func (w *wire) forgetFinals() {
	select {
	case <-w.finals:
	default:
	}
}

// forgetEcho starts the watch whether commands still come back.
func (w *wire) forgetEcho() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.echoed = false
}

// expectNoEcho takes an echo from now on for the sign of a restart, if none
// came since forgetEcho. After a restart the modem may be in text mode, where
// a PDU would go out as a text.
func (w *wire) expectNoEcho() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.echoOff = !w.echoed
}

// received counts octets, for telling silence from speech.
func (w *wire) received() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.octets
}
