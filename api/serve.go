package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// door is a listener with the handler behind it.
type door struct {
	listener net.Listener
	limit    *limited // the listener, or below it
	handler  http.Handler
}

// Listen opens the doors, so that an address in use is known before anything
// else starts; [Server.Run] then serves them. Errors wrap those of package
// net (syscall.EADDRINUSE when another program has the port).
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listening {
		return nil
	}
	if err := s.open(); err != nil {
		s.shut()
		return err
	}
	s.listening = true
	return nil
}

func (s *Server) open() error {
	if s.o.Listen == "" && s.o.SocketPath == "" {
		return errors.New("api: neither an address nor a socket to listen on")
	}
	if s.o.SocketPath != "" {
		l, err := listenSocket(s.o.SocketPath)
		if err != nil {
			return err
		}
		limited := limit(l, socketConns)
		s.doors = append(s.doors, door{limited, limited, s.local})
	}
	if s.o.Listen == "" {
		return nil
	}
	var config *tls.Config
	if s.o.CertFile != "" || s.o.KeyFile != "" {
		certs, err := loadCertificate(s.o.CertFile, s.o.KeyFile, s.times.recheck, s.log)
		if err != nil {
			return err
		}
		config = certs.config()
	}
	l, err := net.Listen("tcp", s.o.Listen)
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	s.addr = l.Addr()
	limited := limit(l, s.o.MaxConns)
	l = limited
	if config != nil {
		l = tls.NewListener(l, config)
	}
	s.doors = append(s.doors, door{l, limited, s.tcp})
	if s.o.AddrFile == "" {
		return nil
	}
	return s.noteAddr()
}

// noteAddr writes the address to its file. On a full disk it only removes an
// old one, which would lie: what is stored can be read all the same.
func (s *Server) noteAddr() error {
	err := writeFile(s.o.AddrFile, s.addr.String()+"\n")
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	s.o.Log.Warn("the disk is full: the address is not in its file", "addr", s.addr.String(), "err", err)
	if err := os.Remove(s.o.AddrFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("api: remove the old address: %w", err)
	}
	return nil
}

// shut closes what open opened.
func (s *Server) shut() {
	for _, d := range s.doors {
		_ = d.listener.Close()
	}
	s.doors, s.addr = nil, nil
}

// Addr is the TCP address really listened on, nil before [Server.Listen] and
// without TCP.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Run serves until ctx ends. Then it takes no new requests, ends long polls
// at once with what there is, and lets the others finish for at most
// Options.Drain. It returns nil after a clean end. A server runs once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	if s.o.AddrFile != "" {
		defer func() { _ = os.Remove(s.o.AddrFile) }()
	}
	group, ctx := errgroup.WithContext(ctx)
	var servers []*http.Server
	for _, d := range s.doors {
		server := s.httpServer(d.handler)
		server.ConnState = d.limit.state
		servers = append(servers, server)
		group.Go(func() error {
			if err := server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("api: %w", err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		return s.drain(servers)
	})
	return group.Wait()
}

// drain ends all servers together.
func (s *Server) drain(servers []*http.Server) error {
	close(s.closing)
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Drain)
	defer cancel()
	var group errgroup.Group
	for _, server := range servers {
		group.Go(func() error {
			if err := server.Shutdown(ctx); err != nil {
				s.log.Warn("requests were cut off at the end", "err", err)
				return server.Close()
			}
			return nil
		})
	}
	return group.Wait()
}

// httpServer has a time-out for everything a client can draw out. There is no
// ReadTimeout: it would end the context of a long poll; bodies have their own
// limit (see wire). HTTP/1.1 only: one connection is one request at a time,
// so the limit of connections limits the work.
func (s *Server) httpServer(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: s.times.header,
		WriteTimeout:      s.times.write,
		IdleTimeout:       s.times.idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(quiet{s.log.Handler()}, slog.LevelWarn),
	}
}

// quiet lowers what net/http says of handshakes that failed: any scanner of
// ports can cause those.
type quiet struct{ slog.Handler }

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "TLS handshake error") {
		if r.Level = slog.LevelDebug; !q.Enabled(ctx, r.Level) {
			return nil
		}
	}
	r.Message = strings.TrimPrefix(r.Message, "http: ")
	return q.Handler.Handle(ctx, r)
}

// writeFile replaces a file at once, so that no reader sees half of it.
func writeFile(path, content string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("api: write the address: %w", err)
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("api: write the address: %w", err)
	}
	return nil
}
