package store_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// resident opens the store, works a little, and prints its memory.
func resident(args []string) error {
	s, err := store.OpenSQLite(context.Background(), store.Options{Dir: args[0], SealKey: testKey})
	if err != nil {
		return err
	}
	first := int(time.Now().UnixNano() % 1e9)
	for i := first; i < first+200; i++ {
		msg := fmt.Sprintf("msg_02J%020d", i)
		err := s.Update(context.Background(), "accept-otp", func(tx store.Tx) error {
			if _, _, err := tx.NextQueued([]string{"", "front"}, time.Now()); err != nil {
				return err
			}
			return acceptOTP(tx, msg, "otp"+msg, i)
		})
		if err != nil {
			return err
		}
		err = s.View(context.Background(), func(tx store.Tx) error { _, err := tx.Message(msg); return err })
		if err != nil {
			return err
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	fmt.Println(strings.Fields(rss)[0])
	return s.Close()
}

// BenchmarkResident tells the memory of a process that does nothing but keep
// the store.
func BenchmarkResident(b *testing.B) {
	benchStore(b)
	for range b.N {
		cmd := helper("resident", benchDir.dir)
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		kib, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(kib)/1024, "MB/rss")
		if b.N > 1 {
			break // once is enough
		}
	}
}
