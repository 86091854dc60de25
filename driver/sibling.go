package driver

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// pokeSibling writes AT to the other port of a modem that is silent on the first,
// and says whether that port took it. One that another program holds is left
// alone. What comes back is of no interest but for its time: until then the
// octets may not be out, and closing the port would throw them away.
func pokeSibling(ctx context.Context, o Options) bool {
	if o.Sibling == nil || ctx.Err() != nil {
		return false
	}
	silent := o.Port
	if o.Port = o.Sibling(); o.Port == "" {
		return false
	}
	p, err := openPort(o)
	if err == nil {
		_, err = p.Write([]byte("AT\r"))
	}
	if p != nil {
		_ = p.wait(unix.POLLIN, time.Now().Add(o.CommandTimeout/5))
		_ = p.Close()
	}
	if err != nil {
		o.Log.Warn("a modem is silent, and its other port, which may wake it, cannot be used", "port", silent, "other", o.Port, "err", err)
		return false
	}
	o.Log.Info("a modem was silent: AT went to its other port, and it is tried once more", "port", silent, "other", o.Port)
	return true
}
