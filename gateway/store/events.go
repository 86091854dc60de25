package store

import (
	"errors"
	"fmt"
	"slices"
)

func payloadPlace(stream string, seq int64) string {
	return fmt.Sprintf("events/payload/%s/%d", stream, seq)
}

// AddEvent implements [Events]. It sets e.Seq. Sequences of a stream are never
// used again, also after erased events.
func (t *tx) AddEvent(e *Event) error {
	seq, err := t.next("events/" + e.Stream)
	if err != nil {
		return err
	}
	e.Seq = seq
	_, err = t.exec(`INSERT INTO events (stream, seq, subject, msg_id, type, source, about, payload, at)
		VALUES (?,?,?,?,?,?,?,?,?)`, e.Stream, seq, e.Subject, e.MsgID, e.Type, e.Source, e.About,
		blob(t.seal.seal(payloadPlace(e.Stream, seq), e.Payload)), us(e.At))
	if err != nil {
		return err
	}
	added := *e
	added.At = stored(e.At)
	t.events = append(t.events, &added)
	return nil
}

// PendingEvents implements [Events].
func (t *tx) PendingEvents(stream string, after int64, limit int) ([]*Event, error) {
	var out []*Event
	err := t.query(func(r scanner) error {
		e := &Event{Stream: stream}
		var sealed []byte
		err := r.Scan(&e.Seq, &e.Subject, &e.MsgID, &e.Type, &e.Source, &e.About, &sealed, (*usec)(&e.At))
		if err != nil {
			return err
		}
		if e.Payload, err = t.seal.open(payloadPlace(stream, e.Seq), sealed); err != nil {
			return fmt.Errorf("event %d of %s: %w", e.Seq, stream, err)
		}
		out = append(out, e)
		return nil
	}, `SELECT seq, subject, msg_id, type, source, about, payload, at FROM events WHERE stream=? AND seq>? ORDER BY seq LIMIT ?`,
		stream, after, limit)
	return out, err
}

// MarkEvents implements [Events].
func (t *tx) MarkEvents(stream string, upTo int64, streamSeq uint64) error {
	if _, err := t.exec(`DELETE FROM events WHERE stream=? AND seq<=?`, stream, upTo); err != nil {
		return err
	}
	t.marks = append(t.marks, mark{stream, upTo})
	return t.SetEventMark(stream, upTo, streamSeq)
}

// EventMark implements [Events]; zeros when nothing was marked yet.
func (t *tx) EventMark(stream string) (upTo int64, streamSeq uint64, err error) {
	var seq int64
	err = t.row([]any{&upTo, &seq}, `SELECT up_to, stream_seq FROM event_marks WHERE stream=?`, stream)
	if errors.Is(err, ErrNotFound) {
		return 0, 0, nil
	}
	return upTo, uint64(seq), err
}

// SetEventMark implements [Events].
func (t *tx) SetEventMark(stream string, upTo int64, streamSeq uint64) error {
	_, err := t.exec(`INSERT INTO event_marks (stream, up_to, stream_seq) VALUES (?, ?, ?)
		ON CONFLICT (stream) DO UPDATE SET up_to=excluded.up_to, stream_seq=excluded.stream_seq`,
		stream, upTo, int64(streamSeq))
	return err
}

// CountEvents implements [Events].
func (t *tx) CountEvents() (map[string]int, error) {
	out := make(map[string]int)
	err := t.query(func(r scanner) error {
		var stream string
		var n int
		err := r.Scan(&stream, &n)
		out[stream] = n
		return err
	}, `SELECT stream, COUNT(*) FROM events GROUP BY stream`)
	return out, err
}

// DeleteEvents implements [Events].
func (t *tx) DeleteEvents(about string) (int, error) {
	n, err := t.exec(`DELETE FROM events WHERE about<>'' AND about=?`, about)
	if n > 0 {
		t.gone = append(t.gone, about)
		t.events = slices.DeleteFunc(t.events, func(e *Event) bool { return e.About == about })
	}
	return int(n), err
}
