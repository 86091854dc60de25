package gateway

import (
	"slices"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/store"
)

// TP-FCS values that are no last word on a message (3GPP TS 23.040
// §9.2.3.22).
const duplicateCode = "cms-197" // rejected, duplicate SM

// validityCodes say that the service centre does not know the format of the
// validity period, or none at all.
var validityCodes = []string{"cms-198", "cms-199"}

// refused settles a part that the network will never take as it is, and says
// how it counts for the line.
func (l *line) refused(tx store.Tx, m *store.Message, part int, se *driver.SendError, now time.Time) (fate string, err error) {
	if se.Code == duplicateCode && m.PossibleDuplicate {
		return "sent", l.duplicate(tx, m, part, se, now)
	}
	if slices.Contains(validityCodes, se.Code) {
		before, err := refusedValidity(tx, m)
		if err != nil {
			return "", err
		}
		if !before {
			return "", l.withoutValidity(tx, m, part, se, now)
		}
	}
	note := "refused: another try would be refused too"
	if se.Code == duplicateCode {
		note = "duplicate: the service centre says that it has this SMS already"
	}
	if _, err := tx.ChangePart(m.ID, part, []State{store.Sending}, store.PartChange{State: ptr(store.Failed), Error: &se.Code}); err != nil {
		return "", err
	}
	_, err = l.g.end(tx, m, []State{store.Sending}, store.Failed, se.Code, note)
	return "failed", err
}

// duplicate settles a part of a copy: the service centre has the first try,
// of which nobody knew whether it had left.
func (l *line) duplicate(tx store.Tx, m *store.Message, part int, se *driver.SendError, now time.Time) error {
	err := tx.AddHistory(m.ID, store.HistoryEntry{
		At: now, Line: l.o.Name, Part: part, Error: se.Code, Note: "duplicate: the service centre has the first try already",
	})
	if err != nil {
		return err
	}
	return l.accepted(tx, m, part, -1, now)
}

// withoutValidity queues the rest of a message once more, to go without
// validity period.
func (l *line) withoutValidity(tx store.Tx, m *store.Message, part int, se *driver.SendError, now time.Time) error {
	if _, err := tx.ChangePart(m.ID, part, []State{store.Sending}, store.PartChange{State: ptr(store.Queued), Error: &se.Code}); err != nil {
		return err
	}
	m, err := tx.Message(m.ID)
	if err != nil {
		return err
	}
	return l.g.requeue(tx, m, now, se.Code, "the service centre does not take its validity period: once more without")
}

// refusedValidity says whether a service centre has refused the validity
// period of the message before. Only a message that is tried again can have
// such a history.
func refusedValidity(tx store.Tx, m *store.Message) (bool, error) {
	before := m.Attempts
	if m.State == store.Sending {
		before--
	}
	if before < 1 {
		return false, nil
	}
	history, err := tx.History(m.ID)
	return slices.ContainsFunc(history, func(h store.HistoryEntry) bool {
		return h.State == store.Queued && slices.Contains(validityCodes, h.Error)
	}), err
}
