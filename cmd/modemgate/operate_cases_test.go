package main

const (
	frontLine    = `{"name":"front","state":"up","since_at":"2026-05-01T09:00:03.000Z","paused":false,"simulated":false,"port":"/dev/ttyUSB0","labels":["uk","cheap"],"identity":{"number":"+447700900001","imei":"490154203237518","iccid":"8944100000000000001","manufacturer":"HUAWEI","model":"E3372","revision":"21.1","smsc":"+447785016005"},"balance":{"amount":3.2,"as_of_at":"2026-05-01T08:00:00.000Z","low":true,"error":"the network gave no answer in time"},"operator":"Net\u001b[31m","registration":"home","signal_dbm":-71,"cell":{"area":"1A2B","id":"00C0FFEE","radio":"lte"},"storage":[{"memory":"SM","used":1,"total":30}],"limits":{"per_minute":40,"per_day":1000,"per_month":9000,"cost_per_month":20000},"counters":{"sent":12,"failed":1,"unknown":2,"received":7,"restarts":1,"parts_today":12,"parts_this_month":340,"cost_this_month":512},"last_error":"cms-331","recovery":{"retry_at":null,"incidents":[{"at":"2026-05-01T09:20:00.000Z","cause":"silent","step":"usb","result":"cured","detail":"it answers and is registered","took":"4.2s"}]}}`
	pausedLine   = `{"name":"front","state":"paused","detail":"it receives and does not send","since_at":"2026-05-01T09:00:03.000Z","paused":true,"simulated":true,"identity":{},"storage":[],"limits":{"per_minute":40,"per_day":1000},"counters":{"sent":0,"failed":0,"unknown":0,"received":0,"restarts":0,"parts_today":0,"parts_this_month":0}}`
	absentLine   = `{"name":"front","state":"absent","detail":"the port is not there","since_at":null,"paused":false,"simulated":false,"identity":{},"storage":[],"limits":{"per_minute":40,"per_day":1000},"counters":{"sent":0,"failed":0,"unknown":0,"received":0,"restarts":0,"parts_today":1,"parts_this_month":1}}`
	lineNotThere = `{"type":"x","status":404,"detail":"there is no line \"nix\"; there are back, front","code":"not-found","request_id":"req_1","errors":[]}`
	notBegun     = `{"type":"x","status":409,"detail":"the message is sent: only a queued one can be canceled","code":"not-cancelable","request_id":"req_1","errors":[]}`
	madeNixKey   = `{"secret":"mg_SECRET","name":"shop","scopes":["inbound:front","inbound:nix"],"to":[],"generation":1,"created_at":"2026-05-01T09:30:00.000Z","expires_at":null,"revoked_at":null}`
	tooSoon      = `{"type":"x","status":429,"detail":"a code was sent a moment ago: the next may follow at resend_at","code":"limit-exceeded","request_id":"req_1","errors":[],"limit":"resend_after","retry_at":"2026-05-01T09:30:30.000Z"}`
	laterMessage = `{"id":"msg_3","rev":1,"final":false,"state":"queued","to":"+447700900124","parts":2,"created_at":"2026-05-01T09:40:00.000Z","send_at":"2026-05-02T09:30:00.000Z","ref":"a\nb","via":[]}`
	heldMessage  = `{"id":"msg_4","rev":1,"final":false,"state":"queued","held":true,"to":"+447700900124","parts":1,"created_at":"2026-05-01T09:41:00.000Z","ref":null,"via":[]}`
)

func init() { commandCases = append(commandCases, operatorCases...) }

