package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// buildBinary builds the real program, as a release is built.
func buildBinary(b testing.TB) string {
	b.Helper()
	out := filepath.Join(b.TempDir(), "modemgate")
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, text)
	}
	return out
}

// startAndMeasure starts the daemon on a data directory, measures the time
// until the API answers, lets it idle, and reads its memory.
func startAndMeasure(b *testing.B, binary, dir string, f full) (ready time.Duration, mb float64) {
	_ = os.Remove(filepath.Join(dir, "api.addr"))
	cmd := exec.Command(binary, "serve", "--data_dir", dir, "--api.listen", "127.0.0.1:0", "--nats.listen", "127.0.0.1:0",
		"--modems.simulate", "1", "--storage.reserve", "1MiB", "--storage.max", fmt.Sprint(int64(f.storage)>>20, "MiB"))
	cmd.Env = append(os.Environ(), "MODEMGATE_CONFIG="+os.DevNull)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for ready == 0 {
		addr, err := os.ReadFile(filepath.Join(dir, "api.addr"))
		if err == nil {
			if resp, err := http.Get("http://" + strings.TrimSpace(string(addr)) + "/readyz"); err == nil {
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					ready = time.Since(began)
				}
			}
		}
		if time.Since(began) > time.Minute {
			b.Fatal("the daemon does not get ready")
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(scaled(10 * time.Second)) // idle
	mb = rss(cmd.Process.Pid)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return ready, mb
}
