package events

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// streamConfig is how a stream is made: the gateway publishes to the ingest
// subjects and events are stored under their real ones. So the stream does
// not take what is published live under those.
func (b *Bus) streamConfig(stream string) jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name:         b.names.streams[stream],
		Storage:      jetstream.FileStorage,
		Retention:    jetstream.LimitsPolicy,
		Discard:      jetstream.DiscardOld,
		Replicas:     1,
		MaxMsgs:      -1,
		MaxConsumers: -1,
		Metadata:     map[string]string{"modemgate.stream": stream},
	}
	// Three quarters of the room are for what came over the air.
	if stream == streamInbound {
		cfg.Description = "received SMS of modemgate"
		cfg.MaxAge = b.opts.InboundKeep
		cfg.MaxBytes = b.opts.MaxBytes / 4 * 3
	} else {
		cfg.Description = "states of messages, OTPs and modems of modemgate"
		cfg.MaxAge = b.opts.StatusKeep
		cfg.MaxMsgs = b.opts.StatusMax
		cfg.MaxBytes = b.opts.MaxBytes / 4
	}
	cfg.Duplicates = min(b.opts.dedupe, cfg.MaxAge)
	cfg.Subjects = []string{b.names.subject("modemgate.ingest." + stream + ".>")}
	cfg.SubjectTransform = &jetstream.SubjectTransformConfig{
		Source: cfg.Subjects[0], Destination: b.names.subject(">"),
	}
	return cfg
}

// ownStreams makes the streams of the embedded server or brings them to the
// configured limits.
func (b *Bus) ownStreams(ctx context.Context) error {
	for _, stream := range []string{streamInbound, streamStatus} {
		if err := b.ownStream(ctx, stream); err != nil {
			return fmt.Errorf("make stream %s: %w", b.names.streams[stream], err)
		}
	}
	return nil
}

// ownStream leaves a stream alone that is as it should be: the server reads a
// whole block of it for every change.
func (b *Bus) ownStream(ctx context.Context, stream string) error {
	ctx, cancel := b.api(ctx)
	defer cancel()
	want := b.streamConfig(stream)
	if s, err := b.js.Stream(ctx, want.Name); err == nil && unchanged(s.CachedInfo().Config, want) {
		return nil
	}
	_, err := b.js.CreateOrUpdateStream(ctx, want)
	return err
}

// unchanged says whether a stream is as want makes it. What want leaves to the
// server is not looked at.
func unchanged(is, want jetstream.StreamConfig) bool {
	for k, v := range want.Metadata { // the server adds some of its own
		if is.Metadata[k] != v {
			return false
		}
	}
	return is.Description == want.Description &&
		is.Retention == want.Retention && is.Discard == want.Discard && is.Duplicates == want.Duplicates &&
		is.MaxAge == want.MaxAge && is.MaxMsgs == want.MaxMsgs && is.MaxBytes == want.MaxBytes && is.MaxConsumers == want.MaxConsumers &&
		slices.Equal(is.Subjects, want.Subjects) && reflect.DeepEqual(is.SubjectTransform, want.SubjectTransform)
}

// openStream finds a stream and makes it when it is missing. A stream that
// the operator of an external cluster made stays as it is.
func (b *Bus) openStream(ctx context.Context, stream string) (jetstream.Stream, error) {
	if !b.available() {
		return nil, errAway
	}
	ctx, cancel := b.api(ctx)
	defer cancel()
	name := b.names.streams[stream]
	s, err := b.js.Stream(ctx, name)
	if err == nil {
		return s, nil
	}
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("look for stream %s: %w", name, b.explain(err, name))
	}
	s, err = b.js.CreateStream(ctx, b.streamConfig(stream))
	if err != nil {
		return nil, fmt.Errorf("stream %s is missing and could not be made; make it or grant the right to: %w",
			name, b.explain(err, name))
	}
	b.log.Info("stream was missing and is made anew", "stream", name)
	return s, nil
}

// explain adds what an operator can do to an error of a request.
func (b *Bus) explain(err error, stream string) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) {
		if last := b.nc.LastError(); errors.Is(last, nats.ErrPermissionViolation) {
			return fmt.Errorf("the rights of this account do not allow it (%s)", mask(last.Error()))
		}
		return fmt.Errorf("no answer in %v: %w", b.opts.apiTimeout, err)
	}
	if errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("nobody answers; is JetStream enabled there? %w", err)
	}
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return fmt.Errorf("JetStream is not enabled for this account: %w", err)
	}
	return err
}

// ingest is the start of the subjects that the stream takes events under, and
// false where the operator made the stream to take them under their real ones.
func (b *Bus) ingest(stream string, cfg jetstream.StreamConfig) (string, bool) {
	own := b.streamConfig(stream).Subjects[0]
	if cfg.SubjectTransform == nil || !slices.Contains(cfg.Subjects, own) {
		return "", false
	}
	return strings.TrimSuffix(own, ">"), true
}

// redactURL takes users, passwords and tokens out of a list of URLs.
func redactURL(list string) string {
	urls := strings.Split(list, ",")
	for i, s := range urls {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil {
			urls[i] = "…"
			continue
		}
		at := ""
		if u.User != nil {
			u.User, at = nil, "…@"
		}
		urls[i] = strings.Replace(u.String(), "://", "://"+at, 1)
	}
	return strings.Join(urls, ",")
}
