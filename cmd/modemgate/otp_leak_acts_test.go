package main_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// clients does all that clients do with one-time passwords and messages.
func (w *witness) clients() {
	w.Helper()
	t := w.T
	a, b := w.phoneNumber("+447700911101"), w.phoneNumber("+447700911102")
	body := fmt.Sprintf(`{"to":%q,"purpose":"login","ref":"r1","metadata":{"user":7}}`, a)
	v := w.ask("POST", "/v1/otp", body, "Idempotency-Key", "k1").wants(t, 201)
	id := v.member("id")
	w.ask("POST", "/v1/otp", body, "Idempotency-Key", "k1").wants(t, 201)
	w.ask("POST", "/v1/otp", body+" ", "Idempotency-Key", "k1").wants(t, 422)
	c := w.code(a, 1)
	w.ask("GET", "/v1/messages/"+v.member("message_id"), "").wants(t, 200)
	wrong := w.hide("a wrong code", flip(c))
	w.ask("POST", "/v1/otp/"+id+"/verify", fmt.Sprintf(`{"code":%q}`, wrong)).wants(t, 200)
	w.must("a resend is due", func() bool { return w.ask("POST", "/v1/otp/"+id+"/resend", "").status == 202 })
	w.ask("POST", "/v1/otp/"+id+"/resend", "").wants(t, 429)
	c2 := w.code(a, 2)
	w.ask("POST", "/v1/otp/"+id+"/verify", fmt.Sprintf(`{"code":%q}`, c)).wants(t, 200)
	w.ask("POST", "/v1/otp/"+id+"/verify", fmt.Sprintf(`{"code":"%s %s"}`, c2[:5], c2[5:])).wants(t, 200)
	w.ask("POST", "/v1/otp/"+id+"/verify", fmt.Sprintf(`{"code":%q}`, c2)).wants(t, 410)
	w.ask("GET", "/v1/otp/"+id+"?wait=1s", "").wants(t, 200)
	w.ask("POST", "/v1/otp/verify", fmt.Sprintf(`{"to":%q,"code":%q}`, a, c2)).wants(t, 200)

	for i := range 3 { // blocked, then locked
		v := w.ask("POST", "/v1/otp", fmt.Sprintf(`{"to":%q,"purpose":"p%d"}`, b, i))
		if v.status == 429 {
			break
		}
		wrong := w.hide("a wrong code", flip(w.code(b, i+1)))
		for range 5 {
			w.ask("POST", "/v1/otp/"+v.member("id")+"/verify", fmt.Sprintf(`{"code":%q}`, wrong))
		}
	}
	w.ask("POST", "/v1/otp/verify", fmt.Sprintf(`{"to":%q,"code":%q}`, b, c)).wants(t, 429)
	w.ask("POST", "/v1/numbers/"+b+"/unlock", "").wants(t, 204)
	v = w.ask("POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, b)).wants(t, 201)
	w.ask("POST", "/v1/otp/"+v.member("id")+"/cancel", "").wants(t, 200)

	plain := w.hide("the text of a message", "the vault of Xanadu opens with 5550001112")
	long := w.hide("the text of a long message", strings.Repeat("Żółw says 5550001113 to Xanadu. ", 9))
	for i, text := range []string{plain, long} {
		m := w.ask("POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":%q}`, a, text), "Idempotency-Key", fmt.Sprintf("k2-%d", i)).wants(t, 202)
		w.settled("/v1/messages/" + m.member("id"))
	}
	later := w.ask("POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":%q,"send_at":%q}`, a, plain, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))).wants(t, 202)
	w.ask("POST", "/v1/messages/"+later.member("id")+"/cancel", "").wants(t, 200)
	w.ask("DELETE", "/v1/messages/"+later.member("id"), "").wants(t, 204)
	w.ask("GET", "/v1/messages?to="+a, "").wants(t, 200)
	for _, path := range []string{"/v1/status", "/v1/queue", "/v1/lines", "/metrics", "/healthz"} {
		w.ask("GET", path, "").wants(t, 200)
	}
}

// flip is another code.
func flip(c string) string { return string('0'+(c[0]-'0'+1)%10) + c[1:] }

