package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// SealKeySize is the length of [Options.SealKey], octets (AES-256).
const SealKeySize = 32

// sealFormat is the first octet of a sealed value: AES-256-GCM, 96-bit random
// nonce, then the ciphertext with its tag. Random nonces are good for 2^32
// values under one key (NIST SP 800-38D §8.3).
const sealFormat = 1

// ErrUnreadable is a sealed value that cannot be opened. It says nothing about the value on purpose.
var ErrUnreadable = errors.New("a sealed value cannot be opened: the key in the data directory is not the one it was sealed with, or the value was moved or damaged")

// sealer seals values for their place: table, column and row are
// authenticated with each, so that none can stand in for another.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (*sealer, error) {
	if len(key) != SealKeySize {
		return nil, fmt.Errorf("the seal key has %d octets, it must have %d", len(key), SealKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &sealer{aead}, nil
}

// seal returns nil, the SQL NULL, for nothing.
func (s *sealer) seal(place string, plain []byte) []byte {
	if len(plain) == 0 {
		return nil
	}
	out := make([]byte, 1+s.aead.NonceSize(), 1+s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	out[0] = sealFormat
	rand.Read(out[1:]) //nolint:errcheck // never fails, crypto/rand.Read
	return s.aead.Seal(out, out[1:], plain, []byte(place))
}

func (s *sealer) open(place string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	n := 1 + s.aead.NonceSize()
	if len(sealed) < n || sealed[0] != sealFormat {
		return nil, ErrUnreadable
	}
	plain, err := s.aead.Open(nil, sealed[1:n], sealed[n:], []byte(place))
	if err != nil {
		return nil, ErrUnreadable
	}
	return plain, nil
}
