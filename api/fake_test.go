package api

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modemgate/modemgate/gateway"
)

// call is one call that the fake gateway got.
type call struct {
	method string
	r      gateway.Request
	args   []any
}

// fake is a gateway that knows one thing of each kind, says err when it is
// set, and remembers what it was asked.
type fake struct {
	mu      sync.Mutex
	calls   []call
	err     error
	answer  gateway.Answer
	reused  bool
	message gateway.MessageView
	otp     gateway.OTPView
	verdict gateway.Verdict
	inbound gateway.InboundPage
	cursor  string
	ready   error
	sending error
	times   timeouts // of the server; zero: the real ones
	// wait stands in for waiting; nil returns at once.
	wait func(ctx context.Context, d time.Duration) error
}

var _ Gateway = (*fake)(nil)

var began = time.Date(2026, 5, 1, 9, 30, 0, 123456789, time.FixedZone("", 2*3600))

const (
	goodToken  = "mg_good"
	brokeToken = "mg_broken"
	plainToken = "mg_plain" // has no scope status
)

func newFake() *fake {
	f := &fake{cursor: "17", verdict: gateway.Verdict{Valid: true, State: "approved", AttemptsLeft: 4}}
	f.message.ID, f.message.Rev, f.message.State, f.message.To = "msg_1", 3, "sent", "+447700900123"
	f.message.Text, f.message.HasText, f.message.Encoding, f.message.Priority = "Hi <b> & you", true, "gsm7", 1
	f.message.Via, f.message.OnUnknown, f.message.Report = []string{"front"}, "hold", true
	f.message.CreatedAt, f.message.DeadlineAt = began, began.Add(time.Hour)
	f.message.Metadata = json.RawMessage(`{ "guest": 12 }`)
	f.message.Line = "front"
	f.message.Parts = []gateway.Part{
		{Index: 1, State: "sent", Line: "front", Attempts: 1, SubmittedAt: began, SentAt: began.Add(time.Second), Status: -1, Reference: 41, SignalDBM: -71},
		{Index: 2, State: "queued", Status: -1, Reference: -1, Error: "cms-38"},
	}
	f.message.History = []gateway.HistoryEntry{
		{State: "queued", At: began}, {State: "sending", At: began, Line: "front", Part: 1, Note: "first of two", Submission: &gateway.Submission{
			IMEI: "…0017", ICCID: "…1234", SignalDBM: -71, Cell: &gateway.Cell{Area: "1A2B", ID: "00C0FFEE"}, PDUHMAC: strings.Repeat("5f", 32)}},
	}
	f.otp.ID, f.otp.Rev, f.otp.State, f.otp.To, f.otp.Purpose = "otp_1", 1, "pending", "+447700900123", "login"
	f.otp.CreatedAt, f.otp.ExpiresAt, f.otp.ResendAt = began, began.Add(5*time.Minute), began.Add(30*time.Second)
	f.otp.AttemptsLeft, f.otp.SendsLeft, f.otp.MessageID = 5, 2, "msg_1"
	f.otp.DeliveryState, f.otp.DeliveryAt = "queued", began
	f.inbound.Items = []gateway.Inbound{{
		Seq: 17, ID: "in_1", From: "InfoSMS", FromType: "alphanumeric", To: "+447700900001", Line: "front", Text: "Hello",
		Encoding: "gsm7", Parts: 1, ReceivedAt: began, Raw: []string{"0791"}, Simulated: true,
	}}
	return f
}

func (f *fake) note(method string, r gateway.Request, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call{method, r, args})
	return f.err
}

// last is the newest call.
func (f *fake) last() call {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 0 {
		return call{}
	}
	return f.calls[len(f.calls)-1]
}

func (f *fake) refuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fake) await(ctx context.Context, d time.Duration) error {
	if f.wait == nil || d == 0 {
		return nil
	}
	return f.wait(ctx, d)
}

func (f *fake) Authenticate(token string) (gateway.Caller, error) {
	switch token {
	case goodToken:
		return gateway.Caller{Key: "shop", Scopes: []string{"admin"}, Generation: 7}, nil
	case plainToken:
		return gateway.Caller{Key: "plain", Scopes: []string{"otp"}}, nil
	case brokeToken:
		return gateway.Caller{}, context.DeadlineExceeded
	}
	return gateway.Caller{}, &gateway.Error{Code: gateway.Unauthenticated, Detail: "no live key"}
}

func (f *fake) CreateMessage(_ context.Context, r gateway.Request, in gateway.NewMessage) (gateway.MessageView, gateway.Answer, error) {
	return f.message, f.answer, f.note("CreateMessage", r, in)
}

func (f *fake) Message(ctx context.Context, r gateway.Request, id string, w gateway.Wait) (gateway.MessageView, error) {
	if err := f.note("Message", r, id, w); err != nil {
		return gateway.MessageView{}, err
	}
	return f.message, f.await(ctx, w.For)
}

