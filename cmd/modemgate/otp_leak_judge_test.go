package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"
)

// forms are the ways a text can stand in a file or a log: plain, as JSON, in
// UCS2, in the septets of an SMS at each bit offset, in hex of these in both
// cases, in base64 at each offset.
func forms(text string) (list [][]byte) {
	list = append(list, []byte(text), []byte(strings.Trim(quote(text), "\"\n")))
	var ucs2 []byte
	for _, u := range utf16.Encode([]rune(text)) {
		ucs2 = append(ucs2, byte(u>>8), byte(u))
	}
	raw := [][]byte{[]byte(text), ucs2}
	if strings.IndexFunc(text, func(r rune) bool { return r > 'z' }) < 0 { // GSM 7-bit is ASCII there
		for offset := range 7 {
			raw = append(raw, septets(text, offset))
		}
	}
	list = append(list, raw[1:]...)
	for _, b := range raw {
		h := hex.EncodeToString(b)
		list = append(list, []byte(h), []byte(strings.ToUpper(h)))
	}
	for offset := range 3 {
		s := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + text))
		list = append(list, []byte(s[(offset*8+5)/6:(offset+len(text))*8/6]))
	}
	return list
}

// septets packs text as GSM 7-bit behind some bits (3GPP TS 23.038 §6.1.2.1),
// without the octets at the ends that hold bits of neighbours.
func septets(text string, offset int) []byte {
	out := make([]byte, (offset+7*len(text)+7)/8)
	for i := range len(text) {
		for b := range 7 {
			if text[i]>>b&1 == 1 {
				at := offset + 7*i + b
				out[at/8] |= 1 << (at % 8)
			}
		}
	}
	return out[min(offset, 1) : (offset+7*len(text))/8]
}

// digitForms are the ways a whole number can stand in a log: its digits, and
// the swapped semi-octets of a PDU.
func digitForms(number string) (list [][]byte) {
	digits := strings.TrimPrefix(number, "+")
	swapped := []byte(digits)
	if len(swapped)%2 == 1 {
		swapped = append(swapped, 'F')
	}
	for i := 0; i < len(swapped); i += 2 {
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
	}
	return [][]byte{[]byte(digits), swapped, []byte(strings.ToLower(string(swapped)))}
}

// find says what of the needles is in b.
func find(b []byte, what string, needles [][]byte) (hits []string) {
	for i, n := range needles {
		if len(n) >= 6 && bytes.Contains(b, n) {
			at := bytes.Index(b, n)
			hits = append(hits, fmt.Sprintf("%s, form %d, at octet %d", what, i, at))
		}
	}
	return hits
}

// secretsIn lists which secrets are in b.
func (w *witness) secretsIn(b []byte) (hits []string) {
	if len(w.needles) != len(w.secret) {
		w.needles = map[string][][]byte{}
		for s := range w.secret {
			w.needles[s] = forms(s)
		}
	}
	for s, n := range w.needles {
		hits = append(hits, find(b, w.secret[s], n)...)
	}
	return hits
}

// numbersIn lists which numbers are in b whole.
func (w *witness) numbersIn(b []byte) (hits []string) {
	for n := range w.number {
		hits = append(hits, find(b, "a number", digitForms(n))...)
	}
	return hits
}

// judge looks for secrets in all that the life has left.
func (w *witness) judge() {
	w.Helper()
	log, err := os.ReadFile(w.logFile)
	if err != nil {
		w.Fatal(err)
	}
	if !bytes.Contains(log, []byte(`"DEBUG"`)) || bytes.Count(log, []byte("\n")) < 100 {
		w.Fatal("the log is not at level debug")
	}
	for line := range bytes.Lines(log) {
		for _, hit := range append(w.secretsIn(line), w.numbersIn(line)...) {
			w.Errorf("log: %s in %s", hit, line)
		}
	}
	status := 0
	for subject, b := range w.payloads {
		if strings.HasPrefix(subject, "SMS_INBOUND") {
			continue // the place where received texts belong
		}
		status++
		for _, hit := range w.secretsIn(b) {
			w.Errorf("event %s: %s", subject, hit)
		}
		if strings.Contains(subject, " otp.") || bytes.Contains(b, []byte(`"otp_id"`)) {
			for _, hit := range w.numbersIn(b) {
				w.Errorf("event %s: %s", subject, hit)
			}
		}
	}
	if status == 0 || len(w.payloads) == status {
		w.Errorf("%d events of %d are of status: the test does not see them", status, len(w.payloads))
	}
	for _, a := range w.bodies {
		if a.status < 300 && (strings.Contains(a.what, "/v1/messages") || strings.Contains(a.what, "/v1/inbound")) {
			continue // their readers are entitled to texts
		}
		for _, hit := range w.secretsIn([]byte(a.body)) {
			w.Errorf("answer %d to %s: %s in %s", a.status, a.what, hit, a.body)
		}
	}
	if len(w.dialogue) == 0 {
		w.Error("no dialogue with a modem was looked at")
	}
	secrets, numbers := w.overheard()
	for _, hit := range append(secrets, numbers...) {
		w.Errorf("dialogue: %s", hit)
	}
	w.disk()
}

// disk looks for secrets in every file but those of the keys.
func (w *witness) disk() {
	w.Helper()
	files := 0
	err := filepath.WalkDir(w.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".key") {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		for _, hit := range w.secretsIn(b) {
			w.Errorf("file %s: %s", strings.TrimPrefix(path, w.data), hit)
		}
		return err
	})
	if err != nil || files < 5 {
		w.Errorf("%d files, %v", files, err)
	}
	w.Logf("%d secrets, %d numbers, %d events, %d answers, %d files", len(w.secret), len(w.number), len(w.payloads), len(w.bodies), files)
}

// control shows that the same grep finds what is not masked: in the dialogue
// as it went over the wire, in log lines made with the raw values, in a file
// with a text that was not sealed.
func (w *witness) control() {
	w.Helper()
	var wire []byte
	for _, m := range w.net.Modems() {
		wire = append(wire, strings.Join(m.Transcript(), "\n")...)
	}
	codes := 0
	for s, what := range w.secret {
		if what == "a code" {
			if codes++; len(find(wire, what, forms(s))) == 0 {
				w.Errorf("the grep does not find a code in the dialogue with the modem")
			}
		}
		var line bytes.Buffer
		slog.New(slog.NewJSONHandler(&line, nil)).Info("unmasked", "value", s)
		slog.New(slog.NewTextHandler(&line, nil)).Info("unmasked", "value", []byte(s))
		if len(w.secretsIn(line.Bytes())) == 0 {
			w.Errorf("the grep does not find %s in a log line", what)
		}
		if len(w.secretsIn([]byte("\x00\x17"+s+"\x01"))) == 0 {
			w.Errorf("the grep does not find %s in a file", what)
		}
	}
	for n := range w.number {
		var line bytes.Buffer
		slog.New(slog.NewJSONHandler(&line, nil)).Info("unmasked", "to", n)
		if len(w.numbersIn(line.Bytes())) == 0 {
			w.Error("the grep does not find a number in a log line")
		}
	}
	if len(w.numbersIn(wire)) == 0 || codes < 8 {
		w.Errorf("the grep finds no number in the dialogue, or saw only %d codes", codes)
	}
}
