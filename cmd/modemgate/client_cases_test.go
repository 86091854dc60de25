package main

import (
	"strings"

	"github.com/modemgate/modemgate/gateway"
)

var queuedByBack = strings.Replace(queuedMessage, `"via":[]`, `"via":["back"]`, 1)

// Bodies as the API writes them.
const (
	queuedMessage = `{"id":"msg_1","rev":1,"final":false,"state":"queued","to":"+447700900123","text":"Hello","parts":1,"encoding":"gsm7","via":[],"priority":"normal","deadline_at":"2026-05-02T09:30:00.000Z","created_at":"2026-05-01T09:30:00.000Z","ref":null,"metadata":null,"on_unknown":"hold","report":true,"parts_sent":0,"possible_duplicate":false,"simulated":false}`

	sendingMessage = `{"id":"msg_1","rev":2,"final":false,"state":"sending","to":"+447700900123","text":"Hello","parts":1,"line":"front","ref":null}`
	sentMessage    = `{"id":"msg_1","rev":3,"final":false,"state":"sent","to":"+447700900123","text":"Hello","parts":1,"line":"front","ref":null}`
	failedMessage  = `{"id":"msg_1","rev":3,"final":true,"state":"failed","to":"+447700900123","parts":1,"line":"front","error":"cms-28","ref":null}`
	unknownMessage = `{"id":"msg_1","rev":4,"final":true,"state":"unknown","to":"+447700900123","parts":1,"encoding":"gsm7","priority":"normal","created_at":"2026-05-01T09:30:00.000Z","line":"front","error":"timeout","ref":null}`

	deliveredStory = `{"id":"msg_1","rev":5,"final":true,"state":"delivered","to":"+447700900123","text":"Two\nlines \u001b[31mred","parts":2,"encoding":"ucs2","via":["front","back"],"priority":"high","deadline_at":"2026-05-02T09:30:00.000Z","created_at":"2026-05-01T09:30:00.000Z","ref":"order 7","metadata":null,"on_unknown":"resend","report":true,"parts_sent":2,"possible_duplicate":true,"simulated":true,"line":"front",
"part_details":[{"part":1,"state":"delivered","line":"front","attempts":2,"submitted_at":"2026-05-01T09:30:57.000Z","sent_at":"2026-05-01T09:31:00.000Z","reported_at":"2026-05-01T09:32:00.000Z","status":0,"reference":41,"signal_dbm":-71},{"part":2,"state":"delivered","line":"front","attempts":1,"sent_at":"2026-05-01T09:31:05.000Z"}],
"history":[{"state":"queued","at":"2026-05-01T09:30:00.000Z"},{"state":"sending","at":"2026-05-01T09:30:01.000Z","line":"front"},{"state":"sending","at":"2026-05-01T09:30:01.000Z","line":"front","part":1,"note":"handed to the modem","submission":{"imei":"869999000000017","iccid":"8944000000000000017","signal_dbm":-71,"cell":{"area":"1A2B","id":"00C0FFEE","radio":"lte"},"pdu_hmac":"5f5f"}},{"state":"unknown","at":"2026-05-01T09:30:30.000Z","line":"front","part":1,"error":"timeout","note":"the modem took the text and no answer came"},{"state":"queued","at":"2026-05-01T09:30:35.000Z","note":"no answer came: one copy is sent"},{"state":"delivered","at":"2026-05-01T09:32:00.000Z","line":"front","note":"status report"}]}`

	otpMessage = `{"id":"msg_9","rev":3,"final":true,"state":"failed","to":"+447700900123","parts":1,"encoding":"gsm7","via":[],"priority":"otp","created_at":"2026-05-01T09:30:00.000Z","ref":null,"report":true,"error":"cms-331","history":[{"state":"failed","at":"2026-05-01T09:30:01.000Z","line":"front","error":"cms-331","note":"too many attempts"}]}`

	pendingOTP      = `{"id":"otp_1","rev":1,"final":false,"state":"pending","to":"+447700900123","expires_at":"2026-05-01T09:35:00.000Z","attempts_left":5,"sends_left":2,"resend_at":"2026-05-01T09:30:30.000Z","delivery":{"state":"queued","at":null,"error":null},"message_id":"msg_9","ref":null,"metadata":null,"created_at":"2026-05-01T09:30:00.000Z","simulated":false}`
	sentOTP         = `{"id":"otp_1","rev":2,"final":false,"state":"pending","to":"+447700900123","expires_at":"2026-05-01T09:35:00.000Z","attempts_left":5,"sends_left":2,"resend_at":null,"delivery":{"state":"sent","at":"2026-05-01T09:30:02.000Z","error":null},"message_id":"msg_9","ref":null,"created_at":"2026-05-01T09:30:00.000Z"}`
	failedOTP       = `{"id":"otp_1","rev":2,"final":true,"state":"failed","to":"+447700900123","expires_at":"2026-05-01T09:35:00.000Z","attempts_left":5,"sends_left":2,"resend_at":null,"delivery":{"state":"failed","at":"2026-05-01T09:30:02.000Z","error":"cms-331"},"message_id":"msg_9","purpose":"login","ref":null,"created_at":"2026-05-01T09:30:00.000Z","ended_at":"2026-05-01T09:30:02.000Z","simulated":false}`
	approvedOTP     = `{"id":"otp_1","rev":6,"final":true,"state":"approved","to":"+447700900123","expires_at":"2026-05-01T09:35:00.000Z","attempts_left":2,"attempts_used":3,"sends_left":2,"resend_at":null,"delivery":{"state":"delivered","at":"2026-05-01T09:30:06.000Z","error":null},"message_id":"msg_9","ref":null,"created_at":"2026-05-01T09:30:00.000Z","ended_at":"2026-05-01T09:30:04.000Z","simulated":false}`
	approvedMessage = `{"id":"msg_9","rev":4,"final":true,"state":"delivered","to":"+447700900123","parts":1,"encoding":"gsm7","via":[],"priority":"otp","created_at":"2026-05-01T09:30:00.000Z","ref":null,"report":true,"history":[{"state":"queued","at":"2026-05-01T09:30:00.000Z"},{"state":"sent","at":"2026-05-01T09:30:02.000Z","line":"front"},{"state":"delivered","at":"2026-05-01T09:30:06.000Z","line":"front"}]}`
	reusedOTP       = `{"id":"otp_1","rev":1,"final":false,"state":"pending","to":"+447700900123","expires_at":"2026-05-01T09:35:00.000Z","attempts_left":1,"sends_left":2,"resend_at":"2026-05-01T09:30:30.000Z","delivery":{"state":"queued","at":null,"error":null},"message_id":"msg_9","ref":null,"created_at":"2026-05-01T09:30:00.000Z","reused":true}`

	firstSMS  = `{"id":"in_1","seq":1,"from":"+447700900123","from_type":"international","to":"+447700900001","line":"front","text":"one","encoding":"gsm7","parts":1,"incomplete":false,"smsc_at":"2026-05-01T09:29:00.000Z","received_at":"2026-05-01T09:31:30.000Z","raw":["07"],"simulated":false}`
	secondSMS = `{"id":"in_2","seq":2,"from":"Bank\u202ekcats","from_type":"alphanumeric","to":"+447700900001","line":"front","text":"two\nlines\u001b]0;title\u0007","encoding":"ucs2","parts":3,"incomplete":true,"smsc_at":null,"received_at":"2026-05-01T09:33:00.000Z","raw":["07","08"],"simulated":false}`

	wellStatus = `{"version":"1.0.0","site":"berlin","started_at":"2026-05-01T09:00:00.000Z","healthy":true,"problems":[],"clock":"ok","lines":[{"name":"front","state":"up","since_at":"2026-05-01T09:00:03.000Z","paused":false,"simulated":false,"identity":{"number":"+447700900001"},"operator":"Net","registration":"home","signal_dbm":-71,"storage":[{"memory":"SM","used":1,"total":30}],"counters":{"sent":12,"failed":0,"unknown":0,"received":7}}],"queue":{"otp":0,"high":0,"normal":0,"low":0,"held":0,"oldest_at":null},"nats":{"connected":true,"embedded":true,"addr":"127.0.0.1:4222","since_at":null,"waiting":1},"store":{"bytes":1048576,"free_bytes":21474836480,"writable":true}}`
	illStatus  = `{"version":"1.0.0","site":"berlin","started_at":"2026-05-01T09:00:00.000Z","healthy":false,"problems":["line back is absent: the port is not there","NATS: connection refused"],"clock":"ok","lines":[{"name":"front","state":"up","since_at":"2026-05-01T09:00:03.000Z","simulated":true,"identity":{"number":"+447700900001"},"operator":"Net","registration":"home","signal_dbm":-71,"storage":[],"counters":{"sent":12,"failed":1,"unknown":2,"received":7},"recovery":{"retry_at":null,"incidents":[{"at":"2026-05-01T09:20:00.000Z","cause":"silent","step":"usb","result":"cured","detail":"it answers and is registered","took":"4.2s"},{"at":"2026-05-01T09:19:00.000Z","cause":"silent","step":"reset","result":"in-vain","took":"1m30s"}]}},{"name":"back","state":"absent","since_at":null,"detail":"the port is not there","identity":{"number":"+447700900002"},"storage":[],"counters":{}}],"queue":{"otp":1,"high":0,"normal":3,"low":0,"held":2,"oldest_at":"2026-05-01T09:29:00.000Z"},"nats":{"connected":false,"embedded":false,"since_at":null,"waiting":40,"error":"connection refused"},"store":{"bytes":1048576,"free_bytes":0,"writable":false,"error":"the disk is full"}}`

	notFound   = `{"type":"x","status":404,"detail":"` + gateway.NoSuchMessage + gateway.OrAnotherKeys + `","code":"not-found","request_id":"req_1","errors":[]}`
	twoFaults  = `{"type":"x","status":400,"detail":"/to is missing (and 1 more, see errors)","code":"invalid-request","request_id":"req_1","errors":[{"pointer":"/to","detail":"is missing"},{"pointer":"/ttl","detail":"must be a duration"}]}`
	limited    = `{"type":"x","status":429,"detail":"the key has sent 600 messages this minute","code":"limit-exceeded","request_id":"req_1","errors":[],"limit":"minute","retry_at":"2026-05-01T09:31:00.000Z"}`
	noLine     = `{"type":"x","status":503,"detail":"no line can send this","code":"no-line","request_id":"req_1","errors":[]}`
	broken     = `{"type":"x","status":500,"detail":"the request failed inside: the log has more under this request id","code":"internal","request_id":"req_7","errors":[]}`
	endedOTP   = `{"type":"x","status":410,"detail":"this OTP is approved: create a new one","code":"otp-ended","reason":"approved","request_id":"req_1","errors":[]}`
	madeKey    = `{"secret":"mg_SECRET","name":"shop","scopes":["inbound:front","otp","send"],"to":["+44"],"per_day":500,"generation":1,"created_at":"2026-05-01T09:30:00.000Z","expires_at":"2026-07-30T09:30:00.000Z","revoked_at":null}`
	madeAdmin  = `{"secret":"mg_SECRET","name":"ops","scopes":["admin"],"to":[],"generation":1,"created_at":"2026-05-01T09:30:00.000Z","expires_at":null,"revoked_at":null}`
	listedKeys = `{"items":[{"name":"shop","scopes":["otp","send"],"to":["+44","+49"],"per_minute":5,"per_day":500,"generation":1,"created_at":"2026-05-01T09:30:00.000Z","expires_at":"2026-07-30T09:30:00.000Z","revoked_at":null},{"name":"old","scopes":["admin"],"to":[],"generation":2,"created_at":"2026-04-01T09:30:00.000Z","expires_at":null,"revoked_at":"2026-04-02T09:30:00.000Z"},{"name":"back","scopes":["status"],"to":[],"generation":1,"created_at":"2026-04-01T09:30:00.000Z","expires_at":null,"revoked_at":null,"revived_at":"2026-04-30T09:30:00.000Z"}],"next_cursor":null}`
)

