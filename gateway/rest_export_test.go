package gateway

import (
	"context"
	"log/slog"
	"time"
)

// Tries are the attempts of a line in vain.
type Tries = tries

// After is the wait before the next attempt.
func (t *Tries) After(err error, lasted, soonest time.Duration) time.Duration {
	return t.after(err, lasted, soonest)
}

// Rest has a line of no gateway wait between two sessions.
func Rest(ctx context.Context, o LineOptions, wait time.Duration, err error, plug string) (another bool) {
	return newLine(&Gateway{log: slog.New(slog.DiscardHandler)}, o).rest(ctx, wait, err, plug)
}

// Unplugged is what becomes of the error that ended a session of such a line.
func Unplugged(ctx context.Context, o LineOptions, err error) error {
	return newLine(&Gateway{log: slog.New(slog.DiscardHandler)}, o).unplugged(ctx, err)
}