// intruders sends what should not be sent, with secrets in all places where
// they do not belong. None of it may be repeated anywhere.
func (w *witness) intruders() {
	w.Helper()
	n := w.phoneNumber("+447700911103")
	stray := w.hide("a code in the wrong place", "3141592653")
	key := w.hide("a key that is none", "mg_"+strings.Repeat("Qx7", 16))
	text := w.hide("a text in the wrong place", "Shangri-La is behind the 2718281828 hills")
	v := w.ask("POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, n)).wants(w.T, 201)
	id := v.member("id")
	for _, r := range []struct{ method, path, body string }{
		{"POST", "/v1/otp/" + id + "/verify", fmt.Sprintf(`{"code":%s}`, stray)},
		{"POST", "/v1/otp/" + id + "/verify", fmt.Sprintf(`{"code":"%sx"}`, stray)},
		{"POST", "/v1/otp/" + id + "/verify", fmt.Sprintf(`{"code":"%s%s"}`, stray, stray)},
		{"POST", "/v1/otp/" + id + "/verify", fmt.Sprintf(`{"code":"1","text":"%s"}`, text)},
		{"POST", "/v1/otp/" + id + "/verify", fmt.Sprintf(`{"code":["%s"]}`, stray)},
		{"POST", "/v1/otp/" + id + "/verify", fmt.Sprintf(`{"code":"%s"`, stray)},
		{"POST", "/v1/otp/" + id + "/verify", stray},
		{"POST", "/v1/otp/" + stray + "/verify", fmt.Sprintf(`{"code":%q}`, stray)},
		{"POST", "/v1/otp/otp_" + stray + "/verify?code=" + stray, fmt.Sprintf(`{"code":%q}`, stray)},
		{"POST", "/v1/otp/verify", fmt.Sprintf(`{"to":%q,"code":%q,"purpose":"a\nb"}`, n, stray)},
		{"POST", "/v1/otp/verify", fmt.Sprintf(`{"to":"%s","code":"x"}`, text)},
		{"GET", "/v1/otp/" + stray, ""},
		{"GET", "/v1/messages?to=" + n + "&code=" + stray, ""},
		{"GET", "/v1/messages?cursor=" + stray, ""},
		{"GET", "/v1/" + stray, ""},
		{"POST", "/v1/otp", fmt.Sprintf(`{"to":"x%s"}`, stray)},
		{"POST", "/v1/otp", fmt.Sprintf(`{"to":%q,"ttl":"%s"}`, n, stray)},
		{"POST", "/v1/otp", fmt.Sprintf(`{"to":%q,"length":%s}`, n, stray)},
		{"POST", "/v1/otp", fmt.Sprintf(`{"to":%q,"metadata":"%s"}`, n, text)},
		{"POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":%q,"via":["%s"]}`, n, text, "nowhere")},
		{"POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":%q,"priority":"urgent"}`, n, text)},
		{"POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":%q}`, n, strings.Repeat(text, 60))},
		{"POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":"%s`, n, text)},
		{"POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":{"a":%q}}`, n, text)},
		{"POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":%q}`, n, strings.Repeat(text, 600))},
		{"POST", "/v1/messages", fmt.Sprintf(`{"to":"+1%s","text":%q}`, n[3:], text)},
	} {
		w.ask(r.method, r.path, r.body)
		w.ask(r.method, r.path, r.body, "Authorization", "Bearer "+key)
		w.ask(r.method, r.path, r.body, "Authorization", "Bearer "+w.key+stray, "X-Request-Id", "bad id "+stray)
		w.ask(r.method, r.path, r.body, "Content-Type", "text/"+stray)
	}
	w.ask("POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, n), "Idempotency-Key", "not one word "+stray)
	w.ask("POST", "/v1/otp/"+id+"/verify", fmt.Sprintf(`{"code":%q}`, w.code(n, 1))).wants(w.T, 200)
}

