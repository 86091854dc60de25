package sim

import (
	"bytes"
	"os"
	"syscall"
	"testing"
)

// BenchmarkSubmit is a bare loop of AT+CMGS, the most a host can get.
func BenchmarkSubmit(b *testing.B) {
	n, err := New(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	f, err := os.OpenFile(n.Modems()[0].Path(), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 4096)
	until := func(mark string) {
		for have := []byte(nil); !bytes.Contains(have, []byte(mark)); {
			k, err := f.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			have = append(have, buf[:k]...)
		}
	}
	say := func(text []byte, mark string) {
		if _, err := f.Write(text); err != nil {
			b.Fatal(err)
		}
		until(mark)
	}
	say([]byte("ATE0\r"), "OK\r\n")
	tpdu := submitPDU("+447700900001", "Your code is 123456, valid 5 min.")
	line, body := []byte("AT+CMGS="+itoa(len(tpdu))+"\r"), []byte("00"+upperHex(tpdu)+"\x1a")
	for b.Loop() {
		say(line, "> ")
		say(body, "OK\r\n")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
