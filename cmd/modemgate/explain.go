package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

var explainCommand = command{
	name: "explain", args: "ID [--config FILE]", summary: "tell the story of a message, a one-time password or a received SMS",
	help: `  modemgate explain msg_01jz…
  modemgate explain otp_01jz…
  modemgate explain in_01jz…`,
	run: func(ctx context.Context, s system, args []string) int { return report(s, explain(ctx, s, args)) },
}

func explain(ctx context.Context, s system, args []string) error {
	f := newClientFlags("explain", true)
	pos, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	id := pos[0]
	tell := map[string]func(context.Context, system, *client, string, bool) error{
		"msg_": explainMessage, "otp_": explainOTP, "in_": explainInbound,
	}[id[:strings.IndexByte(id, '_')+1]]
	if tell == nil {
		return usageError("explain", "an id begins with msg_, otp_ or in_")
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	return tell(ctx, s, c, id, f.json)
}

func explainMessage(ctx context.Context, s system, c *client, id string, asJSON bool) error {
	var m messageJSON
	answer, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/messages/" + url.PathEscape(id)}, &m)
	if err != nil {
		return err
	}
	if asJSON {
		printJSON(s.out, answer)
		return nil
	}
	fmt.Fprintf(s.out, "%s is a message to %s%s.\n%s\n\n", m.ID, m.To, simulated(m.Simulated), sentence(m.verdict()))
	facts := [][2]string{
		{"made", when(m.CreatedAt) + m.by()},
		{"size", count(m.Parts, "part", "parts") + ", " + encodingWords(m.Encoding)},
		{"lines", strings.Join(m.Via, ", ")},
		{"send at", maybe(m.SendAt, "")},
		{"deadline", maybe(m.DeadlineAt, "")},
		{"reference", m.Ref},
	}
	if len(m.Via) == 0 {
		facts[2][1] = "any"
	}
	showFacts(s.out, facts)
	showSteps(s.out, m)
	if m.Text != nil {
		fmt.Fprintf(s.out, "\ntext\n")
		indented(s.out, *m.Text)
	}
	showAdvice(s.out, m.advice())
	return nil
}

func (m messageJSON) by() string {
	text := ", priority " + m.Priority
	if m.Report {
		text += ", with a delivery report"
	}
	return text
}

// verdict is where the message stands, as a sentence.
func (m messageJSON) verdict() string {
	switch m.State {
	case "queued":
		return m.queued()
	case "sending":
		return fmt.Sprintf("line %s is sending it: %d of %d parts are out", orNone(m.Line), m.PartsSent, m.Parts)
	case "sent":
		switch {
		case m.Final && m.Report:
			return "the network took it; no delivery report came in 24 h"
		case m.Final:
			return "the network took it; no delivery report was asked for"
		}
		return "the network took it; whether it reached the phone is not reported yet"
	case "delivered":
		return "it reached the phone"
	case "undelivered":
		return "the network took it and could not deliver it: " + errorWords(m.Error)
	case "failed":
		return "it was not sent: " + errorWords(m.Error)
	case "expired":
		return "it was not sent: its deadline passed first"
	case "canceled":
		return "it was canceled before it was sent"
	case "unknown":
		text := "the modem took the text and then nothing more was heard: it may be sent or not"
		if !m.Final {
			text += "; late evidence is waited for"
		}
		return text
	}
	return "its state is " + m.State
}

func (m messageJSON) queued() string {
	switch {
	case m.Held:
		return "it is held since a restore, and not sent"
	case m.SendAt != nil && time.Now().Before(*m.SendAt):
		return "it waits for its time: " + when(*m.SendAt)
	case m.Error != "":
		return "it waits for another try, after: " + errorWords(m.Error)
	}
	return "it waits for a line"
}

// advice is what can be done about the state.
func (m messageJSON) advice() []string {
	var out []string
	switch {
	case m.State == "queued" && m.Held:
		out = append(out, "modemgate queue release sends all that is held, modemgate queue drop cancels it")
	case m.State == "queued" && m.SendAt == nil:
		out = append(out, "modemgate status says what the lines do")
	case m.State == "unknown" && m.Final:
		out = append(out, "modemgate resolve "+m.ID+" sent|failed|resend settles it")
	}
	if m.PossibleDuplicate {
		out = append(out, "a copy was sent after an unknown outcome: the phone may have the text twice")
	}
	return out
}

// showSteps tells what happened, in order.
func showSteps(w io.Writer, m messageJSON) {
	if len(m.History) == 0 {
		return
	}
	fmt.Fprintf(w, "\nwhat happened\n")
	for _, h := range m.History {
		fmt.Fprintf(w, "  %s  %s\n", when(h.At), oneLine(h.words(m.Parts)))
		for _, line := range h.Submission.words() {
			fmt.Fprintf(w, "  %*s  %s\n", len(when(h.At)), "", oneLine(line))
		}
	}
	if len(m.PartDetails) == 0 || m.PartDetails[0].SubmittedAt == nil && m.Parts < 2 {
		return
	}
	fmt.Fprintf(w, "\nparts\n")
	for _, p := range m.PartDetails {
		fmt.Fprintf(w, "  %d of %d  %s\n", p.Part, m.Parts, oneLine(p.words()))
	}
}

func (h stepJSON) words(parts int) string {
	text := h.State
	if h.Part > 0 && parts > 1 { // the state is the message's, the note the part's
		text = fmt.Sprintf("part %d of %d", h.Part, parts)
	}
	if h.Line != "" {
		text += " by line " + h.Line
	}
	if h.Error != "" && h.Error != h.State {
		text += ": " + errorWords(h.Error)
	}
	if h.Note != "" {
		text += " (" + h.Note + ")"
	}
	return text
}

func (p partJSON) words() string {
	text := p.State
	if p.Line != "" {
		text += " by line " + p.Line
	}
	if p.Attempts > 1 {
		text += fmt.Sprintf(", %d attempts", p.Attempts)
	}
	if p.SubmittedAt != nil {
		text += ", given to the modem " + when(*p.SubmittedAt)
		if p.SignalDBM != 0 {
			text += fmt.Sprintf(" at %d dBm", p.SignalDBM)
		}
	}
	if p.SentAt != nil {
		text += ", taken by the network " + when(*p.SentAt)
		if p.Reference != nil {
			text += fmt.Sprintf(" as reference %d", *p.Reference)
		}
	}
	if p.ReportedAt != nil {
		text += ", reported " + when(*p.ReportedAt)
		if p.Status != nil {
			text += ": " + statusWords(*p.Status)
		}
	}
	if p.Error != "" {
		text += ": " + errorWords(p.Error)
	}
	return text
}

func explainOTP(ctx context.Context, s system, c *client, id string, asJSON bool) error {
	var o otpJSON
	answer, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/otp/" + url.PathEscape(id)}, &o)
	if err != nil {
		return err
	}
	if asJSON {
		printJSON(s.out, answer)
		return nil
	}
	fmt.Fprintf(s.out, "%s is a one-time password for %s%s.\n%s\n\n", o.ID, o.To, simulated(o.Simulated), sentence(o.verdict()))
	showFacts(s.out, [][2]string{
		{"made", when(o.CreatedAt)}, {"purpose", o.Purpose}, {"reference", o.Ref},
		{"valid until", when(o.ExpiresAt)}, {"ended", maybe(o.EndedAt, "")},
		{"tries", o.tries()}, {"sends left", o.sends()},
	})
	var m messageJSON
	var refused *refusal
	switch _, err = c.do(ctx, call{method: http.MethodGet, path: "/v1/messages/" + url.PathEscape(o.MessageID)}, &m); {
	case o.MessageID == "", errors.As(err, &refused):
		return nil // erased by now, or not ours to see
	case err != nil:
		return err
	}
	fmt.Fprintf(s.out, "\nits newest message is %s: %s\n", m.ID, m.verdict())
	if o.EndedAt != nil {
		m.History = append(m.History, stepJSON{At: *o.EndedAt, State: "the OTP is " + o.State, Note: o.verdict()})
		slices.SortStableFunc(m.History, func(a, b stepJSON) int { return a.At.Compare(b.At) })
	}
	showSteps(s.out, m)
	showAdvice(s.out, m.advice())
	return nil
}

// tries tells what was tried, never with which codes.
func (o otpJSON) tries() string {
	text := count(o.AttemptsUsed, "try", "tries") + " so far, "
	switch {
	case o.AttemptsUsed == 0:
		text = "none so far, "
	case o.State == "approved" && o.AttemptsUsed == 1:
		text = "1, with the right code; "
	case o.State == "approved":
		text = fmt.Sprintf("%d, the last with the right code; ", o.AttemptsUsed)
	default:
		text += "all with wrong codes, "
	}
	return text + fmt.Sprint(o.AttemptsLeft) + " left"
}

func (o otpJSON) sends() string {
	text := fmt.Sprint(o.SendsLeft)
	if o.State == "pending" && o.SendsLeft > 0 && o.ResendAt != nil {
		text += ", the next one due at " + when(*o.ResendAt)
	}
	return text
}

// verdict is where the one-time password stands, as a sentence.
func (o otpJSON) verdict() string {
	switch o.State {
	case "pending":
		return "it waits for its code, which is " + orNone(o.Delivery.State)
	case "approved":
		return "the right code was given"
	case "expired":
		return "nobody gave the right code in time"
	case "canceled":
		return "it was canceled"
	case "blocked":
		return "all tries were used with wrong codes"
	case "failed":
		return "its message could not be sent: " + errorWords(o.Delivery.Error)
	}
	return "its state is " + o.State
}

func explainInbound(ctx context.Context, s system, c *client, id string, asJSON bool) error {
	var in inboundJSON
	answer, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/inbound/" + url.PathEscape(id)}, &in)
	if err != nil {
		return err
	}
	if asJSON {
		printJSON(s.out, answer)
		return nil
	}
	fmt.Fprintf(s.out, "%s is an SMS from %s%s.\n\n", in.ID, sender(in), simulated(in.Simulated))
	sent := maybe(in.SMSCAt, "unreadable")
	if in.SMSCAt != nil && in.ReceivedAt.Sub(*in.SMSCAt) > time.Minute {
		sent += ", " + in.ReceivedAt.Sub(*in.SMSCAt).Round(time.Second).String() + " before it was received"
	}
	facts := [][2]string{
		{"line", in.Line}, {"to", in.To}, {"kind of sender", in.FromType},
		{"at the network", sent}, {"received", when(in.ReceivedAt)},
		{"size", count(in.Parts, "part", "parts") + ", " + encodingWords(in.Encoding)},
		{"PDUs", fmt.Sprint(len(in.Raw))},
	}
	if in.Incomplete {
		facts = append(facts, [2]string{"incomplete", "parts of it had not come; another SMS amends it when they do"})
	}
	if in.Amends != "" {
		facts = append(facts, [2]string{"amends", in.Amends + ", which came without all its parts"})
	}
	showFacts(s.out, facts)
	fmt.Fprintf(s.out, "\ntext\n")
	indented(s.out, in.Text)
	return nil
}
