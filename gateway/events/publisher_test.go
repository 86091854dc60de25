package events

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// wantIDs are the Msg-Ids of inbound events 1 to n.
func wantIDs(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("in_%d", i+1))
	}
	return ids
}

// Without a mark and after the dedupe window only the publisher itself can
// know what is in the stream.
func TestEventsStoredButNotMarkedAreNotPublishedAgain(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{1, 5, 64, 150} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *Options) { o.dedupe = 100 * time.Millisecond })
			r.box.sms("front", 1)
			r.published(t)
			r.stop()
			before := r.box.marks[streamInbound]
			r.open(t)
			var rows []Event
			for i := range lost {
				rows = append(rows, r.box.sms("front", i+2))
			}
			r.published(t)
			r.stop()
			time.Sleep(r.opts.dedupe * 2) // the window is over: it is the subject of the test
			r.box.rows, r.box.marks[streamInbound] = rows, before
			r.box.sms("front", lost+2)
			r.open(t)
			r.published(t)
			if got, want := r.ids(t, streamInbound), wantIDs(lost+2); !slices.Equal(got, want) {
				t.Errorf("the stream holds %v, want %v", got, want)
			}
			if want := wantIDs(lost + 2); !slices.Equal(r.box.acked, want) {
				t.Errorf("acknowledged are %v, want each once: %v", r.box.acked, want)
			}
		})
	}
}

func TestMarksAreSharedByManyEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	const n = 500
	for i := range n {
		r.box.sms("front", i+1)
	}
	r.published(t)
	if got, want := r.ids(t, streamInbound), wantIDs(n); !slices.Equal(got, want) {
		t.Errorf("the stream holds %d messages in another order", len(got))
	}
	if r.box.marked > n/8 {
		t.Errorf("%d marks for %d events", r.box.marked, n)
	}
}

func TestPoisonIsSetAsideAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	r := newRig(t, func(o *Options) { o.Log = testLog(&log) })
	r.box.sms("front", 1)
	r.box.add(streamInbound, "sms.inbound.front.1", "too_large", make([]byte, maxPayload+1))
	r.box.sms("front", 2)
	r.box.add(streamInbound, "sms.inbound.front.", "empty_token", []byte("{}"))
	r.box.add(streamInbound, "sms.inbound.front.*", "wildcard", []byte("{}"))
	r.box.add(streamInbound, "sms.status.x.y", "other_stream", []byte("{}"))
	r.box.add(streamInbound, "sms.inbound.front.2", "evil\r\nheader", []byte("{}"))
	r.box.sms("front", 3)
	r.published(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, wantIDs(3)) {
		t.Errorf("the stream holds %v", got)
	}
	if !slices.Equal(r.box.acked, wantIDs(3)) {
		t.Errorf("acknowledged are %v", r.box.acked)
	}
	if got := r.State().SetAside; got != 5 {
		t.Errorf("%d events set aside, want 5", got)
	}
	r.stop()
	for _, id := range []string{"too_large", "empty_token", "wildcard", "other_stream"} {
		if !strings.Contains(log.String(), id) {
			t.Errorf("the log does not tell of %s", id)
		}
	}
}

// A limit of the server that the client does not know.
func TestEventTooLargeForTheStreamIsSetAside(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	cfg := r.streamConfig(streamInbound)
	cfg.MaxMsgSize = 2000
	if _, err := r.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	r.stopRun()
	r.box.sms("front", 1)
	r.box.add(streamInbound, "sms.inbound.front.1", "too_large", make([]byte, 4000))
	r.box.sms("front", 2)
	r.startRun(t)
	r.published(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, wantIDs(2)) {
		t.Errorf("the stream holds %v", got)
	}
}

