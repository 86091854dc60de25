package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

var otpCommand = command{
	name: "otp", args: "send TO | verify ID CODE | resend ID | unlock NUMBER [--config FILE]", summary: "send and verify one-time passwords",
	help: `  modemgate otp send +447700900123 --wait 60s
  modemgate otp verify otp_01jz… 123456
  modemgate otp verify --to +447700900123 123456
  modemgate otp resend otp_01jz…           a new code; the old one is void
  modemgate otp unlock +447700900123       after too many wrong codes

  send:    --ttl D, --length N, --purpose TEXT, --ref TEXT, --wait D
  verify:  --to TO, --purpose TEXT
  resend:  --wait D
  all:     --config FILE; all but unlock: --json

modemgate cancel ends one. The code itself is never shown. A code "-" is read
from standard input. Exit 0 when it is stored, sent (--wait) or right; 1
refused, failed or wrong, 2 usage, 3 no daemon, 4 time-out.`,
	run: func(ctx context.Context, s system, args []string) int {
		switch word(args) {
		case "send":
			return report(s, sendOTP(ctx, s, args[1:]))
		case "verify":
			return report(s, verifyOTP(ctx, s, args[1:]))
		case "resend":
			return report(s, resendOTP(ctx, s, args[1:]))
		case "unlock":
			return report(s, unlockNumber(ctx, s, args[1:]))
		}
		return report(s, usageError("otp", "say send, verify, resend or unlock"))
	},
}

// word is the first argument.
func word(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// newOTP is the body of POST /v1/otp.
type newOTP struct {
	To      string `json:"to"`
	TTL     string `json:"ttl,omitempty"`
	Length  int    `json:"length,omitempty"`
	Purpose string `json:"purpose,omitempty"`
	Ref     string `json:"ref,omitempty"`
}

func sendOTP(ctx context.Context, s system, args []string) error {
	f := newClientFlags("otp send", true)
	var in newOTP
	var ttl, wait span
	f.Var(&ttl, "ttl", "")
	f.IntVar(&in.Length, "length", 0, "")
	f.StringVar(&in.Purpose, "purpose", "", "")
	f.StringVar(&in.Ref, "ref", "", "")
	f.Var(&wait, "wait", "")
	pos, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	in.To, in.TTL = pos[0], ttl.wire()
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	var o otpJSON
	answer, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/otp", body: in, once: true}, &o)
	if err != nil {
		return err
	}
	switch {
	case !f.json:
		showOTP(s, o)
	case wait == 0:
		printJSON(s.out, answer)
	}
	if wait == 0 {
		return nil
	}
	return followOTP(ctx, s, c, o, time.Duration(wait), f.json)
}

func showOTP(s system, o otpJSON) {
	fmt.Fprintf(s.out, "%s %s, valid until %s, %s left\n", o.ID, o.State, when(o.ExpiresAt), count(o.AttemptsLeft, "try", "tries"))
	if o.Reused {
		fmt.Fprintf(s.out, "the number had a pending one already: it is this one; a new code is due from %s\n", maybe(o.ResendAt, "now"))
	}
}

// followOTP prints each change until the message with the code is sent, or
// the one-time password has ended.
func followOTP(ctx context.Context, s system, c *client, o otpJSON, wait time.Duration, asJSON bool) error {
	var answer []byte
	last := ""
	done, err := follow(ctx, c, "/v1/otp/"+o.ID, wait, func(body []byte) (int64, bool, error) {
		answer, o = body, otpJSON{}
		if err := decode(body, &o); err != nil {
			return 0, false, err
		}
		if d := o.Delivery.State; d != last && d != "" && !asJSON {
			fmt.Fprintf(s.out, "%s %s\n", o.ID, d)
		}
		last = o.Delivery.State
		return o.Rev, o.Final || last == "sent" || last == "delivered" || last == "undelivered", nil
	})
	if asJSON && answer != nil {
		printJSON(s.out, answer)
	}
	more := "modemgate explain " + o.ID + " tells its story"
	switch {
	case err != nil:
		return err
	case !done:
		return &failure{code: exitTimeout, text: fmt.Sprintf("%s is not sent after %v: its message is %s", o.ID, wait, orNone(last)), hints: []string{"it goes on by itself until " + when(o.ExpiresAt) + "; " + more}}
	case o.State == "approved", o.State == "pending" && last != "undelivered":
		return nil
	case o.State == "pending":
		return &failure{code: exitFailed, text: o.ID + " did not reach the phone: " + errorWords(o.Delivery.Error), hints: []string{more}}
	}
	text := o.ID + " is " + o.State
	if o.State == "failed" {
		text = o.ID + " failed"
	}
	if o.Delivery.Error != "" {
		text += ": " + errorWords(o.Delivery.Error)
	}
	return &failure{code: exitFailed, text: text, hints: []string{more}}
}

func verifyOTP(ctx context.Context, s system, args []string) error {
	f := newClientFlags("otp verify", true)
	to := f.String("to", "", "")
	purpose := f.String("purpose", "", "")
	pos, err := f.parse(args, 1, 2)
	switch {
	case err != nil:
		return err
	case *to == "" && len(pos) != 2:
		return usageError("otp verify", "needs an id and a code, or --to and a code")
	case *to != "" && len(pos) != 1:
		return usageError("otp verify", "with --to there is only the code")
	case *to == "" && *purpose != "":
		return usageError("otp verify", "--purpose goes with --to: an id has its purpose")
	}
	code, err := argument(s, pos[len(pos)-1])
	if err != nil {
		return err
	}
	body := map[string]string{"code": code}
	path := "/v1/otp/verify"
	if *to != "" {
		body["to"] = *to
		if *purpose != "" {
			body["purpose"] = *purpose
		}
	} else {
		path = "/v1/otp/" + url.PathEscape(pos[0]) + "/verify"
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	var v verdictJSON
	answer, err := c.do(ctx, call{method: http.MethodPost, path: path, body: body}, &v)
	if err != nil {
		return err
	}
	if f.json {
		printJSON(s.out, answer)
	}
	return judge(s, v, f.json)
}

// judge says what one try gave.
func judge(s system, v verdictJSON, quiet bool) error {
	if v.Valid {
		if !quiet {
			fmt.Fprintln(s.out, "valid: the code is right, and used up")
		}
		return nil
	}
	wrong := &failure{code: exitFailed}
	switch {
	case v.State == "":
		wrong.text = "not valid: no code is pending for this number"
	case v.AttemptsLeft == 0:
		wrong.text = "not valid: the code is wrong, and that was the last try; the one-time password is " + v.State
		wrong.hints = []string{"modemgate otp send makes a new one"}
	default:
		wrong.text = "not valid: the code is wrong; " + count(v.AttemptsLeft, "try", "tries") + " left"
	}
	return wrong
}
