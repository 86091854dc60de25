package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver/sim"
)

var demoCommand = command{
	name: "demo", args: "[--once]", summary: "the main job with no hardware and no set-up, step by step",
	help: `  modemgate demo          show it, then stay up: everything printed is valid until Ctrl-C
  modemgate demo --once   end after the round trip; exit 0 only if it worked`,
	stays: true, run: demo,
}

// The phone of the story, and how long the simulated radio takes for an SMS:
// real ones take 3 to 6 s.
const (
	demoPhone  = "+999555010"
	demoRadio  = 1200 * time.Millisecond
	demoBudget = 20 * time.Second
)

func demo(ctx context.Context, s system, args []string) int {
	f := newFlags("demo")
	once := f.Bool("once", false, "")
	if err := f.Parse(args); err != nil || f.NArg() > 0 {
		return s.fail(exitUsage, "demo: the only flag is --once")
	}
	dir, err := s.temporary.make("modemgate-demo-")
	if err != nil {
		return s.fail(exitFailed, "demo: %v", err)
	}
	defer os.RemoveAll(dir)
	cfg := configs.Default()
	cfg.DataDir, cfg.Site = filepath.Join(dir, "data"), "demo"
	cfg.API.Listen, cfg.NATS.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Modems.Simulate, cfg.OTP.Brand = 2, "Example"
	cfg.Storage.Reserve = 1 << 20
	a, err := build(ctx, cfg, slog.New(slog.DiscardHandler), func(o *sim.Options) {
		o.SubmitDelay, o.ReportDelay = demoRadio, demoRadio/2
	})
	if err != nil {
		return s.fail(exitFailed, "demo: %v", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx) }()
	t := &story{s: s, a: a}
	told := t.tell(ctx)
	if told == nil && !*once {
		t.next()
		<-ctx.Done()
	}
	cancel()
	if err := errors.Join(told, <-ended); err != nil {
		return s.fail(exitFailed, "demo: %v", err)
	}
	return exitOK
}

// next says what to try while the demo stays up.
func (t *story) next() {
	fmt.Fprintf(t.s.out, `
Everything above stays valid until Ctrl-C. Try, in another terminal:

  export MODEMGATE_URL=http://%[1]s MODEMGATE_KEY=%[2]s

  curl -s -H "Authorization: Bearer $MODEMGATE_KEY" -H 'Content-Type: application/json' \
    -d '{"to":"%[4]s","text":"Hello"}' $MODEMGATE_URL/v1/messages
  curl -s -H "Authorization: Bearer $MODEMGATE_KEY" $MODEMGATE_URL/v1/sim/phones/%[4]s
  curl -s -H "Authorization: Bearer $MODEMGATE_KEY" $MODEMGATE_URL/v1/status

  nats --server "nats://$MODEMGATE_KEY@%[3]s" sub 'sms.inbound.>'
  curl -s -H "Authorization: Bearer $MODEMGATE_KEY" -H 'Content-Type: application/json' \
    -d '{"text":"Your code is 246810","line":"modem0"}' $MODEMGATE_URL/v1/sim/phones/%[4]s/send

With a real modem (go build ./cmd/modemgate makes the program): its port from
ls -l /dev/serial/by-id/ instead of NAME, and your country instead of GB:

  printf 'data_dir: %%s/state\ndefault_region: GB\nmodems: {list: [{name: front, port: %%s}]}\n' \
    "$PWD" /dev/serial/by-id/NAME > my.yaml
  modemgate serve --config my.yaml
`, t.a.api.Addr(), t.secret, t.a.bus.Addr(), demoPhone)
}
