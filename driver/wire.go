package driver

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// phase is where the command that is running stands.
type phase int

const (
	idle      phase = iota // no command: what comes is unasked, nothing reaches at.AT
	running                // a command of one line
	awaiting               // AT+CMGS is out, the prompt has not come
	prompted               // the prompt was passed on, the PDU is not out
	submitted              // the PDU is going or has gone out
)

const (
	maxQueue   = 256 << 10           // octets for at.AT at which the pump waits
	headerLife = 2 * time.Second     // how long +CDS or +CMT waits for its PDU line
	joinLife   = 2 * time.Second     // how long +CUSD waits for its closing quote
	maxJoin    = 2048                // octets of a +CUSD over several lines
	okLife     = time.Second         // how long the OK of a late +CMGS is expected
	abortCode  = "+CMS ERROR: 65001" // what at.AT is told when we end a command; outside 3GPP's range
	sub        = 0x1A                // Ctrl-Z, ends the PDU
	esc        = "\x1b"              // leaves the prompt
)

// Why a command was ended by us and not by the modem.
var (
	errNoPrompt = errors.New("no prompt came")
	errNoResult = errors.New("no result came")
	errSilence  = errors.New("the answer stopped half way")
	errRecalled = errors.New("recalled before Ctrl-Z")
)

// wire stands between the port and at.AT. It cleans what modems really send,
// takes out what came unasked, and lets at.AT see only the lines that come
// while a command of its own is running, up to and including its final code.
//
// Every change of phase, and every final code that wire makes up itself,
// happens under mu: a time-out can end only the command it was set for.
type wire struct {
	port io.ReadWriter
	log  *slog.Logger

	mu    sync.Mutex
	moved *sync.Cond // out, closed
	out   []byte     // for at.AT
	err   error      // why the pump ended; first one
	done  bool

	phase   phase
	command string      // as written, without AT and CR
	send    *submission // of the running +CMGS
	aborted error       // why we ended the last command, nil if the modem did
	silence time.Duration
	timer   *time.Timer
	arm     uint64 // which timer counts

	split       splitter
	header      Signal // waits for its PDU line until headerEnds
	headerEnds  time.Time
	bodyEnds    time.Time // until then a line may belong to a message
	textEnds    time.Time // until then it may be the text of one
	joined      []string  // lines of an open +CUSD
	joinedSize  int
	joinArm     uint64
	swallowOK   time.Time // until then an OK belongs to a late +CMGS
	strayPrompt bool
	heard       bool // the modem has answered a command
	rebooted    bool
	octets      uint64 // received
	echoed      bool   // our last commands came back
	echoOff     bool   // they must not: the modem took ATE0

	finals  chan struct{} // final codes that came while idle
	signals chan Signal
	ussd    chan Signal // takes answers to USSD codes while somebody waits for one
	trace   *Trace
}

func newWire(port io.ReadWriter, log *slog.Logger, trace *Trace) *wire {
	w := &wire{
		port: port, log: log, trace: trace,
		finals: make(chan struct{}, 1), signals: make(chan Signal, signalQueue),
	}
	w.moved = sync.NewCond(&w.mu)
	return w
}

// Read hands cleaned lines to at.AT. io.EOF means that the pump ended.
func (w *wire) Read(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.out) == 0 && !w.done {
		w.moved.Wait()
	}
	if len(w.out) == 0 {
		return 0, io.EOF
	}
	n := copy(b, w.out)
	w.out = append(w.out[:0], w.out[n:]...)
	w.moved.Broadcast()
	return n, nil
}

// pump moves octets from the port until the port ends or the modem restarts,
// and returns why.
func (w *wire) pump() error {
	buf := make([]byte, 4096)
	for {
		n, err := w.port.Read(buf)
		if rebooted := w.take(buf[:n]); rebooted && err == nil {
			err = ErrRebooted
		}
		if err != nil {
			w.finish(err)
			return err
		}
	}
}

// take digests a chunk. It waits while at.AT is far behind, so that a flood
// stays in the kernel.
func (w *wire) take(chunk []byte) (rebooted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.octets += uint64(len(chunk))
	for _, b := range chunk {
		line, ok := w.split.feed(b, w.phase == awaiting)
		switch {
		case !ok:
		case line == prompt && w.phase == awaiting:
			w.disarm()
			w.phase = prompted
			w.trace.add("<", prompt)
			w.emit("> ")
		default:
			w.hear(line)
			for _, piece := range w.pieces(line) {
				w.digest(piece)
			}
		}
	}
	w.strayPrompt = w.strayPrompt || w.phase == idle && w.split.atPrompt()
	for len(w.out) > maxQueue && !w.done {
		w.moved.Wait()
	}
	return w.rebooted
}

// finish ends the reading side; at.AT sees the end of its input.
func (w *wire) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return
	}
	w.done, w.err = true, err
	w.disarm()
	w.joinArm++
	w.moved.Broadcast()
}

// emit queues a line for at.AT.
func (w *wire) emit(line string) {
	w.out = append(append(w.out, "\r\n"...), line...)
	if line != "> " {
		w.out = append(w.out, "\r\n"...)
	}
	w.moved.Broadcast()
}

