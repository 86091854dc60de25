package gateway

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
)

var idAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newID makes an id that sorts by time: prefix, 48 bits of milliseconds and
// 80 random bits, in Crockford's base 32.
func newID(prefix string, at time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	rand.Read(b[6:]) // never fails: crypto/rand ends the process instead
	return prefix + idAlphabet.EncodeToString(b[:])
}

// firstID is below every id made at or after the time.
func firstID(prefix string, at time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	return prefix + idAlphabet.EncodeToString(b[:])
}

// validID says whether s can be an id with the prefix, so that nonsense does
// not reach the store.
func validID(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != 26 {
		return false
	}
	_, err := idAlphabet.DecodeString(rest)
	return err == nil
}
