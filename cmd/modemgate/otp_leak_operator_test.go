package main_test

import (
	"fmt"
	gobuild "go/build"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// command is what a command of the operator printed, and its exit status; it
// is judged like an answer of the API.
func (w *witness) command(args ...string) answer {
	w.Helper()
	out, err := exec.Command(w.binary, append(args, "--config", w.config)...).CombinedOutput()
	a := answer{"modemgate " + strings.Join(args, " "), 0, string(out)}
	if err != nil {
		if a.status = exitStatus(err); a.status < 0 {
			w.Fatalf("%s: %v", a.what, err)
		}
	}
	if a.body == "" {
		w.Fatalf("%s prints nothing", a.what)
	}
	w.mu.Lock()
	w.bodies = append(w.bodies, a)
	w.mu.Unlock()
	return a
}

func exitStatus(err error) int {
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return -1
}

// traces reads the dialogue with every modem, over HTTP and as the operator
// does, and keeps it. It demands that the sending of a text is in it.
func (w *witness) traces() {
	w.Helper()
	sent := false
	for _, name := range w.lineNames() {
		a := w.ask("GET", "/v1/lines/"+name+"/trace", "").wants(w.T, 200)
		b := w.command("trace", name)
		c := w.command("trace", name, "--json")
		for _, x := range []answer{a, b, c} {
			w.mu.Lock()
			w.dialogue = append(w.dialogue, x)
			w.mu.Unlock()
			sent = sent || strings.Contains(x.body, "AT+CMGS=")
		}
		if b.status != 0 || c.status != 0 {
			w.Fatalf("%s: exit %d and %d", b.what, b.status, c.status)
		}
	}
	if !sent {
		w.Fatal("no dialogue shows that a text was sent")
	}
}

func (w *witness) lineNames() (names []string) {
	w.Helper()
	var page struct{ Items []struct{ Name string } }
	if !w.get("/v1/lines", &page) || len(page.Items) != 2 {
		w.Fatalf("lines: %+v", page)
	}
	for _, l := range page.Items {
		names = append(names, l.Name)
	}
	return names
}

// operator looks at everything there is to look at after what went before.
func (w *witness) operator() {
	w.Helper()
	name := w.lineNames()[0]
	w.command("at", name, "ATI", "AT+CSQ", "AT+CPMS?", "AT+CNMI?")
	w.command("at", name, fmt.Sprintf(`AT+CPBF=%q`, w.hide("a name in a command", "Timbuktu 5557770001")))
	w.command("ussd", name, "*100#")
	w.command("ussd", name, "*"+w.hide("a voucher in a USSD code", "90210773311")+"#")
	for _, args := range [][]string{{"doctor"}, {"modems"}, {"status"}, {"status", "--json"}, {"messages"}, {"line", "show", name}} {
		w.command(args...)
	}
	explained := map[string]bool{}
	w.mu.Lock()
	answers := slices.Clone(w.bodies)
	w.mu.Unlock()
	for _, a := range answers {
		if id := a.member("id"); a.what == "POST /v1/otp" && a.status == 201 && !explained[id] && len(explained) < 8 {
			explained[id] = true
			w.command("explain", id)
			w.command("explain", a.member("message_id"))
		}
	}
	if len(explained) == 0 {
		w.Fatal("no OTP to explain")
	}
	w.traces()
}

// overheard lists what of the secrets and whole numbers is in the dialogues.
func (w *witness) overheard() (secrets, numbers []string) {
	for _, a := range w.dialogue {
		for line := range strings.Lines(a.body) {
			for _, hit := range w.secretsIn([]byte(line)) {
				secrets = append(secrets, fmt.Sprintf("%s: %s in %s", a.what, hit, line))
			}
			for _, hit := range w.numbersIn([]byte(line)) {
				numbers = append(numbers, fmt.Sprintf("%s: %s in %s", a.what, hit, line))
			}
		}
	}
	return secrets, numbers
}

// The same life with the masking switched off: the judge of
// TestS21NothingLeaks finds codes, texts and numbers in the dialogue, and
// numbers and an operator's words in the log.
func TestS21TheJudgeSeesWhatIsNotMasked(t *testing.T) {
	t.Parallel()
	w := newWitness(t, "")
	w.env = []string{"MODEMGATE_UNMASKED=1"}
	w.texts = w.onPhones
	w.up()
	n := w.phoneNumber("+447700911601")
	v := w.ask("POST", "/v1/otp", fmt.Sprintf(`{"to":%q}`, n)).wants(t, 201)
	code := w.code(n, 1)
	w.settled("/v1/messages/" + v.member("message_id"))
	caller := w.phoneNumber("+447700911602")
	w.net.Modems()[0].Call(caller, 2)
	w.must("the call is known", func() bool { return strings.Contains(w.logged(), "a call came in") })
	w.operator()
	w.quit()

	secrets, numbers := w.overheard()
	for _, want := range []string{"a code", "the text of an OTP"} {
		for _, over := range []string{"GET /v1/lines/", "modemgate trace"} {
			if !strings.Contains(strings.Join(within(secrets, over), "\n"), ": "+want+", form") {
				t.Errorf("the judge does not find %s in what %s shows", want, over)
			}
		}
	}
	if len(numbers) == 0 {
		t.Error("the judge does not find a number in the dialogue")
	}
	log := []byte(w.logged())
	if len(w.numbersIn(log)) == 0 {
		t.Error("the judge does not find the number of a call in the log")
	}
	if !strings.Contains(strings.Join(w.secretsIn(log), "\n"), "a name in a command") {
		t.Error("the judge does not find the operator's words in the log")
	}
	if strings.Contains(string(log), code) {
		t.Error("a code is in the log, whatever the masking")
	}
}

func within(list []string, prefix string) (some []string) {
	for _, s := range list {
		if strings.HasPrefix(s, prefix) {
			some = append(some, s)
		}
	}
	return some
}

// What switches the masking off is in no binary but that of the tests.
func TestMaskingIsAlwaysOnInTheShippedProgram(t *testing.T) {
	for _, dir := range []string{"../../driver", "../../gateway/phone"} {
		shipped, err := gobuild.Default.MatchFile(dir, "maskoff_crash.go")
		if err != nil || shipped {
			t.Errorf("%s: built without the tag too, or not there: %v", dir, err)
		}
	}
}
