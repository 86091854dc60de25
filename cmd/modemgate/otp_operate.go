package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

func resendOTP(ctx context.Context, s system, args []string) error {
	f := newClientFlags("otp resend", true)
	var wait span
	f.Var(&wait, "wait", "")
	pos, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	var o otpJSON
	answer, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/otp/" + url.PathEscape(pos[0]) + "/resend", once: true}, &o)
	switch {
	case err != nil:
		return err
	case !f.json:
		fmt.Fprintf(s.out, "%s has a new code, the old one is void; valid until %s, %s and %s left\n",
			o.ID, when(o.ExpiresAt), count(o.AttemptsLeft, "try", "tries"), count(o.SendsLeft, "send", "sends"))
	case wait == 0:
		printJSON(s.out, answer)
	}
	if wait == 0 {
		return nil
	}
	return followOTP(ctx, s, c, o, time.Duration(wait), f.json)
}

func unlockNumber(ctx context.Context, s system, args []string) error {
	f := newClientFlags("otp unlock", false)
	pos, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	c, err := connect(ctx, s, f.config)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/numbers/" + url.PathEscape(pos[0]) + "/unlock"}, nil); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s is not locked: the wrong codes that were given for it are forgotten\n", clean(pos[0]))
	return nil
}
