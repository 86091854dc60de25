package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/modemgate/modemgate/gateway"
)

// files are all files of the data directory but those of the keys.
func (r *rig) files() (list []string) {
	r.t.Helper()
	err := filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !slices.Contains(gateway.SecretFiles(), d.Name()) {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// forms are the ways a text can stand in a file or a log: plain, UCS2, the
// septets of an SMS at each of the eight bit offsets, hex of these in both
// cases, and base64 at each of its three offsets.
func forms(text string) (list [][]byte) {
	list = append(list, []byte(text))
	var ucs2 []byte
	for _, u := range utf16.Encode([]rune(text)) {
		ucs2 = append(ucs2, byte(u>>8), byte(u))
	}
	raw := [][]byte{[]byte(text), ucs2}
	if strings.IndexFunc(text, func(r rune) bool { return r > 'z' }) < 0 { // GSM 7-bit is ASCII here
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
		from := (offset*8 + 5) / 6
		list = append(list, []byte(s[from:(offset+len(text))*8/6]))
	}
	return list
}

// septets packs text as GSM 7-bit behind the given number of bits, without
// the octets at the ends that hold bits of neighbours.
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
	first, last := 0, (offset+7*len(text))/8
	if offset > 0 {
		first = 1
	}
	return out[first:last]
}

// grep lists the files that hold one of the needles, which are long enough
// not to be found by chance.
func grep(t *testing.T, files []string, needles [][]byte) (hits []string) {
	t.Helper()
	for _, f := range files {
		b, err := os.ReadFile(f)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range needles {
			if len(n) >= 5 && bytes.Contains(b, n) {
				hits = append(hits, fmt.Sprintf("%s (form %d)", filepath.Base(f), i))
			}
		}
	}
	return hits
}
