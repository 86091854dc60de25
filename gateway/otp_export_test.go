package gateway

import (
	"context"
	"io"
	"time"
)

// What only the tests of one-time passwords see of the inside.
var NewCode = newCode

// CodeMAC is what the store keeps of a code.
func (g *Gateway) CodeMAC(o *OTP, code string) []byte { return g.codeMAC(o, code) }

// NumberName is the name of a number in the limits.
func (s Secrets) NumberName(e164 string) string { return s.number(e164) }

// SetRandom gives the gateway another source of codes. It must be called
// before the first request.
func (g *Gateway) SetRandom(r io.Reader) { g.random = r }

// Now is the gateway's time.
func (g *Gateway) Now() time.Time { return g.clock.now() }

// Tidy purges what is past its retention.
func (g *Gateway) Tidy(ctx context.Context) error { return g.tidy(ctx) }

// Overdue ends what has passed its time.
func (g *Gateway) Overdue(ctx context.Context) error { return g.overdue(ctx) }

// IdempotencyName is under what the store keeps the key of a request.
func (g *Gateway) IdempotencyName(r Request) string { return g.idempotencyID(r) }
