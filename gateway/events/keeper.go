package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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
	// settleTime is how long after the start memory is given back, and how
	// long after that once more: the server keeps what it has read for 10 s.
	settleTime = 7 * time.Second
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

// keepServer restores the streams of a server that listens, if there is one,
// and restarts it when it does not store events any more although the disk
// takes a real write: after a full disk the server leaves every publish
// unanswered and says that it is well.
func (b *Bus) keepServer(listens bool) {
	defer b.work.Done()
	if listens {
		b.broken = b.restore()
	}
	close(b.restored)
	if b.broken != nil {
		if b.ctx.Err() == nil {
			b.fault(partServer, mask(b.broken.Error()))
		}
		return
	}
	b.dropOld()
	settled := time.NewTicker(settleTime)
	defer settled.Stop()
	rounds := 2
	pause, last := restartPause, time.Time{}
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-settled.C:
			freeMemory()
			if rounds--; rounds == 0 {
				settled.Stop()
			}
			continue
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

// freeMemory gives back what restoring the streams took: the server reads
// them in blocks of 8 MiB, whose buffers go to pools that are empty after a
// second collection.
func freeMemory() {
	runtime.GC()
	debug.FreeOSMemory()
}

// awaitRoom waits until the disk takes a real write; false when the bus ends.
func (b *Bus) awaitRoom() bool {
	for {
		err := b.checkRoom()
		if err == nil {
			return true
		}
		b.fault(partServer, err.Error())
		if !b.sleep(probeEvery) {
			return false
		}
	}
}

var errNoRoom = errors.New("the disk of the streams does not take a write")

// checkRoom writes, syncs and removes a file beside the streams.
func (b *Bus) checkRoom() error {
	f, err := os.CreateTemp(b.opts.Dir, ".room-*")
	if err == nil {
		if _, err = f.Write(make([]byte, probeSize)); err == nil {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errNoRoom, err)
	}
	return nil
}

// restartServer brings up a new server and lets the clients back in.
func (b *Bus) restartServer() {
	b.log.Warn("the embedded nats server stores nothing; it is started again")
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
	if err := b.serve(b.ctx); err != nil {
		b.fault(partServer, mask(err.Error()))
		b.doubt(err)
		return
	}
	b.fault(partServer, "")
	b.renew()
}

// awaitStreams makes the streams of the running server. A request that goes
// unanswered, as when the connection is lost meanwhile, is made again.
func (b *Bus) awaitStreams(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		if err := b.awaitOwn(ctx); err != nil {
			return err
		}
		err := b.ownStreams(ctx)
		if err == nil || ctx.Err() != nil || !unanswered(err) {
			return err
		}
		b.log.Warn("the embedded nats server does not answer; it is asked again", "err", err)
	}
}

// awaitOwn waits until our own connection is one to the running server. For a
// while after a restart it may still look well and be one to the server
// before, which answers nothing.
func (b *Bus) awaitOwn(ctx context.Context) error {
	for {
		if srv := b.server.current(); srv != nil && b.nc.ConnectedServerId() == srv.ID() {
			return nil
		}
		select {
		case <-ctx.Done():
			return errAway
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// unanswered says whether a request may have been lost; to make a stream is
// to find it when it was made all the same.
func unanswered(err error) bool {
	for _, lost := range []error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected,
		nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}

// unreadable says whether the server cannot open the files of a stream.
func unreadable(err error) bool {
	var refused *jetstream.APIError
	return errors.As(err, &refused) && refused.ErrorCode == errCodeStreamCreate
}

// errCodeStreamCreate is JSStreamCreateErrF of nats-server.
const errCodeStreamCreate jetstream.ErrorCode = 10049

// beginAnew puts streams away that the server cannot read, as under another
// key, and starts it with new ones. They are a window on what the store has;
// the publishers go on behind what they marked.
func (b *Bus) beginAnew(ctx context.Context) error {
	dir := filepath.Join(b.opts.Dir, server.JetStreamStoreDir)
	away := dir + awayMark + time.Now().UTC().Format("20060102T150405.000")
	b.log.Error("the streams cannot be read: they are damaged or were written with another key; they are put away and begin anew",
		"dir", dir, "away", away)
	b.server.halt(ctx)
	if err := os.Rename(dir, away); err != nil {
		return fmt.Errorf("put unreadable streams away: %w", err)
	}
	return b.server.start(ctx)
}

const awayMark = ".unreadable-"

// dropOld removes streams that were put away longer ago than received SMS
// are kept.
func (b *Bus) dropOld() {
	list, _ := filepath.Glob(filepath.Join(b.opts.Dir, server.JetStreamStoreDir+awayMark+"*"))
	for _, dir := range list {
		fi, err := os.Stat(dir)
		if err != nil || time.Since(fi.ModTime()) < b.opts.InboundKeep {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			b.log.Warn("old unreadable streams cannot be removed", "dir", dir, "err", err)
		}
	}
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
