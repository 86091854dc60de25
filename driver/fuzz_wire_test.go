package driver

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// chunks is the reading side of a modem that sends octets in given pieces.
type chunks struct {
	pieces [][]byte
	end    error
}

func (c *chunks) Read(b []byte) (int, error) {
	if len(c.pieces) == 0 {
		return 0, c.end
	}
	n := copy(b, c.pieces[0])
	if c.pieces[0] = c.pieces[0][n:]; len(c.pieces[0]) == 0 {
		c.pieces = c.pieces[1:]
	}
	return n, nil
}

func (c *chunks) Write(b []byte) (int, error) { return len(b), nil }

// cut splits data into pieces of the given sizes, over and over.
func cut(data, sizes []byte) [][]byte {
	var out [][]byte
	for i := 0; len(data) > 0; i++ {
		n := 1
		if len(sizes) > 0 {
			n += int(sizes[i%len(sizes)])
		}
		n = min(n, len(data))
		out = append(out, data[:n])
		data = data[n:]
	}
	return out
}

// runWire sends the pieces to a wire in the given phase and returns the lines
// that at.AT would see, the signals, and how much at.AT left unread.
func runWire(pieces [][]byte, in phase) (lines []string, signals []Signal) {
	w := newWire(&chunks{pieces: pieces, end: io.EOF}, slog.New(slog.DiscardHandler), new(Trace))
	w.phase, w.command = in, "+CMGL=4"
	if in == awaiting {
		w.command, w.send = "+CMGS=10", &submission{pdu: "00010000"}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		scanner := bufio.NewScanner(w)
		for scanner.Scan() {
			if line := strings.TrimSpace(scanner.Text()); line != "" {
				lines = append(lines, line)
			}
		}
	}()
	_ = w.pump()
	<-done
	close(w.signals)
	for s := range w.signals {
		s.At = time.Time{}
		signals = append(signals, s)
	}
	return lines, signals
}

// FuzzWire holds that what comes out does not depend on how the octets were
// cut, that no line is invented, and that at most one final code is let
// through per command.
func FuzzWire(f *testing.F) {
	for _, seed := range []string{
		"\r\n+CMGL: 1,0,,9\r\n0791999000000000040A\r\n+CMTI: \"SM\",3\r\n\r\nOK\r\n",
		"\r\n> \x00\r\r\n+CMGS: 7\r\n\r\nOK \r\n", "+CUSD: 1,\"a\r\nb\",15\r\nOK\r\n", "COMMAND NOT SUPPORT\r+CDS: 9\r\n\r\n0102030405\r\n",
		"AT+CMGL=4\r\n+CMS ERROR: 321\r\n", ">\r\n> x\r\nERRORS\r\nERROR\r\n", "RDY\r\n+CMGS: 1\r\nOK\r\n", "+CUSD: 1,\"open\r\nOK\r\n",
	} {
		f.Add([]byte(seed), []byte{0, 3, 1}, uint8(running))
		f.Add([]byte(seed), []byte{7}, uint8(awaiting))
	}
	f.Fuzz(func(t *testing.T, data, sizes []byte, p uint8) {
		in := phase(p % 3)
		lines, signals := runWire(cut(data, sizes), in)
		again, signalsAgain := runWire([][]byte{data}, in)
		if len(data) == 0 {
			again, signalsAgain = runWire(nil, in)
		}
		if !slices.Equal(lines, again) || !reflect.DeepEqual(signals, signalsAgain) {
			t.Fatalf("chunks change the lines:\n%q\n%q\n%+v\n%+v", lines, again, signals, signalsAgain)
		}
		finals := 0
		for _, line := range lines {
			if _, ok := final(line); ok {
				finals++
				continue
			}
			if line != prompt && !bytes.Contains(cleaned(data), []byte(line)) {
				t.Errorf("line %q was invented from %q", line, data)
			}
		}
		if in == idle && len(lines) > 0 || finals > 1 {
			t.Errorf("phase %d let %q through", in, lines)
		}
	})
}

// cleaned drops what the splitter drops, so that a line can be found again.
func cleaned(data []byte) []byte {
	spaced := bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	return slices.DeleteFunc(spaced, func(b byte) bool {
		return b < ' ' && b != '\r' && b != '\n' || b == 0x7F
	})
}

// FuzzSignal holds that reading an unasked line never panics, that its fields
// come from the line, and that data is never made of a hint.
func FuzzSignal(f *testing.F) {
	for _, seed := range []string{
		`+CMTI: "SM",3`, `+CMTI: ,-1`, `+CDSI: "SR",0`, "+CDS: ,25", "+CMT: \"\",24", `^SMMEMFULL:"SM"`, "RING", `+CLIP: "+999000001",145`,
		"RDY", `+QIND: "smsfull","ME"`, "+CMTI:", `+CLIP: "`, "+CLIP:0,145",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		s, ok := parseSignal(line)
		if ok && (s.PDU != "" || !strings.Contains(line, s.Memory) || !strings.Contains(line, strings.TrimPrefix(s.Text, "+"))) { // the + is the number's type, 145
			t.Errorf("%q read as %+v", line, s)
		}
		if head, ok := parseHeader(line); ok && head.PDU != "" {
			t.Errorf("%q read as %+v", line, head)
		}
		if masked := mask(line); len(line) > 0 && masked == "" && strings.Trim(line, "\x1a") != "" {
			t.Errorf("%q is masked as nothing", line)
		}
	})
}
