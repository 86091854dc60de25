package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/modemgate/modemgate/gateway"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestBodies holds every body to its golden file: names, shapes, order.
func TestBodies(t *testing.T) {
	const message, otp = `{"to":"+447700900123","text":"Hi"}`, `{"to":"+447700900123"}`
	table := []struct {
		golden, method, path, body string
		status                     int
		location                   string
		change                     func(*fake)
	}{
		{golden: "message-created", method: "POST", path: "/v1/messages", body: message, status: 202, location: "/v1/messages/msg_1"},
		{golden: "message", method: "GET", path: "/v1/messages/msg_1", status: 200},
		{golden: "message-of-otp", method: "GET", path: "/v1/messages/msg_1", status: 200, change: func(f *fake) {
			f.message.OTPID, f.message.Priority, f.message.Via, f.message.Metadata = "otp_1", 0, nil, nil
			f.message.History, f.message.Parts = nil, f.message.Parts[:1]
		}},
		{golden: "message-erased", method: "GET", path: "/v1/messages/msg_1", status: 200, change: func(f *fake) {
			f.message.Text, f.message.HasText, f.message.Final, f.message.EndedAt = "", false, true, began
			f.message.State, f.message.Error, f.message.Ref, f.message.SendAt = "failed", "cms-38", "table-7", began
			f.message.Parts[0].State, f.message.Parts[0].ReportedAt, f.message.Parts[0].Status = "delivered", began, 0
			f.message.PossibleDuplicate, f.message.Held, f.message.Simulated = true, true, true
		}},
		{golden: "messages", method: "GET", path: "/v1/messages", status: 200},
		{golden: "message-changed", method: "POST", path: "/v1/messages/msg_1/cancel", status: 200},
		{golden: "message-changed", method: "POST", path: "/v1/messages/msg_1/resolve", body: `{"as":"sent"}`, status: 200},
		{golden: "", method: "DELETE", path: "/v1/messages/msg_1", status: 204},
		{golden: "otp", method: "POST", path: "/v1/otp", body: otp, status: 201, location: "/v1/otp/otp_1"},
		{golden: "otp-reused", method: "POST", path: "/v1/otp", body: otp, status: 200, location: "/v1/otp/otp_1", change: func(f *fake) { f.reused = true }},
		{golden: "otp", method: "GET", path: "/v1/otp/otp_1", status: 200},
		{golden: "otp-ended", method: "GET", path: "/v1/otp/otp_1", status: 200, change: func(f *fake) {
			f.otp.State, f.otp.Final, f.otp.EndedAt, f.otp.Purpose, f.otp.Ref = "approved", true, began, "", "cart"
			f.otp.DeliveryState, f.otp.DeliveryError, f.otp.Metadata = "failed", "cms-38", json.RawMessage(`{"a":[1]}`)
		}},
		{golden: "otp", method: "POST", path: "/v1/otp/otp_1/resend", status: 202, location: "/v1/otp/otp_1"},
		{golden: "otp", method: "POST", path: "/v1/otp/otp_1/cancel", body: "{}", status: 200},
		{golden: "verdict", method: "POST", path: "/v1/otp/otp_1/verify", body: `{"code":"123456"}`, status: 200},
		{golden: "verdict-nothing", method: "POST", path: "/v1/otp/verify", body: `{"to":"+447700900123","code":"1"}`, status: 200,
			change: func(f *fake) { f.verdict = gateway.Verdict{} }},
		{golden: "", method: "POST", path: "/v1/numbers/+447700900123/unlock", status: 204},
		{golden: "inbound", method: "GET", path: "/v1/inbound/in_1", status: 200},
		{golden: "inbound-amends", method: "GET", path: "/v1/inbound/in_1", status: 200, change: func(f *fake) {
			f.inbound.Items[0].Amends, f.inbound.Items[0].SMSCAt, f.inbound.Items[0].Raw = "in_0", began, nil
		}},
		{golden: "inbounds", method: "GET", path: "/v1/inbound", status: 200},
		{golden: "inbound-none", method: "GET", path: "/v1/inbound?order=asc", status: 200, change: func(f *fake) { f.inbound = gateway.InboundPage{NextCursor: "17"} }},
		{golden: "cursor", method: "GET", path: "/v1/inbound/cursor", status: 200},
		{golden: "", method: "DELETE", path: "/v1/inbound/in_1", status: 204},
		{golden: "status", method: "GET", path: "/v1/status", status: 200},
		{golden: "lines", method: "GET", path: "/v1/lines", status: 200},
		{golden: "modems", method: "GET", path: "/v1/modems", status: 200},
		{golden: "line", method: "GET", path: "/v1/lines/front", status: 200},
		{golden: "line-paused", method: "POST", path: "/v1/lines/front/pause", status: 200},
		{golden: "line", method: "POST", path: "/v1/lines/front/resume", status: 200},
		{golden: "line-reset", method: "POST", path: "/v1/lines/front/reset", body: `{"step":"usb"}`, status: 202},
		{golden: "line-reset", method: "POST", path: "/v1/lines/front/reset", status: 202},
		{golden: "at", method: "POST", path: "/v1/lines/front/at", body: `{"command":"AT+CSQ","timeout":"5s"}`, status: 200},
		{golden: "trace", method: "GET", path: "/v1/lines/front/trace?after=7", status: 200},
		{golden: "ussd", method: "POST", path: "/v1/lines/front/ussd", body: `{"code":"*100#"}`, status: 200},
		{golden: "queue", method: "GET", path: "/v1/queue", status: 200},
		{golden: "phone", method: "GET", path: "/v1/sim/phones/+999100000001", status: 200},
		{golden: "phone-sent", method: "POST", path: "/v1/sim/phones/%2B999100000001/send", body: `{"text":"Hi","line":"sim1"}`, status: 202},
		{golden: "key", method: "POST", path: "/v1/admin/keys", body: `{"name":"shop","scopes":["otp"]}`, status: 201},
		{golden: "keys", method: "GET", path: "/v1/admin/keys", status: 200},
		{golden: "", method: "DELETE", path: "/v1/admin/keys/shop", status: 204},
		{golden: "backup", method: "POST", path: "/v1/admin/backup", body: `{"path":"/b"}`, status: 200},
		{golden: "erased", method: "POST", path: "/v1/admin/erase", body: `{"number":"+447700900123"}`, status: 200},
		{golden: "dropped", method: "POST", path: "/v1/admin/queue/drop", status: 200},
		{golden: "released", method: "POST", path: "/v1/admin/queue/release", status: 200},
		{golden: "healthz", method: "GET", path: "/healthz", status: 200},
		{golden: "readyz", method: "GET", path: "/readyz?sending=1", status: 200},
	}
	for _, row := range table {
		t.Run(row.method+row.path, func(t *testing.T) {
			f := newFake()
			if row.change != nil {
				row.change(f)
			}
			b := start(t, f)
			r := b.local(row.method, row.path, row.body)
			if r.status != row.status || r.header.Get("Location") != row.location {
				t.Errorf("%d, location %q: %s", r.status, r.header.Get("Location"), r.body)
			}
			if row.golden == "" {
				if r.body != "" {
					t.Errorf("body %s", r.body)
				}
				return
			}
			if r.header.Get("Content-Type") != "application/json" || r.header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", r.header)
			}
			golden(t, row.golden, r.body)
		})
	}
}

// golden compares a body, indented, with its file.
func golden(t *testing.T, name, body string) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(body), "", "  "); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, indented.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := indented.String(); got != string(want) {
		t.Errorf("body\n%s\nwant %s\n%s", got, path, want)
	}
}
