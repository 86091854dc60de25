package events

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificates is a certificate with its key that follows its files: a
// handshake after a change uses the new pair. A pair that cannot be read
// leaves the old one in use.
type certificates struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate
	stamps [2]stamp
}

// stamp tells one version of a file from the next.
type stamp struct {
	at   time.Time
	size int64
}

func newCertificates(certFile, keyFile string, log *slog.Logger) (*certificates, error) {
	c := &certificates{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("nats tls: %w", err)
	}
	return c, nil
}

func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(), nil
		},
	}
}

func (c *certificates) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stat() == c.stamps {
		return c.pair
	}
	if err := c.load(); err != nil {
		c.log.Warn("the new nats certificate cannot be used; the old one stays", "err", err)
		c.stamps = c.stat()
		return c.pair
	}
	c.log.Info("nats certificate read again", "file", c.certFile)
	return c.pair
}

func (c *certificates) load() error {
	stamps := c.stat()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.stamps = &pair, stamps
	return nil
}

func (c *certificates) stat() (s [2]stamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if fi, err := os.Stat(name); err == nil {
			s[i] = stamp{fi.ModTime(), fi.Size()}
		}
	}
	return s
}