func (f *fake) ListMessages(_ context.Context, r gateway.Request, filter gateway.MessageFilter) (gateway.MessagePage, error) {
	listed := f.message
	listed.History = nil
	return gateway.MessagePage{Items: []gateway.MessageView{listed}, NextCursor: "msg_1"}, f.note("ListMessages", r, filter)
}

func (f *fake) CancelMessage(_ context.Context, r gateway.Request, id string) (gateway.MessageView, error) {
	return f.message, f.note("CancelMessage", r, id)
}

func (f *fake) ResolveMessage(_ context.Context, r gateway.Request, id, as string) (gateway.MessageView, error) {
	return f.message, f.note("ResolveMessage", r, id, as)
}

func (f *fake) DeleteMessage(_ context.Context, r gateway.Request, id string) error {
	return f.note("DeleteMessage", r, id)
}

func (f *fake) CreateOTP(_ context.Context, r gateway.Request, in gateway.NewOTP) (gateway.OTPView, gateway.Answer, error) {
	o := f.otp
	o.Reused = f.reused
	return o, f.answer, f.note("CreateOTP", r, in)
}

func (f *fake) OTP(ctx context.Context, r gateway.Request, id string, w gateway.Wait) (gateway.OTPView, error) {
	if err := f.note("OTP", r, id, w); err != nil {
		return gateway.OTPView{}, err
	}
	return f.otp, f.await(ctx, w.For)
}

func (f *fake) VerifyOTP(_ context.Context, r gateway.Request, id, code string) (gateway.Verdict, error) {
	return f.verdict, f.note("VerifyOTP", r, id, code)
}

func (f *fake) VerifyNumber(_ context.Context, r gateway.Request, to, code, purpose string) (gateway.Verdict, error) {
	return f.verdict, f.note("VerifyNumber", r, to, code, purpose)
}

func (f *fake) ResendOTP(_ context.Context, r gateway.Request, id string) (gateway.OTPView, gateway.Answer, error) {
	return f.otp, f.answer, f.note("ResendOTP", r, id)
}

func (f *fake) CancelOTP(_ context.Context, r gateway.Request, id string) (gateway.OTPView, error) {
	return f.otp, f.note("CancelOTP", r, id)
}

func (f *fake) UnlockNumber(_ context.Context, r gateway.Request, number string) error {
	return f.note("UnlockNumber", r, number)
}

func (f *fake) ListInbound(ctx context.Context, r gateway.Request, filter gateway.InboundFilter) (gateway.InboundPage, error) {
	if err := f.note("ListInbound", r, filter); err != nil {
		return gateway.InboundPage{}, err
	}
	return f.inbound, f.await(ctx, filter.Wait)
}

func (f *fake) Inbound(_ context.Context, r gateway.Request, id string) (gateway.Inbound, error) {
	return f.inbound.Items[0], f.note("Inbound", r, id)
}

func (f *fake) DeleteInbound(_ context.Context, r gateway.Request, id string) error {
	return f.note("DeleteInbound", r, id)
}

func (f *fake) InboundCursor(_ context.Context, r gateway.Request) (string, error) {
	return f.cursor, f.note("InboundCursor", r)
}

func (f *fake) Status(_ context.Context, r gateway.Request) (gateway.Status, error) {
	return gateway.Status{
		Version: "1.0.0", Site: "hotel", StartedAt: began, Healthy: true, Lines: []gateway.LineStatus{frontLine}, Clock: "ok",
		NATS:  gateway.NATSStatus{Connected: true, Embedded: true, Addr: "127.0.0.1:4222", Since: began, Waiting: 3},
		Store: gateway.StoreStatus{Bytes: 4096, FreeBytes: 1 << 40, Writable: true},
	}, f.note("Status", r)
}

var frontLine = gateway.LineStatus{
	Name: "front", State: "up", Since: began, Port: "/dev/ttyUSB0", Number: "+447700900001", IMEI: "86…7", ICCID: "8944…1",
	Manufacturer: "HUAWEI", Model: "E3372", Revision: "21", SMSC: "+447785016005", ReadAt: began, Operator: "Example", Registration: "home",
	SignalDBM: -71, Cell: gateway.Cell{Area: "1A2B", ID: "00C0FFEE", Radio: "lte"}, Storage: []gateway.StorageStatus{{Memory: "SM", Used: 1, Total: 20}}, InboundBy: gateway.ByAnnouncement, Sent: 12, PartsToday: 12, PartsThisMonth: 340, Labels: []string{"uk"},
	Limits: gateway.LineLimits{PerMinute: 40, PerDay: 1000}, Calls: []gateway.Call{{At: began, From: "+447700900123", Rejected: true}, {At: began}},
}

func (f *fake) Lines(_ context.Context, r gateway.Request) ([]gateway.LineStatus, error) {
	return []gateway.LineStatus{frontLine}, f.note("Lines", r)
}

func (f *fake) Modems(_ context.Context, r gateway.Request) ([]gateway.PluggedModem, error) {
	return []gateway.PluggedModem{
		{
			Path: "1-1.2", ID: "12d1:1506", Model: "Huawei E3372", Mode: "modem", Port: "/dev/ttyUSB2", Line: "front", IMEI: "86…7", ICCID: "8944…1",
		},
		{Path: "1-1.3", ID: "12d1:1446", Mode: "storage", Problem: "in mass storage mode"},
	}, f.note("Modems", r)
}

