package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway"
)

func TestQueries(t *testing.T) {
	day := time.Date(2026, 5, 1, 7, 30, 0, 0, time.UTC)
	table := []struct {
		path string
		want any // the last argument that the gateway gets
	}{
		{"/v1/messages", gateway.MessageFilter{Limit: 50}},
		{"/v1/messages?state=&cursor=", gateway.MessageFilter{Limit: 50}},
		{"/v1/messages?state=sent&to=+447700900123&via=front&limit=200&order=asc&cursor=msg_1",
			gateway.MessageFilter{State: "sent", To: "+447700900123", Via: "front", Limit: 200, Ascending: true, Cursor: "msg_1"}},
		{"/v1/messages?to=%2B447700900123&limit=1&order=desc", gateway.MessageFilter{To: "+447700900123", Limit: 1}},
		{"/v1/messages?to=%20447700900123", gateway.MessageFilter{To: "+447700900123", Limit: 50}},
		{"/v1/messages?to=07700%20900123", gateway.MessageFilter{To: "07700 900123", Limit: 50}},
		{"/v1/messages?since=2026-05-01T09:30:00+02:00&until=2026-05-01T07:30:00Z", gateway.MessageFilter{Since: day, Until: day, Limit: 50}},
		{"/v1/messages/msg_1", gateway.Wait{After: -1}},
		{"/v1/messages/msg_1?wait=1s500ms&after=3", gateway.Wait{For: 1500 * time.Millisecond, After: 3}},
		{"/v1/messages/msg_1?wait=2h", gateway.Wait{For: 55 * time.Second, After: -1}},
		{"/v1/otp/otp_1?wait=0s&after=0", gateway.Wait{After: 0}},
		{"/v1/inbound?from=InfoSMS&to=+447700900001&line=front&since=2026-05-01T07:30:00Z",
			gateway.InboundFilter{From: "InfoSMS", To: "+447700900001", Line: "front", Since: day, Limit: 50}},
		{"/v1/inbound?from=+447700900123&order=asc&after=17&wait=25s",
			gateway.InboundFilter{From: "+447700900123", Cursor: "17", Ascending: true, Limit: 50, Wait: 25 * time.Second}},
		{"/v1/inbound?order=asc&cursor=17", gateway.InboundFilter{Cursor: "17", Ascending: true, Limit: 50}},
		{"/v1/sim/phones/+999100000001?wait=10s", 10 * time.Second},
		{"/v1/sim/phones/%2B999100000001", time.Duration(0)},
	}
	f := newFake()
	b := start(t, f)
	for _, row := range table {
		if r := b.do("GET", row.path, ""); r.status != http.StatusOK {
			t.Errorf("%s: %d %s", row.path, r.status, r.body)
			continue
		}
		args := f.last().args
		if got, want := asJSON(t, normal(args[len(args)-1])), asJSON(t, row.want); got != want {
			t.Errorf("%s: the gateway got\n%s, want\n%s", row.path, got, want)
		}
	}
}

// normal puts the times of a filter into UTC.
func normal(v any) any {
	if f, ok := v.(gateway.MessageFilter); ok {
		f.Since, f.Until = f.Since.UTC(), f.Until.UTC()
		return f
	}
	return v
}

func TestQueriesThatAreRefused(t *testing.T) {
	table := []struct{ path, pointer string }{
		{"/v1/messages?state=sent&stat=sent", "stat"},
		{"/v1/messages?limit=0", "limit"},
		{"/v1/messages?limit=201", "limit"},
		{"/v1/messages?limit=x", "limit"},
		{"/v1/messages?order=up", "order"},
		{"/v1/messages?since=yesterday", "since"},
		{"/v1/messages?state=sent&state=failed", "state"},
		{"/v1/messages/msg_1?wait=25", "wait"},
		{"/v1/messages/msg_1?wait=-1s", "wait"},
		{"/v1/messages/msg_1?after=x", "after"},
		{"/v1/messages/msg_1?after=-1", "after"},
		{"/v1/inbound?wait=1s", "order"},
		{"/v1/inbound?after=1", "order"},
		{"/v1/inbound?order=asc&after=1&cursor=2", "after"},
		{"/v1/inbound/in_1?x=1", "x"},
		{"/v1/inbound/cursor?x=1", "x"},
		{"/v1/status?x=1", "x"},
		{"/v1/lines?limit=1", "limit"},
		{"/v1/lines/front?x=1", "x"},
		{"/v1/queue?x=1", "x"},
		{"/v1/sim/phones/1?after=1", "after"},
		{"/v1/admin/keys?x=1", "x"},
		{"/readyz?sending=maybe", "sending"},
	}
	f := newFake()
	b := start(t, f)
	for _, row := range table {
		p := b.local("GET", row.path, "").problem(t)
		if p.Status != 400 || len(p.Errors) != 1 || p.Errors[0].Pointer != row.pointer {
			t.Errorf("%s: %+v", row.path, p)
		}
	}
	if p := b.do("GET", "/v1/messages?a=%zz", "").problem(t); p.Status != 400 {
		t.Errorf("%+v", p)
	}
	if len(f.calls) > 0 {
		t.Errorf("the gateway was asked all the same: %v", f.calls)
	}
}

func TestNumbersInPaths(t *testing.T) {
	f := newFake()
	b := start(t, f)
	for _, path := range []string{"+447700900123", "%2B447700900123", "%2b447700900123", "%20447700900123"} {
		if r := b.do("POST", "/v1/numbers/"+path+"/unlock", ""); r.status != http.StatusNoContent {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		} else if got := f.last().args[0]; got != "+447700900123" {
			t.Errorf("%s: the gateway got %q", path, got)
		}
	}
	if p := b.do("GET", "/v1/sim/phones/1%2F2", "").problem(t); p.Status != 404 {
		t.Errorf("%+v", p)
	}
}
