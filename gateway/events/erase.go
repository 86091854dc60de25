package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Erase deletes from both streams every message that match picks, by its
// subject (without the prefix) and payload, and overwrites it on the disk. It
// returns how many it deleted. Embedded streams that are being restored are
// waited for, 10 s at most.
func (b *Bus) Erase(ctx context.Context, match func(subject string, payload []byte) bool) (int, error) {
	if err := b.begin(); err != nil {
		return 0, err
	}
	defer b.work.Done()
	if err := b.awaitRestored(ctx); err != nil {
		return 0, fmt.Errorf("erase from the streams: %w", err)
	}
	total := 0
	for _, stream := range b.names.streams {
		n, err := b.erase(ctx, stream, match)
		total += n
		if err != nil {
			return total, fmt.Errorf("erase from stream %s: %w", stream, err)
		}
	}
	return total, nil
}

func (b *Bus) erase(ctx context.Context, stream string, match func(string, []byte) bool) (int, error) {
	if !b.available() {
		return 0, errAway
	}
	s, err := b.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	state, n := s.CachedInfo().State, 0
	err = b.read(ctx, s, max(state.FirstSeq, 1), state.LastSeq, false, func(seq uint64, m jetstream.Msg) error {
		if !match(b.names.bare(m.Subject()), m.Data()) {
			return nil
		}
		actx, cancel := b.api(ctx)
		defer cancel()
		if err := s.SecureDeleteMsg(actx, seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return err
		}
		n++
		return nil
	})
	return n, err
}