const (
	signalAnswer = `{"line":"front","lines":["+CSQ: 21,99","\u001b]0;x"],"result":"OK","took_ms":12}`
	noSIMAnswer  = `{"line":"front","lines":[],"result":"cme-10","took_ms":3}`
	menuAnswer   = `{"line":"front","state":"reply-expected","text":"Menu\n1 Balance","expires_at":"2026-05-01T09:32:00.000Z"}`
	doneAnswer   = `{"line":"front","state":"done","text":"Your balance is 9.90"}`
	someTrace    = `{"items":[{"seq":1,"at":"2026-05-01T09:30:00.000Z","mark":">","text":"AT+CSQ"},{"seq":2,"at":"2026-05-01T09:30:00.012Z","mark":"<","text":"+CSQ: 21,99"}],"next_cursor":"2"}`
)

// commandCase is one command line, what the daemon says, and the exit code. What
// it prints and asks is a file in testdata/client.
type commandCase struct {
	name string
	args []string
	in   string
	say  answers
	code int
}

var commandCases = []commandCase{
	{name: "send", args: []string{"send", "+447700900123", "Hello"}, say: answers{"POST /v1/messages": {queuedMessage}}},
	{name: "send-json", args: []string{"send", "--json", "+447700900123", "Hello"}, say: answers{"POST /v1/messages": {queuedMessage}}},
	{
		name: "send-all-flags", in: "from a pipe\n",
		args: []string{"send", "--via", "a,b", "+447700900123", "--priority", "high", "-", "--ttl", "90d", "--report=false", "--ref", "r 1", "--send-at", "2026-05-02T11:30:00+02:00"},
		say:  answers{"POST /v1/messages": {queuedMessage}},
	},
	{name: "send-dashes", args: []string{"send", "--ref", "x", "--", "+447700900123", "--5 degrees"}, say: answers{"POST /v1/messages": {queuedMessage}}},
	{
		name: "send-wait", args: []string{"send", "+447700900123", "Hello", "--wait", "60s"},
		say: answers{
			"POST /v1/messages": {queuedMessage}, "GET /v1/messages/msg_1": {queuedMessage},
			"GET /v1/messages/msg_1?after=1&wait=W": {sendingMessage}, "GET /v1/messages/msg_1?after=2&wait=W": {sentMessage},
		},
	},
	{
		name: "send-wait-json", args: []string{"send", "+447700900123", "Hello", "--wait", "60s", "--json"},
		say: answers{"POST /v1/messages": {queuedMessage}, "GET /v1/messages/msg_1": {sentMessage}},
	},
	{
		name: "send-wait-restart", args: []string{"send", "+447700900123", "Hello", "--wait", "60s"},
		say: answers{
			"POST /v1/messages": {queuedMessage}, "GET /v1/messages/msg_1": {queuedMessage},
			"GET /v1/messages/msg_1?after=1&wait=W": {"hang up", sentMessage},
		},
	},
	{
		name: "send-wait-failed", args: []string{"send", "+447700900123", "Hello", "--wait", "60s"}, code: exitFailed,
		say: answers{"POST /v1/messages": {queuedMessage}, "GET /v1/messages/msg_1": {failedMessage}},
	},
	{
		name: "send-wait-unknown", args: []string{"send", "+447700900123", "Hello", "--wait", "60s"}, code: exitFailed,
		say: answers{"POST /v1/messages": {queuedMessage}, "GET /v1/messages/msg_1": {unknownMessage}},
	},
	{
		name: "send-wait-too-long", args: []string{"send", "+447700900123", "Hello", "--wait", "20ms"}, code: exitTimeout,
		say: answers{"POST /v1/messages": {queuedMessage}, "GET /v1/messages/msg_1": {queuedMessage}, "GET /v1/messages/msg_1?after=1&wait=W": {queuedMessage}},
	},
	// The answer is lost; the same request with the same key finds what was made.
	{
		name: "send-wait-down", args: []string{"send", "+447700900123", "Hello", "--via", "back", "--wait", "20ms"}, code: exitTimeout,
		say: answers{
			"POST /v1/messages": {queuedByBack}, "GET /v1/messages/msg_1": {queuedByBack}, "GET /v1/messages/msg_1?after=1&wait=W": {queuedByBack},
			"GET /v1/status": {illStatus},
		},
	},
	{name: "inbox-no-line", args: []string{"inbox", "--line", "nix"}, say: answers{"GET /v1/inbound?limit=20&line=nix": {`{"items":[],"next_cursor":null}`}, "GET /v1/status": {illStatus}}},
	{name: "at-unsupported", args: []string{"at", "front", "AT+CBC"}, say: answers{"POST /v1/lines/front/at": {`{"line":"front","lines":[],"result":"cme-4","took_ms":3}`}}, code: exitFailed},
	{name: "at-no-at", args: []string{"at", "front", "CSQ"}, code: exitUsage},
	{name: "key-new-no-unit", args: []string{"key", "new", "shop", "--scopes", "otp", "--expires", "5"}, code: exitUsage},
	{name: "send-answer-lost", args: []string{"send", "+447700900123", "Hello"}, say: answers{"POST /v1/messages": {"hang up", queuedMessage}}},
	{name: "send-invalid", args: []string{"send", "+447700900123", "Hello"}, code: exitFailed, say: answers{"POST /v1/messages": {twoFaults}}},
	{name: "send-limited", args: []string{"send", "+447700900123", "Hello"}, code: exitFailed, say: answers{"POST /v1/messages": {limited}}},
	{name: "send-no-line", args: []string{"send", "+447700900123", "Hello"}, code: exitFailed, say: answers{"POST /v1/messages": {noLine}}},
	{name: "send-broken", args: []string{"send", "+447700900123", "Hello"}, code: exitFailed, say: answers{"POST /v1/messages": {broken}}},
	{name: "send-no-json", args: []string{"send", "+447700900123", "Hello"}, code: exitFailed, say: answers{"POST /v1/messages": {"nonsense"}}},

	{name: "otp-send", args: []string{"otp", "send", "+447700900123", "--purpose", "login", "--length", "8", "--ttl", "2m", "--ref", "r"}, say: answers{"POST /v1/otp": {pendingOTP}}},
	{name: "otp-send-reused", args: []string{"otp", "send", "+447700900123"}, say: answers{"POST /v1/otp": {reusedOTP}}},
	{
		name: "otp-send-wait", args: []string{"otp", "send", "--wait", "60s", "+447700900123"},
		say: answers{"POST /v1/otp": {pendingOTP}, "GET /v1/otp/otp_1": {pendingOTP}, "GET /v1/otp/otp_1?after=1&wait=W": {sentOTP}},
	},
	{
		name: "otp-send-wait-failed", args: []string{"otp", "send", "--wait", "60s", "+447700900123"}, code: exitFailed,
		say: answers{"POST /v1/otp": {pendingOTP}, "GET /v1/otp/otp_1": {failedOTP}},
	},
	{
		name: "otp-send-wait-too-long", args: []string{"otp", "send", "--wait", "20ms", "+447700900123"}, code: exitTimeout,
		say: answers{"POST /v1/otp": {pendingOTP}, "GET /v1/otp/otp_1": {pendingOTP}, "GET /v1/otp/otp_1?after=1&wait=W": {pendingOTP}},
	},
	{name: "otp-verify", args: []string{"otp", "verify", "otp_1", "123456"}, say: answers{"POST /v1/otp/otp_1/verify": {`{"valid":true,"state":"approved","attempts_left":4}`}}},
	{name: "otp-verify-json", args: []string{"otp", "verify", "--json", "otp_1", "123456"}, code: exitFailed, say: answers{"POST /v1/otp/otp_1/verify": {`{"valid":false,"state":"pending","attempts_left":4}`}}},
	{name: "otp-verify-to", args: []string{"otp", "verify", "--to", "+447700900123", "--purpose", "login", "-"}, in: "123456\r\n", say: answers{"POST /v1/otp/verify": {`{"valid":true,"state":"approved","attempts_left":4}`}}},
	{name: "otp-verify-wrong", args: []string{"otp", "verify", "otp_1", "123456"}, code: exitFailed, say: answers{"POST /v1/otp/otp_1/verify": {`{"valid":false,"state":"pending","attempts_left":1}`}}},
	{name: "otp-verify-last", args: []string{"otp", "verify", "otp_1", "123456"}, code: exitFailed, say: answers{"POST /v1/otp/otp_1/verify": {`{"valid":false,"state":"blocked","attempts_left":0}`}}},
	{name: "otp-verify-nothing", args: []string{"otp", "verify", "--to", "+447700900123", "123456"}, code: exitFailed, say: answers{"POST /v1/otp/verify": {`{"valid":false,"state":null,"attempts_left":0}`}}},
	{name: "otp-verify-ended", args: []string{"otp", "verify", "otp_1", "123456"}, code: exitFailed, say: answers{"POST /v1/otp/otp_1/verify": {endedOTP}}},

	{name: "inbox", args: []string{"inbox"}, say: answers{"GET /v1/inbound?limit=20": {`{"items":[` + secondSMS + `,` + firstSMS + `],"next_cursor":null}`}}},
	{name: "inbox-json", args: []string{"inbox", "--json", "--limit", "2"}, say: answers{"GET /v1/inbound?limit=2": {`{"items":[` + secondSMS + `,` + firstSMS + `],"next_cursor":null}`}}},
	{name: "inbox-empty", args: []string{"inbox", "--line", "front", "--from", "+44 7700 900123"}, say: answers{"GET /v1/inbound?from=%2B44+7700+900123&limit=20&line=front": {`{"items":[],"next_cursor":null}`}}},
	{
		name: "inbox-pages", args: []string{"inbox", "--limit", "201"},
		say: answers{
			"GET /v1/inbound?limit=200":          {`{"items":[` + secondSMS + `],"next_cursor":"2"}`},
			"GET /v1/inbound?cursor=2&limit=200": {`{"items":[` + firstSMS + `],"next_cursor":null}`},
		},
	},
	{name: "inbox-since", args: []string{"inbox", "--since", "2026-05-01T09:30:00Z"}, say: answers{"GET /v1/inbound?limit=200&order=asc&since=2026-05-01T09%3A30%3A00Z": {`{"items":[` + firstSMS + `,` + secondSMS + `],"next_cursor":"2"}`}}},
	{name: "inbox-since-limit", args: []string{"inbox", "--since", "2026-05-01T09:30:00Z", "--limit", "1"}, say: answers{"GET /v1/inbound?limit=1&order=asc&since=2026-05-01T09%3A30%3A00Z": {`{"items":[` + firstSMS + `],"next_cursor":"1"}`}}},

	{name: "explain-message", args: []string{"explain", "msg_1"}, say: answers{"GET /v1/messages/msg_1": {deliveredStory}}},
	{name: "explain-queued", args: []string{"explain", "msg_1"}, say: answers{"GET /v1/messages/msg_1": {queuedMessage}}},
	{name: "explain-unknown", args: []string{"explain", "msg_1"}, say: answers{"GET /v1/messages/msg_1": {unknownMessage}}},
	{name: "explain-not-there", args: []string{"explain", "msg_2"}, code: exitFailed, say: answers{"GET /v1/messages/msg_2": {notFound}}},
	{name: "explain-json", args: []string{"explain", "msg_1", "--json"}, say: answers{"GET /v1/messages/msg_1": {queuedMessage}}},
	{name: "explain-otp", args: []string{"explain", "otp_1"}, say: answers{"GET /v1/otp/otp_1": {failedOTP}, "GET /v1/messages/msg_9": {otpMessage}}},
	{name: "explain-otp-approved", args: []string{"explain", "otp_1"}, say: answers{"GET /v1/otp/otp_1": {approvedOTP}, "GET /v1/messages/msg_9": {approvedMessage}}},
	{name: "explain-otp-message-gone", args: []string{"explain", "otp_1"}, say: answers{"GET /v1/otp/otp_1": {pendingOTP}, "GET /v1/messages/msg_9": {notFound}}},
	{name: "explain-inbound", args: []string{"explain", "in_1"}, say: answers{"GET /v1/inbound/in_1": {firstSMS}}},
	{name: "explain-inbound-incomplete", args: []string{"explain", "in_2"}, say: answers{"GET /v1/inbound/in_2": {secondSMS}}},

	{name: "resolve", args: []string{"resolve", "msg_1", "sent"}, say: answers{"POST /v1/messages/msg_1/resolve": {sentMessage}}},
	{name: "resolve-not-there", args: []string{"resolve", "msg_2", "failed"}, code: exitFailed, say: answers{"POST /v1/messages/msg_2/resolve": {notFound}}},
	{name: "queue", args: []string{"queue"}, say: answers{"GET /v1/queue": {`{"otp":1,"high":2,"normal":0,"low":30,"held":1,"oldest_at":"2026-05-01T09:29:00.000Z"}`}}},
	{name: "queue-empty", args: []string{"queue"}, say: answers{"GET /v1/queue": {`{"otp":0,"high":0,"normal":0,"low":0,"held":0,"oldest_at":null}`}}},
	{name: "queue-json", args: []string{"queue", "--json"}, say: answers{"GET /v1/queue": {`{"otp":0,"high":0,"normal":0,"low":0,"held":0,"oldest_at":null}`}}},
	{name: "queue-drop", args: []string{"queue", "drop"}, say: answers{"POST /v1/admin/queue/drop": {`{"messages":1}`}}},
	{name: "queue-release", args: []string{"queue", "release"}, say: answers{"POST /v1/admin/queue/release": {`{"messages":3}`}, "GET /v1/status": {wellStatus}}},
	{name: "queue-release-down", args: []string{"queue", "release"}, say: answers{"POST /v1/admin/queue/release": {`{"messages":1}`}, "GET /v1/status": {illStatus}}},
	{name: "queue-drop-more", args: []string{"queue", "drop", "foo"}, code: exitUsage},

	{name: "status", args: []string{"status"}, say: answers{"GET /v1/status": {wellStatus}}},
	{name: "status-ill", args: []string{"status"}, code: exitFailed, say: answers{"GET /v1/status": {illStatus}}},
	{name: "status-json", args: []string{"status", "--json"}, code: exitFailed, say: answers{"GET /v1/status": {illStatus}}},

	{
		name: "key-new", args: []string{"key", "new", "shop", "--scopes", "otp,send", "--scopes", "inbound:front", "--to", "+44", "--per-minute", "5", "--per-day", "500", "--expires", "90d", "--from", "all", "--inherit"},
		say: answers{"POST /v1/admin/keys": {madeKey}, "GET /v1/lines": {`{"items":[{"name":"front"}]}`}},
	},
	{name: "key-new-admin", args: []string{"key", "new", "ops", "--scopes", "admin"}, say: answers{"POST /v1/admin/keys": {madeAdmin}}},
	{name: "key-new-json", args: []string{"key", "new", "ops", "--scopes", "admin", "--json"}, say: answers{"POST /v1/admin/keys": {madeAdmin}}},
	{name: "key-list", args: []string{"key", "list"}, say: answers{"GET /v1/admin/keys": {listedKeys}}},
	{name: "key-list-none", args: []string{"key", "list"}, say: answers{"GET /v1/admin/keys": {`{"items":[],"next_cursor":null}`}}},
	{name: "key-list-json", args: []string{"key", "list", "--json"}, say: answers{"GET /v1/admin/keys": {listedKeys}}},
	{name: "key-revoke", args: []string{"key", "revoke", "shop"}, say: answers{"DELETE /v1/admin/keys/shop": {""}}},

	{name: "erase", args: []string{"erase", "+447700900123"}, say: answers{"POST /v1/admin/erase": {`{"messages":12,"otps":1,"inbound":0,"events":100}`}}},
	{name: "erase-json", args: []string{"erase", "+447700900123", "--json"}, say: answers{"POST /v1/admin/erase": {`{"messages":12,"otps":1,"inbound":0,"events":100}`}}},
	{name: "erase-no-answer", args: []string{"erase", "+447700900123"}, code: exitUnreachable, say: answers{"POST /v1/admin/erase": {"hang up"}}},
	{name: "at", args: []string{"at", "front", "AT+CSQ", "+CPIN?", "--timeout", "30s"}, say: answers{"POST /v1/lines/front/at": {signalAnswer, noSIMAnswer}}, code: exitFailed},
	{name: "at-json", args: []string{"at", "--json", "front", "AT+CSQ"}, say: answers{"POST /v1/lines/front/at": {signalAnswer}}},
	{name: "trace", args: []string{"trace", "front"}, say: answers{"GET /v1/lines/front/trace?after=0": {someTrace}}},
	{name: "trace-json", args: []string{"trace", "front", "--json"}, say: answers{"GET /v1/lines/front/trace?after=0": {someTrace}}},
	{name: "trace-empty", args: []string{"trace", "front"}, say: answers{"GET /v1/lines/front/trace?after=0": {`{"items":[],"next_cursor":"0"}`}}},
	{name: "ussd", args: []string{"ussd", "front", "*100#"}, say: answers{"POST /v1/lines/front/ussd": {doneAnswer}}},
	{name: "ussd-menu", args: []string{"ussd", "front", "*123#", "1"}, say: answers{"POST /v1/lines/front/ussd": {menuAnswer, doneAnswer}}},
	{name: "ussd-waits", args: []string{"ussd", "front", "*123#"}, say: answers{"POST /v1/lines/front/ussd": {menuAnswer}}},
	{name: "ussd-reply", args: []string{"ussd", "front", "--reply", "1", "--json"}, say: answers{"POST /v1/lines/front/ussd": {doneAnswer}}},
	{name: "ussd-short", args: []string{"ussd", "front", "*100#", "1"}, say: answers{"POST /v1/lines/front/ussd": {doneAnswer}}, code: exitFailed},
	{name: "ussd-cancel", args: []string{"ussd", "front", "--cancel"}, say: answers{"POST /v1/lines/front/ussd": {`{"line":"front","state":"canceled","text":""}`}}},
	{name: "ussd-timeout", args: []string{"ussd", "front", "*100#"}, say: answers{"POST /v1/lines/front/ussd": {`{"line":"front","state":"timeout","text":""}`}}, code: exitTimeout},
	{name: "ussd-refused", args: []string{"ussd", "front", "*100#"}, say: answers{"POST /v1/lines/front/ussd": {`{"line":"front","state":"failed","text":"","error":"cme-30"}`}}, code: exitFailed},
}
