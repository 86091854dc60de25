package api

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate follows a pair of files: at a handshake it looks whether they
// changed. A new pair that cannot be used is logged once and the old one
// stays, so that a renewal that is half written harms nobody.
type certificate struct {
	certFile, keyFile string
	recheck           time.Duration // between two looks at the files, at least
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	current string // versions of the files of pair
	refused string // versions of the files that could not be used
	checked time.Time
}

// loadCertificate reads the pair for the first time; then it must be good.
func loadCertificate(certFile, keyFile string, recheck time.Duration, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, recheck: recheck, log: log}
	version, err := c.version()
	if err != nil {
		return nil, fmt.Errorf("api.tls: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("api.tls: %s and %s: %w", certFile, keyFile, err)
	}
	c.pair, c.current, c.checked = &pair, version, time.Now()
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// get is called for each handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= c.recheck {
		c.checked = now
		c.reload()
	}
	return c.pair, nil
}

func (c *certificate) reload() {
	version, err := c.version()
	if err == nil && version == c.current {
		return
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.certFile, c.keyFile)
	}
	if err != nil {
		if c.refused != version {
			c.log.Error("new TLS certificate cannot be used, the old one stays", "cert", c.certFile, "err", err)
		}
		c.refused = version
		return
	}
	c.pair, c.current, c.refused = &pair, version, ""
	c.log.Info("new TLS certificate in use", "cert", c.certFile)
}

// version tells one state of both files from another.
func (c *certificate) version() (string, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return "missing", err
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return "missing", err
	}
	return fmt.Sprintf("%v %d %v %d", cert.ModTime(), cert.Size(), key.ModTime(), key.Size()), nil
}