// digest sorts one line: part of something longer, unasked, or an answer.
func (w *wire) digest(line string) {
	if len(w.joined) > 0 {
		w.join(line)
		return
	}
	if !w.headerEnds.IsZero() {
		fresh := time.Now().Before(w.headerEnds)
		w.headerEnds = time.Time{}
		if fresh && isHex(line) {
			w.header.PDU = strings.ToUpper(line)
			w.signal(w.header)
			return
		}
	}
	if w.ownAnswer(line) {
		w.answer(line)
		return
	}
	if head, ok := parseHeader(line); ok {
		w.header, w.headerEnds = head, time.Now().Add(headerLife)
		return
	}
	if strings.HasPrefix(line, "+CUSD:") {
		w.join(line)
		return
	}
	if s, ok := parseSignal(line); ok {
		w.signal(s)
		return
	}
	if !isChatter(line) && !w.isEcho(line) {
		w.answer(line)
	}
}

// ownAnswer says whether a line answers a running query by name. It keeps
// "AT+CLIP?" apart from the +CLIP of a call.
func (w *wire) ownAnswer(line string) bool {
	name, _, query := strings.Cut(w.command, "?")
	return query && w.phase == running && strings.HasPrefix(line, strings.TrimSuffix(name, "=")+":")
}

// isEcho recognises our own command or PDU coming back, and warns of commands
// that came back and were not ours: another program is using the port.
func (w *wire) isEcho(line string) bool {
	if w.send != nil && len(line) >= 8 && strings.EqualFold(line, w.send.pdu) {
		return true
	}
	rest, ok := strings.CutPrefix(strings.ToUpper(line), "AT")
	if !ok {
		return false
	}
	if w.phase != idle && strings.EqualFold(rest, w.command) {
		w.echoed = true
		if w.echoOff {
			w.log.Warn("echo is back, the modem has restarted and lost its settings")
			w.signal(Signal{Kind: SignalReboot, Index: -1, Length: -1})
		}
		return true
	}
	foreign := rest == "" || strings.ContainsRune("+^#*%$!&", rune(rest[0]))
	if foreign {
		w.log.Warn("command on the port that is not ours, another program may be using it")
	}
	return foreign
}

// pieces takes apart what came without a line end in between, but for the
// text of a USSD answer, which may contain anything.
func (w *wire) pieces(line string) []string {
	if len(w.joined) > 0 || strings.HasPrefix(line, "+CUSD:") {
		return []string{line}
	}
	return unglue(line)
}

// answer passes a line to at.AT if a command is waiting for it.
func (w *wire) answer(line string) {
	code, isFinal := final(line)
	if !isFinal && w.phase == running && (w.command == "" || strings.HasPrefix(w.command, "E0")) {
		code, isFinal = numericFinal(line)
	}
	if isFinal {
		w.finalCode(code)
		return
	}
	if f, ok := fields(line, "+CMGS:"); ok && w.phase != submitted {
		if mr := number(f[0], -1); mr >= 0 {
			w.signal(Signal{Kind: SignalLateResult, MR: mr, Index: -1, Length: -1})
			w.swallowOK = time.Now().Add(okLife)
		}
		return
	}
	w.swallowOK = time.Time{}
	// A line that at.AT would take for a prompt or a final code is neither.
	if w.phase == idle || line[0] == '>' || strings.HasPrefix(line, "ERROR") {
		return
	}
	w.emit(line)
	if w.silence > 0 && w.phase == running {
		w.startTimer(w.silence, errSilence)
	}
}

// finalCode ends the running command. Before the PDU is out an OK cannot be
// the result of +CMGS, so it is the late answer of something else.
func (w *wire) finalCode(code string) {
	late := code == "OK" && time.Now().Before(w.swallowOK)
	w.swallowOK = time.Time{}
	beforePDU := w.phase == awaiting || w.phase == prompted
	if late || w.phase == idle || beforePDU && code == "OK" {
		select {
		case w.finals <- struct{}{}:
		default:
		}
		return
	}
	w.heard = true
	w.end(code)
}

// end closes the command with a final code, from the modem or from us.
func (w *wire) end(code string) {
	w.disarm()
	w.phase = idle
	w.emit(code)
}

// startTimer arms the one timer of the running command.
func (w *wire) startTimer(d time.Duration, why error) {
	w.disarm()
	arm := w.arm
	w.timer = time.AfterFunc(d, func() { w.expire(arm, why) })
}

func (w *wire) disarm() {
	w.arm++
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// expire ends the command that the timer was set for, and no later one.
func (w *wire) expire(arm uint64, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if arm == w.arm && w.phase != idle && !w.done {
		w.aborted = why
		w.end(abortCode)
	}
}

// recall ends a submission whose PDU is not out yet.
func (w *wire) recall(s *submission) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.send == s && (w.phase == awaiting) && !w.done {
		w.aborted = errRecalled
		w.end(abortCode)
	}
}

// signal enqueues without ever blocking the pump.
func (w *wire) signal(s Signal) {
	s.At = time.Now()
	if s.Kind == SignalReboot {
		if !w.heard {
			return // the tail of a boot that ended before we spoke
		}
		w.rebooted = true
	}
	if s.Kind == SignalUSSD && w.ussd != nil {
		select {
		case w.ussd <- s:
		default:
		}
		return
	}
	if w.done || len(w.signals) >= hintQueue && !s.sole() {
		return
	}
	select {
	case w.signals <- s:
	default:
		w.log.Warn("nobody reads the modem's signals, one is lost", "kind", int(s.Kind))
	}
}

// Write takes one command line, PDU or escape from at.AT, which writes each
// of them in one call.
func (w *wire) Write(b []byte) (int, error) {
	switch {
	case bytes.HasPrefix(b, []byte("AT")):
		return w.writeCommand(b)
	case len(b) > 0 && b[len(b)-1] == sub:
		return w.writePDU(b)
	}
	return w.writeEscape(b)
}
