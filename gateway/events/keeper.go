package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// probeSize is what must be writable before the server is started again,
	// bytes: room for the files it writes while it recovers.
	probeSize = 1 << 20
	// probeEvery is how often a full disk is looked at.
	probeEvery = time.Second
	// restartPause is the least time between two restarts; it doubles while
	// they do not help.
	restartPause    = 10 * time.Second
	maxRestartPause = 5 * time.Minute
)

// doubt tells the keeper that the server may store nothing any more.
func (b *Bus) doubt(err error) {
	if b.opts.URL != "" || errors.Is(err, errAway) {
		return
	}
	select {
	case b.suspect <- err:
	default:
	}
}

// keepServer restarts the embedded server when it does not store events any
// more although the disk takes a real write: after a full disk the server
// leaves every publish unanswered and says that it is well.
func (b *Bus) keepServer() {
	defer b.work.Done()
	pause, last := restartPause, time.Time{}
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-b.suspect:
		}
		if !b.awaitRoom() {
			return
		}
		if wait := pause - time.Since(last); !last.IsZero() && wait > 0 {
			pause = min(2*pause, maxRestartPause)
			if !b.sleep(wait) {
				return
			}
		} else {
			pause = restartPause
		}
		b.restartServer()
		last = time.Now()
		select {
		case <-b.suspect: // from before
		default:
		}
	}
}

// awaitRoom waits until the disk takes a real write; false when the bus ends.
func (b *Bus) awaitRoom() bool {
	for {
		err := probe(b.opts.Dir)
		if err == nil {
			return true
		}
		b.fault(partServer, fmt.Sprintf("the disk of the streams does not take a write: %v", err))
		if !b.sleep(probeEvery) {
			return false
		}
	}
}

// restartServer brings up a new server and lets the clients back in.
func (b *Bus) restartServer() {
	b.log.Warn("the embedded nats server stores nothing any more; it is started again")
	b.gate.shut()
	for {
		err := b.server.restart(b.ctx)
		if err == nil {
			break
		}
		b.fault(partServer, mask(err.Error()))
		if !b.sleep(probeEvery) {
			return
		}
	}
	if err := b.awaitConnection(); err != nil {
		b.fault(partServer, mask(err.Error()))
		return // the publishers notice and doubt again
	}
	b.gate.open()
	b.fault(partServer, "")
	b.renew()
}

func (b *Bus) awaitConnection() error {
	ctx, cancel := context.WithTimeout(b.ctx, readyTimeout)
	defer cancel()
	for !b.nc.IsConnected() {
		select {
		case <-ctx.Done():
			return errAway
		case <-time.After(10 * time.Millisecond):
		}
	}
	return b.ownStreams(ctx)
}

func (b *Bus) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-b.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// probe writes, syncs and removes a file beside the streams.
func probe(dir string) (err error) {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(make([]byte, probeSize)); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