// failures sends OTPs and messages through modems that misbehave.
func (w *witness) failures() {
	w.Helper()
	faults := [][]sim.Fault{
		{{Kind: sim.FaultCMS, Code: 1}},
		{{Kind: sim.FaultCMS, Code: 42}},
		{{Kind: sim.FaultUnplug, Point: sim.PointPrompt, Delay: 200 * time.Millisecond}},
		{{Kind: sim.FaultUnplug, Point: sim.PointBody, Delay: 200 * time.Millisecond}},
		{{Kind: sim.FaultNoReport}, {Kind: sim.FaultUnplug, Point: sim.PointAccepted, Delay: 200 * time.Millisecond}},
		{{Kind: sim.FaultReboot}}, // at once: one that forgets a text and says nothing is waited for 150 s
		{{Kind: sim.FaultEcho}},
		{{Kind: sim.FaultDoubled, Match: "+CMGS"}},
		{{Kind: sim.FaultChatter, Match: "+CMGS", Where: sim.WhereInside, Text: "+CMT: ,24"}},
		{{Kind: sim.FaultError, Match: "+CMGS", Code: 100}},
		{{Kind: sim.FaultReportFirst}},
	}
	for i, list := range faults {
		n := w.phoneNumber(fmt.Sprintf("+4477009112%02d", i))
		for _, m := range w.net.Modems() {
			for _, f := range list {
				m.Inject(f)
			}
		}
		otp := w.ask("POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, n)).wants(w.T, 201)
		text := w.hide("the text of a failing message", fmt.Sprintf("El Dorado number %d is 73916482%02d", i, i))
		w.ask("POST", "/v1/messages", fmt.Sprintf(`{"to":%q,"text":%q,"on_unknown":"resend"}`, n, text)).wants(w.T, 202)
		w.must("the line has had its failure", func() bool {
			m := w.ask("GET", "/v1/messages/"+otp.member("message_id")+"?wait=1s", "")
			return m.member("state") != "sending" && strings.Contains(m.body, `"state":"sending"`)
		})
		w.ask("POST", "/v1/otp/"+otp.member("id")+"/cancel", "") // it need not wait for its next try
		for _, m := range w.net.Modems() {
			m.ClearFaults()
		}
	}
	w.must("two lines are up", func() bool { return strings.Count(w.ask("GET", "/v1/lines", "").body, `"state":"up"`) == 2 })
	// What the network has seen is the truth of what must not be seen.
	for _, e := range w.net.Journal() {
		if e.Kind == sim.JournalSubmitted && e.Text != "" && e.Modem != "" && e.Parts < 2 {
			w.hide("a submitted text", e.Text)
			if c := codeInText.FindString(e.Text); c != "" {
				w.hide("a code", c)
			}
		}
	}
	for _, m := range w.net.Modems() {
		m.StorePDU("0791FFFFFFFF"+"04"+"FF", 3) // not an SMS
	}
}

// inboundTexts receives texts, short and long, and reads them.
func (w *witness) inboundTexts(send func(number, text string)) {
	w.Helper()
	n := w.phoneNumber("+447700911401")
	short := w.hide("a received text", "Atlantis bank: your code is 8080123456")
	long := w.hide("a long received text", strings.Repeat("Atlantis sank at 8080123457 fathoms; ", 8))
	send(n, short)
	send(n, long)
	var page struct{ Items []struct{ ID string } }
	w.must("two texts are in", func() bool { return w.get("/v1/inbound?from="+n, &page) && len(page.Items) == 2 })
	w.ask("GET", "/v1/inbound/"+page.Items[0].ID, "").wants(w.T, 200)
	w.ask("DELETE", "/v1/inbound/"+page.Items[1].ID, "").wants(w.T, 204)
	w.traces()
}

// house does what the operator does: keys, backup, explain, a kill, a stop,
// and more work in between.
func (w *witness) house() {
	w.Helper()
	cli := func(args ...string) string {
		w.Helper()
		out, err := exec.Command(w.binary, append(args, "--config", w.config)...).CombinedOutput()
		if err != nil {
			w.Fatalf("modemgate %v: %v\n%s", args, err, out)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.bodies = append(w.bodies, answer{"modemgate " + args[0], 0, string(out)})
		return string(out)
	}
	made, err := exec.Command(w.binary, "key", "new", "shop", "--scopes", "otp", "--config", w.config).Output()
	if err != nil {
		w.Fatal(err)
	}
	for _, word := range strings.Fields(string(made)) {
		if strings.HasPrefix(word, "mg_") {
			w.hide("the key of the shop", word)
		}
	}
	n := w.phoneNumber("+447700911501")
	v := w.ask("POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, n)).wants(w.T, 201)
	c := w.code(n, 1)
	cli("explain", v.member("id"))
	cli("explain", v.member("message_id"))
	cli("status")
	cli("queue")
	cli("key", "list")
	cli("backup", filepath.Join(w.data, "backup.db"))
	w.events()
	w.now().kill()
	w.up()
	w.ask("POST", "/v1/otp/"+v.member("id")+"/verify", fmt.Sprintf(`{"code":%q}`, c)).wants(w.T, 200)
	cli("erase", n)
	cli("key", "revoke", "shop")
	w.events()
	w.command("doctor")
	w.quit()
}
