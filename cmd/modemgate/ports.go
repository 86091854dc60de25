package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/modemgate/modemgate/configs"
)

// portsFree refuses addresses that other programs listen on, and names them.
// That may pass, so it is no fault of the configuration.
func portsFree(cfg configs.Config) error {
	err := portFree(cfg.API.Listen, "api.listen")
	if cfg.NATS.URL == "" {
		err = errors.Join(err, portFree(cfg.NATS.Listen, "nats.listen"))
	}
	return err
}

func portFree(addr, key string) error {
	if addr == "" {
		return nil
	}
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %s is in use%s: stop that program, or choose another address in %s", key, addr, holder(addr), key)
	}
	if err != nil {
		return fmt.Errorf("%s: cannot listen on %s: %w; choose another address in %s", key, addr, err, key)
	}
	return l.Close()
}
