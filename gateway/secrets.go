package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Secrets are the keys of an installation. Each is 32 octets in a file of
// its own in the data directory, mode 0600, and is never in the database.
type Secrets struct {
	Pepper []byte // of codes and number hashes
	Seal   []byte // of texts and PDUs in the store
	Stream []byte // of the event streams on the disk
}

var secretFiles = []string{"pepper.key", "seal.key", "stream.key"}

// SecretFiles names the key files, relative to the data directory.
func SecretFiles() []string { return append([]string(nil), secretFiles...) }

// LoadSecrets reads the key files of a data directory. Missing ones are made
// only in a directory without a database: a database without its keys is an
// error that says what would become invalid.
func LoadSecrets(dir, database string) (Secrets, error) {
	_, err := os.Stat(filepath.Join(dir, database))
	fresh := errors.Is(err, fs.ErrNotExist)
	var s Secrets
	for i, p := range []*[]byte{&s.Pepper, &s.Seal, &s.Stream} {
		path := filepath.Join(dir, secretFiles[i])
		b, err := os.ReadFile(path)
		switch {
		case err == nil && len(b) == 32:
			*p = b
		case err == nil:
			return s, fmt.Errorf("%s: is %d octets long, a key is 32: put the right file back from your backup", path, len(b))
		case errors.Is(err, fs.ErrNotExist) && fresh:
			if *p, err = makeSecret(path); err != nil {
				return s, err
			}
		case errors.Is(err, fs.ErrNotExist):
			return s, fmt.Errorf("%s is missing: without it %s; put it back from your backup, or move the data directory away to start anew", path, secretLoss[i])
		default:
			return s, err
		}
	}
	return s, nil
}

var secretLoss = []string{
	"no pending code can be verified and the limits of every number are lost",
	"no stored text can be read",
	"no event kept in the streams can be read",
}

func makeSecret(path string) ([]byte, error) {
	b := make([]byte, 32)
	rand.Read(b)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	return b, err
}

// mac is HMAC-SHA-256 under the pepper over a domain and fields; the fields
// are framed by their lengths, so that no two lists give the same input.
func (s Secrets) mac(domain string, fields ...string) []byte {
	h := hmac.New(sha256.New, s.Pepper)
	fmt.Fprintf(h, "%d:%s", len(domain), domain)
	for _, f := range fields {
		fmt.Fprintf(h, "%d:%s", len(f), f)
	}
	return h.Sum(nil)
}

// number is the name of a number in limits: it cannot be turned back.
func (s Secrets) number(e164 string) string {
	return hex.EncodeToString(s.mac("number", e164)[:16])
}