// An acknowledged event is on the disk unless a test asks for less.
func TestEventsAreSynced(t *testing.T) {
	t.Parallel()
	e, err := newEmbedded(Options{Listen: "127.0.0.1:0"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !e.options().SyncAlways {
		t.Error("SyncAlways is off")
	}
}

func TestStreamDeletedOrPurgedByOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for i := range 3 {
		r.box.sms("front", i+1)
	}
	r.published(t)
	s, err := r.js.Stream(t.Context(), "SMS_INBOUND")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.box.sms("front", 4)
	r.published(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, []string{"in_4"}) {
		t.Errorf("after a purge the stream holds %v", got)
	}
	if err := r.js.DeleteStream(t.Context(), "SMS_INBOUND"); err != nil {
		t.Fatal(err)
	}
	r.box.sms("front", 5)
	r.published(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, []string{"in_5"}) {
		t.Errorf("after it was deleted the stream holds %v", got)
	}
	if s := r.State(); !s.Connected {
		t.Errorf("state %+v", s)
	}
}

func TestSomebodyElseWritesToTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.box.sms("front", 1)
	r.published(t)
	if _, err := r.js.Publish(t.Context(), "modemgate.ingest.inbound.sms.inbound.x.1", []byte("{}"), jetstream.WithMsgID("foreign")); err != nil {
		t.Fatal(err)
	}
	r.box.sms("front", 2)
	r.published(t)
	if got := r.ids(t, streamInbound); !slices.Equal(got, []string{"in_1", "foreign", "in_2"}) {
		t.Errorf("the stream holds %v", got)
	}
}

// An event whose ack was lost is in the stream and was not shown live.
func TestEventWithLostAckIsShownLiveOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.dedupe = 100 * time.Millisecond })
	r.keys.set("tok", Grant{Key: "me", Inbound: true})
	live := listen(t, r.client(t, "tok"), "sms.inbound.>")
	r.box.sms("front", 1)
	r.published(t)
	if _, err := r.js.Publish(t.Context(), "modemgate.ingest.inbound.sms.inbound.front.447700900001", []byte("{}"), jetstream.WithMsgID("in_2")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * r.opts.dedupe) // only the expected sequence can tell now
	r.box.sms("front", 2)
	r.box.sms("front", 3)
	r.published(t)
	for _, want := range wantIDs(3) {
		m, err := live.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Header.Get(nats.MsgIdHdr); got != want {
			t.Errorf("live %s, want %s", got, want)
		}
		if got := m.Header.Get(nats.ExpectedLastSeqHdr); got != "" {
			t.Errorf("the live message carries an expected sequence %s", got)
		}
	}
	silent(t, live)
	if got := r.ids(t, streamInbound); !slices.Equal(got, wantIDs(3)) {
		t.Errorf("the stream holds %v", got)
	}
}

func TestErase(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Key = nil }) // so that the files can be read
	secret := "a text that must go"
	for i := range 5 {
		r.box.sms("front", i+1)
	}
	r.box.add(streamInbound, "sms.inbound.front.447700900002", "in_6", []byte(`{"text":"`+secret+`"}`))
	r.box.add(streamStatus, "sms.status.k.msg_1", "ev_1", []byte(`{"ref":"`+secret+`"}`))
	r.box.sms("front", 7)
	r.published(t)
	if !grepDir(t, r.opts.Dir, secret) {
		t.Fatal("the text is not in the files: the test sees nothing")
	}
	n, err := r.Erase(t.Context(), func(subject string, payload []byte) bool {
		return strings.HasSuffix(subject, ".447700900002") || strings.Contains(string(payload), secret)
	})
	if err != nil || n != 2 {
		t.Errorf("erased %d, %v", n, err)
	}
	if got := r.ids(t, streamInbound); len(got) != 6 || slices.Contains(got, "in_6") {
		t.Errorf("the stream holds %v", got)
	}
	r.box.sms("front", 8)
	r.published(t)
	r.stop()
	if grepDir(t, r.opts.Dir, secret) {
		t.Error("the erased text is still in the files")
	}
}

func TestStreamsAreEncrypted(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.box.add(streamInbound, "sms.inbound.front.1", "in_1", []byte(`{"text":"nobody reads this"}`))
	r.published(t)
	r.stop()
	if grepDir(t, r.opts.Dir, "nobody reads this") {
		t.Error("the text is in the files")
	}
}

func grepDir(t *testing.T, dir, text string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || strings.Contains(string(data), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
