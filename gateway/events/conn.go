package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// inFlight is how many events are published before the first ack is
	// waited for; they are marked together.
	inFlight = 64
	// ackTimeout is how long the server may take to store one event.
	ackTimeout = 5 * time.Second
)

// openEmbedded starts the server, and has the keeper restore the streams and
// let clients in. On a full disk it leaves all to the keeper: the gateway can
// do without.
func (b *Bus) openEmbedded(ctx context.Context) error {
	b.gate = newGate(b.opts, b.names)
	b.gate.provision, b.gate.later = b.consumers, b.consumersLater
	server, err := newEmbedded(b.opts, b.gate, b.doubt)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("embedded nats server: %w", err)
	}
	b.server, b.gate.current, b.gate.hangUp = server, server.current, server.hangUp
	full := b.checkRoom()
	if errors.Is(full, os.ErrPermission) {
		return full // waiting would not help
	} else if full != nil {
		b.fault(partServer, full.Error())
		b.doubt(full)
	} else if err := server.listen(ctx); err != nil {
		return err
	}
	if err := b.connect("", nats.InProcessServer(server), nats.Token(b.gate.own), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(10*time.Millisecond, 0)); err != nil {
		return err
	}
	b.begin()
	go b.keepServer(full == nil)
	return nil
}

// stillRestoring is told until the streams are there for the first time.
const stillRestoring = "the embedded server restores its streams: events wait, and clients are let in when it has"

// restore has the server that listens restore its streams, for the first time.
func (b *Bus) restore() error {
	if err := b.server.restore(); err != nil {
		return err
	}
	if err := b.serve(b.ctx); err != nil {
		return err
	}
	b.fault(partServer, "")
	b.renew()
	return nil
}

// available says whether the streams can be asked for: before they are
// restored the server would say that there are none.
func (b *Bus) available() bool {
	return b.nc.IsConnected() && (b.gate == nil || b.gate.isOpen())
}

// serve makes the streams of the started server and opens the gate.
func (b *Bus) serve(ctx context.Context) error {
	err := b.awaitStreams(ctx)
	if unreadable(err) && b.checkRoom() == nil {
		if err := b.beginAnew(ctx); err != nil {
			return err
		}
		err = b.awaitStreams(ctx)
	}
	if err == nil {
		b.gate.open()
	}
	return err
}

// openExternal begins to connect to somebody else's cluster.
func (b *Bus) openExternal() error {
	opts := []nats.Option{
		nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, time.Second),
		// Rights that come later must not need a restart.
		nats.IgnoreAuthErrorAbort(),
	}
	if b.opts.CredsFile != "" {
		if _, err := os.Stat(b.opts.CredsFile); err != nil {
			return fmt.Errorf("nats creds_file: %w", err)
		}
		opts = append(opts, nats.UserCredentials(b.opts.CredsFile))
	}
	b.fault(partConnection, "not connected to "+redactURL(b.opts.URL)+" yet")
	return b.connect(b.opts.URL, opts...)
}

// connectTimeout is for one try to connect: a machine that is busy when it
// starts must not take its own server for one that is away.
const connectTimeout = 10 * time.Second

func (b *Bus) connect(url string, opts ...nats.Option) error {
	opts = append(opts,
		nats.Name("modemgate "+b.opts.Site),
		nats.Timeout(connectTimeout),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // nothing is sent later behind our back
		nats.PingInterval(20*time.Second), nats.MaxPingsOutstanding(2),
		nats.ConnectHandler(func(*nats.Conn) { b.connected() }),
		nats.ReconnectHandler(func(*nats.Conn) { b.connected() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { b.disconnected(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			b.log.Debug("nats connection", "err", mask(err.Error()))
		}),
	)
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return fmt.Errorf("connect to nats: %w", err)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2*inFlight),
		jetstream.WithPublishAsyncTimeout(ackTimeout), jetstream.WithDefaultTimeout(b.opts.apiTimeout))
	if err != nil {
		nc.Close()
		return fmt.Errorf("connect to nats: %w", err)
	}
	b.nc, b.js = nc, js
	if nc.IsConnected() {
		b.connected()
	}
	return nil
}

func (b *Bus) connected() {
	b.fault(partConnection, "")
	b.renew()
}

func (b *Bus) disconnected(err error) {
	if b.ctx.Err() != nil {
		return // closing
	}
	text := "the connection to nats is lost"
	if err != nil {
		text += ": " + mask(err.Error())
	}
	b.fault(partConnection, text)
}

var errAway = errors.New("nats is away")

// api gives ctx the time limit of a request to JetStream.
func (b *Bus) api(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, b.opts.apiTimeout)
}
