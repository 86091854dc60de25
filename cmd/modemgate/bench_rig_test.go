package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/configs"
	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
)

// benchScale shortens what the benchmarks wait for: MODEMGATE_BENCH_SCALE=0.1
// runs them at a tenth of the time scale.
func benchScale() float64 {
	if f, err := strconv.ParseFloat(os.Getenv("MODEMGATE_BENCH_SCALE"), 64); err == nil && f > 0 {
		return f
	}
	return 1
}

// benchApp is the whole program in this process, with limits raised and
// nothing else changed.
type benchApp struct {
	*app
	b      testing.TB
	secret string
	client *http.Client
	end    func()
}

func newBenchApp(b testing.TB, dir string, modems int, tune func(*sim.Options), more ...func(*configs.Config)) *benchApp {
	b.Helper()
	cfg := configs.Default()
	cfg.DataDir, cfg.API.Listen, cfg.NATS.Listen = filepath.Join(dir, "data"), "127.0.0.1:0", "127.0.0.1:0"
	cfg.Modems.Simulate = modems
	cfg.Limits.PerKey = configs.KeyLimits{Minute: 1 << 30, Day: 1 << 30}
	cfg.Limits.Queued = 1 << 30
	cfg.OTP.PerNumber = configs.NumberLimits{Hour: 1 << 30, Day: 1 << 30}
	cfg.Storage.Reserve = 1 << 20
	for _, set := range more {
		set(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	random := rand.Reader
	rand.Reader = zeros{} // the gateway takes its codes from what it meets here
	a, err := build(ctx, cfg, slog.New(slog.DiscardHandler), tune)
	rand.Reader = random
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	t := &benchApp{app: a, b: b, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.end = func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
	if t.secret, _, err = a.gw.NewKey(ctx, gateway.Request{Caller: gateway.LocalCaller()}, gateway.NewKey{
		Name: "bench" + strconv.FormatInt(time.Now().UnixNano(), 36), Scopes: []string{gateway.ScopeAdmin},
	}); err != nil {
		b.Fatal(err)
	}
	if err := a.bus.AwaitStreams(ctx); err != nil {
		b.Fatal(err)
	}
	for t.call("GET", "/readyz?sending=1", nil, nil) != http.StatusOK {
		time.Sleep(time.Millisecond)
	}
	return t
}

// zeros is a random source whose codes are all benchCode.
type zeros struct{}

const benchCode = "000000"

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// call makes one request and returns its status.
func (t *benchApp) call(method, path string, in, out any) int {
	var body io.Reader
	if in != nil {
		j, _ := json.Marshal(in)
		body = bytes.NewReader(j)
	}
	req, err := http.NewRequest(method, "http://"+t.api.Addr().String()+path, body)
	if err != nil {
		t.b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+t.secret)
	req.Header.Set("Content-Type", "application/json")
	resp, err := t.client.Do(req)
	if err != nil {
		t.b.Fatal(err)
	}
	defer resp.Body.Close()
	if out == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.b.Fatal(err)
	}
	return resp.StatusCode
}

// published waits until no event waits to be published.
func (t *benchApp) published() {
	const name = "modemgate_outbox_events "
	for {
		var text bytes.Buffer
		t.get("/metrics", &text)
		for line := range strings.Lines(text.String()) {
			if n, ok := strings.CutPrefix(line, name); ok && strings.TrimSpace(n) == "0" {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// get copies the answer to a GET.
func (t *benchApp) get(path string, to io.Writer) {
	req, err := http.NewRequest(http.MethodGet, "http://"+t.api.Addr().String()+path, nil)
	if err != nil {
		t.b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+t.secret)
	resp, err := t.client.Do(req)
	if err != nil {
		t.b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(to, resp.Body); err != nil {
		t.b.Fatal(err)
	}
}

// goal reports a figure with what is wanted of it beside its unit. A figure is
// never pass or fail: it belongs to the machine.
func goal(b *testing.B, v float64, unit, want string) {
	b.ReportMetric(v, unit+"("+want+")")
}

// quantile of unsorted durations.
func quantile(d []time.Duration, q float64) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

func inMS(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// fsyncTime is what one fsync of 4 KiB takes in the directory: all figures
// depend on it.
func fsyncTime(b testing.TB, dir string) time.Duration {
	f, err := os.CreateTemp(dir, "fsync")
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	var d []time.Duration
	for range 200 {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		d = append(d, time.Since(began))
	}
	return quantile(d, .5)
}

// rss is the resident memory of a process in MB.
func rss(pid int) float64 {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0
	}
	var size, resident int64
	_, _ = fmt.Sscan(string(b), &size, &resident)
	return float64(resident*int64(os.Getpagesize())) / 1e6
}