func (f *fake) Line(_ context.Context, r gateway.Request, name string) (gateway.LineStatus, error) {
	return frontLine, f.note("Line", r, name)
}

func (f *fake) PauseLine(_ context.Context, r gateway.Request, name string) (gateway.LineStatus, error) {
	l := frontLine
	l.State, l.Paused = "paused", true
	l.Balance = gateway.BalanceStatus{Amount: 3.2, At: began, Low: true, Error: "the network gave no answer in time"}
	return l, f.note("PauseLine", r, name)
}

func (f *fake) ResumeLine(_ context.Context, r gateway.Request, name string) (gateway.LineStatus, error) {
	return frontLine, f.note("ResumeLine", r, name)
}

func (f *fake) ResetLine(_ context.Context, r gateway.Request, name, step string) (gateway.LineStatus, error) {
	l := frontLine
	l.State = "recovering"
	l.Recovery = gateway.RecoveryStatus{
		Cause: gateway.CauseSilent, Step: gateway.StepUSB, RetryAt: began,
		Incidents: []gateway.Incident{{At: began, Cause: gateway.CauseSilent, Step: gateway.StepReset, Result: gateway.ResultInVain, Detail: "why", Took: 1500 * time.Millisecond}},
	}
	return l, f.note("ResetLine", r, name, step)
}

func (f *fake) Command(_ context.Context, r gateway.Request, name, cmd string, timeout time.Duration) (gateway.CommandResult, error) {
	res := gateway.CommandResult{Line: name, Lines: []string{"+CSQ: 21,99"}, Result: "OK", Took: 12 * time.Millisecond}
	return res, f.note("Command", r, name, cmd, timeout)
}

func (f *fake) Trace(_ context.Context, r gateway.Request, name string, seq uint64) ([]gateway.TraceLine, error) {
	return []gateway.TraceLine{{Seq: seq + 1, At: began, Mark: ">", Text: "AT+CSQ"}}, f.note("Trace", r, name, seq)
}

func (f *fake) USSD(_ context.Context, r gateway.Request, name string, in gateway.NewUSSD) (gateway.USSDView, error) {
	return gateway.USSDView{Line: name, State: "reply-expected", Text: "1 Balance", ExpiresAt: began}, f.note("USSD", r, name, in)
}

func (f *fake) Queue(_ context.Context, r gateway.Request) (gateway.QueueStatus, error) {
	return gateway.QueueStatus{Normal: 3, OldestAt: began}, f.note("Queue", r)
}

func (f *fake) SimPhone(ctx context.Context, r gateway.Request, number string, d time.Duration) ([]gateway.SimText, error) {
	if err := f.note("SimPhone", r, number, d); err != nil {
		return nil, err
	}
	return []gateway.SimText{{From: "+999000001", Text: "Hi", Parts: 1, ReceivedAt: began}}, f.await(ctx, d)
}

func (f *fake) SimSend(_ context.Context, r gateway.Request, number, text, line string) (gateway.Answer, error) {
	return f.answer, f.note("SimSend", r, number, text, line)
}

func (f *fake) Ready(context.Context) error       { return f.ready }
func (f *fake) ReadyToSend(context.Context) error { return f.sending }

func (f *fake) Metrics() prometheus.Gatherer {
	r := prometheus.NewRegistry()
	up := prometheus.NewGauge(prometheus.GaugeOpts{Name: "modemgate_test_up", Help: "One."})
	up.Set(1)
	r.MustRegister(up)
	return r
}

func (f *fake) NewKey(_ context.Context, r gateway.Request, k gateway.NewKey) (string, gateway.Key, error) {
	return "mg_new", gateway.Key{Name: k.Name, Scopes: k.Scopes, Generation: 1, CreatedAt: began}, f.note("NewKey", r, k)
}

func (f *fake) Keys(_ context.Context, r gateway.Request) ([]gateway.Key, error) {
	return []gateway.Key{{Name: "shop", Scopes: []string{"otp"}, Hash: []byte("hash"), Generation: 1, CreatedAt: began}}, f.note("Keys", r)
}

func (f *fake) RevokeKey(_ context.Context, r gateway.Request, name string) error {
	return f.note("RevokeKey", r, name)
}

func (f *fake) Backup(_ context.Context, r gateway.Request, path string) error {
	return f.note("Backup", r, path)
}

func (f *fake) Erase(_ context.Context, r gateway.Request, number string) (gateway.EraseReport, error) {
	return gateway.EraseReport{Messages: 1}, f.note("Erase", r, number)
}

func (f *fake) DropQueue(_ context.Context, r gateway.Request) (int, error) {
	return 3, f.note("DropQueue", r)
}

func (f *fake) ReleaseQueue(_ context.Context, r gateway.Request) (int, error) {
	return 4, f.note("ReleaseQueue", r)
}
