package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/modemgate/modemgate/api"
	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/driver/usb"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/events"
	"github.com/modemgate/modemgate/gateway/store"
)

// errUsage marks errors that only another command line or configuration
// mends, so that the service manager does not try again.
var errUsage = errors.New("configuration")

// streamShare is the part of storage.max that the event streams may take; the
// database has the rest.
const streamShare = 4

// socketName is the local door of a running daemon in its data directory.
const socketName = "admin.sock"

// app is the running program.
type app struct {
	cfg  configs.Config
	log  *slog.Logger
	gw   *gateway.Gateway
	api  *api.Server
	bus  *events.Bus
	pins *gateway.PINs
	sim  *sim.Network // nil unless lines are simulated
	stop []cleanup    // run in reverse

	finder *usb.Finder       // nil if lines are simulated
	usb    *driver.USBSwitch // the same
}

// cleanup is one thing to end, by name.
type cleanup struct {
	name string
	end  func() error
}

func (a *app) defers(name string, end func() error) { a.stop = append(a.stop, cleanup{name, end}) }

// close ends what was started, last first.
func (a *app) close() error {
	var all []error
	for len(a.stop) > 0 {
		c := a.stop[len(a.stop)-1]
		a.stop = a.stop[:len(a.stop)-1]
		if err := c.end(); err != nil {
			all = append(all, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errors.Join(all...)
}

// build acquires everything in order: directory, keys, store, broker,
// simulator, gateway, API. tune, if not nil, changes what the simulator does,
// more what the gateway is told.
func build(ctx context.Context, cfg configs.Config, log *slog.Logger, tune func(*sim.Options), more ...func(*gateway.Options)) (_ *app, err error) {
	a := &app{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := a.takeDataDir(); err != nil {
		return nil, secondDaemon(err)
	}
	if err := portsFree(cfg); err != nil {
		return nil, err
	}
	var late atomic.Pointer[gateway.Gateway] // store and broker call the gateway back
	secrets, st, err := a.openStore(ctx, func(ids []string) {
		if g := late.Load(); g != nil {
			g.Notify(ids)
		}
	})
	if err != nil {
		return nil, err
	}
	known := make(chan struct{}) // closed when late is set, or will not be
	defer close(known)
	if err := a.openBus(ctx, secrets, func(token string) (events.Grant, bool) {
		<-known // not yet to know a key is not to say that it is wrong
		if g := late.Load(); g != nil {
			return g.Grant(token)
		}
		return events.Grant{}, false
	}); err != nil {
		return nil, err
	}
	a.pins = gateway.NewPINs(st, secrets)
	lines, phones, err := a.openLines(tune)
	if err != nil {
		return nil, err
	}
	o := gatewayOptions(cfg, log)
	o.Store, o.Secrets, o.Bus, o.Lines = st, secrets, a.bus, lines
	o.Phones = phones
	o.Recovery = a.recoveryOptions()
	if a.finder != nil {
		o.Plugged = a.plugged
	}
	if a.finder != nil && cfg.Modems.Adopt() {
		o.Adopt, o.Unused = a.adoptedLine, a.finder.Words
	}
	for _, set := range more {
		set(&o)
	}
	if a.gw, err = gateway.New(ctx, o); err != nil {
		return nil, err
	}
	late.Store(a.gw)
	return a, a.openAPI()
}

// provision waits until the streams are there, then gives every live key its
// consumers and takes those of keys that were revoked while the daemon was
// down.
func (a *app) provision(ctx context.Context) error {
	if err := a.bus.AwaitStreams(ctx); ctx.Err() != nil {
		return nil
	} else if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	for _, g := range a.gw.Grants() {
		if err := a.bus.Provision(ctx, g); err != nil && ctx.Err() == nil {
			a.log.Warn("a key has no NATS consumers yet; they are made when it connects", "key", g.Key, "err", err)
		}
	}
	err := a.bus.Retain(ctx, func(key string) bool {
		return slices.ContainsFunc(a.gw.Grants(), func(g events.Grant) bool { return g.Key == key })
	})
	if err != nil && ctx.Err() == nil {
		a.log.Warn("consumers of revoked keys could not be removed; the next start tries again", "err", err)
	}
	return nil
}

// openStore opens what is in the data directory, which has been taken.
func (a *app) openStore(ctx context.Context, notify func([]string)) (gateway.Secrets, store.Store, error) {
	dir := a.cfg.DataDir
	secrets, err := gateway.LoadSecrets(dir, store.FileName)
	if err != nil {
		return secrets, nil, err
	}
	st, err := store.OpenSQLite(ctx, store.Options{
		Dir: dir, SealKey: secrets.Seal, Notify: notify, Hook: hook, Log: a.log.With("part", "store"),
	})
	if errors.Is(err, store.ErrFormat) {
		return secrets, nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if err != nil {
		return secrets, nil, err
	}
	a.defers("store", st.Close)
	return secrets, st, nil
}

func (a *app) openBus(ctx context.Context, secrets gateway.Secrets, authenticate func(string) (events.Grant, bool)) error {
	n := a.cfg.NATS
	bus, err := events.Open(ctx, events.Options{
		Dir: a.cfg.DataDir, Key: secrets.Stream, URL: n.URL, CredsFile: n.CredsFile, Listen: n.Listen,
		TLSCert: n.TLS.CertFile, TLSKey: n.TLS.KeyFile, Prefix: n.Prefix, Site: site(a.cfg),
		InboundKeep: time.Duration(a.cfg.Inbound.Keep), MaxBytes: int64(a.cfg.Storage.Max) / streamShare,
		Authenticate: authenticate, Hook: hook, Log: a.log.With("part", "nats"),
	})
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	a.bus = bus
	a.defers("nats", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return bus.Close(ctx)
	})
	path := filepath.Join(a.cfg.DataDir, natsAddrName)
	a.defers(natsAddrName, func() error { return gone(os.Remove(path)) })
	if bus.Addr() == "" { // what a daemon that was killed has left is wrong now
		return gone(os.Remove(path))
	}
	return a.tellNATS(path)
}

// natsAddrName is the file that tells other programs where NATS listens.
const natsAddrName = "nats.addr"

func (a *app) tellNATS(path string) error {
	addr := a.bus.Addr()
	a.log.Info("NATS listens", "addr", addr)
	return writeAddr(path, addr)
}

// awaitNATS tells where NATS listens when that was not known at the start: its
// port was taken, or the disk was full.
func (a *app) awaitNATS(ctx context.Context, every time.Duration) error {
	if n := a.cfg.NATS; n.URL != "" || n.Listen == "" || a.bus.Addr() != "" {
		return nil
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for a.bus.Addr() == "" {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	if err := a.tellNATS(filepath.Join(a.cfg.DataDir, natsAddrName)); err != nil {
		a.log.Warn("cannot write where NATS listens", "err", err)
	}
	return nil
}

// gone is the error of removing a file that need not be there.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// openLines makes the lines: simulated ones with their network, or those of
// the list.
func (a *app) openLines(tune func(*sim.Options)) ([]gateway.LineOptions, gateway.Phones, error) {
	if a.cfg.Modems.Simulate > 0 {
		return a.simulate(tune)
	}
	return a.realLines(), nil, nil
}

// line is a line that opens its modem.
func (a *app) line(l configs.Line, locks string) gateway.LineOptions {
	log, trace := a.log.With("line", l.Name), new(driver.Trace)
	return gateway.LineOptions{
		Name: l.Name, Port: l.Port, ICCID: l.ICCID, Number: l.Number, Labels: l.Labels,
		PerMinute: l.Limits.PerMinute, PerDay: l.Limits.PerDay, PerMonth: orZero(l.Limits.PerMonth), CostPerMonth: orZero(l.Limits.CostPerMonth),
		Trace: trace, AcceptCalls: a.cfg.Modems.Calls == configs.CallsIgnore,
		Balance: balanceOf(l.Balance), KeepAlive: time.Duration(l.KeepAlive),
		Roaming: l.Roaming,
		Open: func(ctx context.Context) (gateway.Modem, error) {
			o := driver.Options{
				SMSC: l.SMSC, PIN: a.pin(l), SubmitTimeout: time.Duration(a.cfg.Modems.SubmitTimeout), LockDir: locks,
				Log: log, Trace: trace, OnWrite: hook,
			}
			return a.openModem(ctx, l, hurried(o))
		},
	}
}

// pin unlocks the SIM of a line that has a pin_file, nil if it has none. The
// file is read when the SIM asks, so that a PIN that was put right is found.
func (a *app) pin(l configs.Line) *driver.PIN {
	if l.PINFile == "" {
		return nil
	}
	return &driver.PIN{Read: func() (string, error) { return configs.ReadPIN(l.PINFile) }, Guard: a.pins}
}

func (a *app) openAPI() error {
	cfg := a.cfg
	a.api = api.New(api.Options{
		Gateway: a.gw, Listen: cfg.API.Listen, CertFile: cfg.API.TLS.CertFile, KeyFile: cfg.API.TLS.KeyFile,
		AddrFile: filepath.Join(cfg.DataDir, "api.addr"), SocketPath: filepath.Join(cfg.DataDir, socketName),
		Log: a.log.With("part", "api"),
	})
	return a.api.Listen()
}

// run works until ctx ends, then stops in order: HTTP, lines, events, broker,
// store.
func (a *app) run(ctx context.Context) error {
	group, work := errgroup.WithContext(ctx)
	group.Go(func() error { return a.api.Run(work) })
	group.Go(func() error { return a.gw.Run(work) })
	if a.finder != nil {
		group.Go(func() error { return a.finder.Run(work) })
		group.Go(func() error { return a.usb.Run(work) })
	}
	if a.finder != nil && a.cfg.Modems.Adopt() {
		group.Go(func() error { return a.adopt(work) })
	}
	group.Go(func() error { return notifySystemd(work, a.gw.Alive) })
	group.Go(func() error { return a.awaitNATS(work, time.Second) })
	group.Go(func() error { return a.provision(work) })
	if addr := a.api.Addr(); addr != nil {
		a.log.Info("modemgate is ready", "api", addr.String(), "data_dir", a.cfg.DataDir, "lines", len(a.cfg.Modems.Names()), "version", fullVersion())
	}
	context.AfterFunc(ctx, func() {
		a.log.Info("stopping: what the modems have in hand is waited for, 20 s at most; a second signal stops at once")
	})
	err := group.Wait()
	if err == nil {
		a.log.Info("stopped")
	}
	return errors.Join(err, a.close())
}

// openOffline opens the gateway of a data directory that no daemon uses, for
// commands that change it directly. The function closes it.
func openOffline(ctx context.Context, cfg configs.Config) (*gateway.Gateway, func() error, error) {
	log := slog.New(slog.DiscardHandler)
	a := &app{cfg: cfg, log: log}
	if err := a.takeDataDir(); err != nil {
		return nil, nil, err
	}
	secrets, st, err := a.openStore(ctx, nil)
	if err != nil {
		return nil, nil, errors.Join(err, a.close())
	}
	o := gatewayOptions(cfg, log)
	o.Store, o.Secrets = st, secrets
	if a.gw, err = gateway.New(ctx, o); err != nil {
		return nil, nil, errors.Join(err, a.close())
	}
	return a.gw, a.close, nil
}

// orZero is 0 for a limit that is not set.
func orZero(limit *int) int {
	if limit == nil {
		return 0
	}
	return *limit
}

// balanceOf is how the line asks for the credit of its SIM; nil for not.
func balanceOf(b configs.Balance) *gateway.BalanceOptions {
	if !b.On() {
		return nil
	}
	return &gateway.BalanceOptions{
		Code: b.Code, Pattern: regexp.MustCompile(b.Pattern), Every: cmp.Or(time.Duration(b.Every), 24*time.Hour), Below: float64(b.Below),
	}
}

// gatewayOptions turns the configuration into the gateway's terms.
func gatewayOptions(cfg configs.Config, log *slog.Logger) gateway.Options {
	o := gateway.Options{
		Version: fullVersion(), Site: site(cfg), Region: cfg.DefaultRegion,
		Allow: cfg.Limits.Allow, Deny: cfg.Limits.Deny, KeyMinute: cfg.Limits.PerKey.Minute, KeyDay: cfg.Limits.PerKey.Day,
		MaxQueued: cfg.Limits.Queued, TTL: time.Duration(cfg.Messages.TTL), Keep: time.Duration(cfg.Messages.Keep),
		KeepText: time.Duration(cfg.Messages.KeepText), MaxParts: cfg.Messages.MaxParts, National: cfg.Messages.National, WideReferences: cfg.Messages.Wide, OnUnknown: cfg.Messages.OnUnknown,
		Report: cfg.Messages.Report, InboundKeep: time.Duration(cfg.Inbound.Keep), Reassembly: time.Duration(cfg.Inbound.Reassembly),
		StorageMax: int64(cfg.Storage.Max) - int64(cfg.Storage.Max)/streamShare, Reserve: int64(cfg.Storage.Reserve), Grace: grace, Hook: hook, Log: log,
		FreeSpace: func() (int64, error) { return freeSpace(cfg.DataDir) },
		OTP: gateway.OTPOptions{
			Length: cfg.OTP.Length, TTL: time.Duration(cfg.OTP.TTL), MaxAttempts: cfg.OTP.MaxAttempts, MaxSends: cfg.OTP.MaxSends,
			ResendAfter: time.Duration(cfg.OTP.ResendAfter), OnUnknown: cfg.OTP.OnUnknown, PerHour: cfg.OTP.PerNumber.Hour,
			PerDay: cfg.OTP.PerNumber.Day, Brand: cfg.OTP.Brand, Template: cfg.OTP.Template,
		},
	}
	o.Probe = gateway.ProbeOptions{Every: time.Duration(cfg.Probe.Every), PerDay: cfg.Probe.PerDay, Objective: time.Duration(cfg.Probe.Objective)}
	o.Alerts = gateway.AlertOptions{To: cfg.Alerts.SMSTo, After: time.Duration(cfg.Alerts.After)}
	for _, r := range cfg.Modems.Routes {
		o.Routes = append(o.Routes, gateway.Route{Prefix: r.Prefix, Via: r.Via})
	}
	for _, c := range cfg.Limits.Cost {
		o.Costs = append(o.Costs, gateway.Cost{Prefix: c.Prefix, Units: c.Units})
	}
	return o
}

// site is the name of this installation: configured, or the host's.
func site(cfg configs.Config) string {
	if cfg.Site != "" {
		return cfg.Site
	}
	if h, err := os.Hostname(); err == nil {
		return h
	}
	return "modemgate"
}