// operatorCases are the commands that change one line, one message or one
// number.
var operatorCases = []commandCase{
	{name: "send-later", args: []string{"send", "+447700900124", "Hello", "--send-at", "2026-05-02 11:30:00+02:00"}, say: answers{"POST /v1/messages": {laterMessage}}},
	{name: "line-show", args: []string{"line", "show", "front"}, say: answers{"GET /v1/lines/front": {frontLine}}},
	{name: "line-show-absent", args: []string{"line", "show", "front"}, say: answers{"GET /v1/lines/front": {absentLine}}},
	{name: "line-show-json", args: []string{"line", "show", "front", "--json"}, say: answers{"GET /v1/lines/front": {absentLine}}},
	{name: "line-show-not-there", args: []string{"line", "show", "nix"}, code: exitFailed, say: answers{"GET /v1/lines/nix": {lineNotThere}}},
	{name: "line-pause", args: []string{"line", "pause", "front"}, say: answers{"POST /v1/lines/front/pause": {pausedLine}}},
	{name: "line-resume", args: []string{"line", "resume", "front"}, say: answers{"POST /v1/lines/front/resume": {frontLine}}},
	{name: "line-resume-absent", args: []string{"line", "resume", "front"}, say: answers{"POST /v1/lines/front/resume": {absentLine}}},
	{name: "line-reset", args: []string{"line", "reset", "front"}, say: answers{"POST /v1/lines/front/reset": {frontLine}}},
	{name: "line-reset-step", args: []string{"line", "reset", "--step", "usb", "front", "--json"}, say: answers{"POST /v1/lines/front/reset": {absentLine}}},
	{name: "line-verb", args: []string{"line", "stop", "front"}, code: exitUsage},
	{name: "line-no-name", args: []string{"line", "pause"}, code: exitUsage},
	{name: "line-step", args: []string{"line", "reset", "front", "--step", "hammer"}, code: exitUsage},

	{name: "messages", args: []string{"messages"}, say: answers{"GET /v1/messages?limit=20": {`{"items":[` + heldMessage + `,` + laterMessage + `,` + failedMessage + `,` + unknownMessage + `],"next_cursor":null}`}}},
	{
		name: "messages-pages", args: []string{"messages", "--limit", "201", "--state", "unknown", "--to", "+44 7700 900123", "--via", "front", "--since", "2026-05-01T09:30:00Z", "--json"},
		say: answers{
			"GET /v1/messages?limit=200&since=2026-05-01T09%3A30%3A00Z&state=unknown&to=%2B44+7700+900123&via=front":          {`{"items":[` + unknownMessage + `],"next_cursor":"c"}`},
			"GET /v1/messages?cursor=c&limit=200&since=2026-05-01T09%3A30%3A00Z&state=unknown&to=%2B44+7700+900123&via=front": {`{"items":[` + failedMessage + `],"next_cursor":null}`},
		},
	},
	{name: "messages-none", args: []string{"messages"}, say: answers{"GET /v1/messages?limit=20": {`{"items":[],"next_cursor":null}`}}},
	{name: "messages-no-match", args: []string{"messages", "--state", "failed"}, say: answers{"GET /v1/messages?limit=20&state=failed": {`{"items":[],"next_cursor":null}`}}},
	{name: "messages-no-line", args: []string{"messages", "--via", "nix"}, say: answers{"GET /v1/messages?limit=20&via=nix": {`{"items":[],"next_cursor":null}`}, "GET /v1/status": {illStatus}}},
	{name: "messages-state", args: []string{"messages", "--state", "lost"}, code: exitUsage},

	{name: "cancel", args: []string{"cancel", "msg_1"}, say: answers{"POST /v1/messages/msg_1/cancel": {`{"id":"msg_1","state":"canceled"}`}}},
	{name: "cancel-otp", args: []string{"cancel", "otp_1", "--json"}, say: answers{"POST /v1/otp/otp_1/cancel": {`{"id":"otp_1","state":"canceled"}`}}},
	{name: "cancel-late", args: []string{"cancel", "msg_1"}, code: exitFailed, say: answers{"POST /v1/messages/msg_1/cancel": {notBegun}}},
	{name: "cancel-inbound", args: []string{"cancel", "in_1"}, code: exitUsage},

	{name: "otp-resend", args: []string{"otp", "resend", "otp_1"}, say: answers{"POST /v1/otp/otp_1/resend": {pendingOTP}}},
	{name: "otp-resend-wait", args: []string{"otp", "resend", "otp_1", "--wait", "60s"}, say: answers{"POST /v1/otp/otp_1/resend": {pendingOTP}, "GET /v1/otp/otp_1": {sentOTP}}},
	{name: "otp-resend-soon", args: []string{"otp", "resend", "otp_1"}, code: exitFailed, say: answers{"POST /v1/otp/otp_1/resend": {tooSoon}}},
	{name: "key-new-line-not-there", args: []string{"key", "new", "shop", "--scopes", "inbound:nix,inbound:front", "--json"}, say: answers{"POST /v1/admin/keys": {madeNixKey}, "GET /v1/lines": {`{"items":[` + absentLine + `]}`}}},
	{name: "otp-unlock", args: []string{"otp", "unlock", "+447700900123"}, say: answers{"POST /v1/numbers/+447700900123/unlock": {""}}},
}
