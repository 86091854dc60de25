// Package store keeps the state of the gateway: messages and their parts,
// one-time passwords, limits, idempotency records, keys, inbound SMS, history
// and the events that wait to be published.
//
// The store is the truth. Each step of a journey is one [Store.Update]: all
// its changes are on the disk when it returns nil, or none of them is. Every
// change of a state is conditional on the state it leaves, so that two steps
// that exclude one another can never both win, also when a second process
// shares the tables.
//
// Texts, raw PDUs, event payloads and rendered one-time passwords are sealed
// (AES-256-GCM) before they reach a table. The package imports nothing of
// modemgate and is the only one that speaks SQL.
package store

import (
	"context"
	"errors"
	"time"
)

// Store is one database. All methods are safe for concurrent use.
type Store interface {
	// Update runs fn in a write transaction and commits it durably. Several
	// callers may share one commit; an error of fn undoes only its own
	// changes and comes back as it is; a panic becomes an error. fn must not
	// block, must not call the Store, and must not keep tx. It may be run
	// again when another update had to be undone: only its last run counts, so
	// it sets what it leaves behind and adds to nothing; see [Tx.After]. When
	// ctx ends before its turn nothing is done; later the outcome is waited
	// for.
	//
	// step names the commit for tests and measures, such as "accept-otp".
	// Errors: what fn returned, [ErrFull] when the disk has no room for the
	// commit, [ErrClosed] after Close, else the database's.
	Update(ctx context.Context, step string, fn func(tx Tx) error) error

	// View runs fn on a consistent snapshot. Changes through tx fail.
	View(ctx context.Context, fn func(tx Tx) error) error

	// Search is View for what may look at many rows, such as a page of a list
	// that few rows fit. It has its own few connections, so that it keeps no
	// View waiting, and ends with ctx.
	Search(ctx context.Context, fn func(tx Tx) error) error

	// Unpublished lists events of a stream that are not marked as published
	// and have a seq above after, oldest first. It takes no transaction while
	// the caller keeps up with what is committed.
	Unpublished(ctx context.Context, stream string, after int64, limit int) ([]*Event, error)

	// Checkpoint moves the log into the database and truncates it, so that
	// what was erased is nowhere on the disk any more.
	Checkpoint(ctx context.Context) error

	// Backup writes a consistent copy of the database to a new file.
	Backup(ctx context.Context, path string) error

	// Stats says how the store does, for the metrics.
	Stats() Stats
	// Size is how many octets the data takes, its log included; what is free in
	// the files does not count. It reads the database.
	Size() int64

	// Close waits for the running commits and closes the database.
	Close() error
}

// Stats are the store's own measures.
type Stats struct {
	Commits       uint64        // durable commits since the start
	Steps         uint64        // updates in them; more than Commits when they shared one
	CommitSeconds float64       // time spent in commits, seconds
	LastCommit    time.Duration // duration of the last one
}

// Errors of the package. Match with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("the state has changed meanwhile")
	ErrFull     = errors.New("the disk is full")
	ErrClosed   = errors.New("the store is closed")
	ErrFormat   = errors.New("the data was written by a newer version of modemgate")
)

// Tx is the set of elementary reads and changes of one transaction. The
// gateway composes a step of them.
//
// A change that returns bool says whether its condition held; when it is false
// nothing was changed. An empty list of states to leave means any state.
// Reading, deleting or erasing one thing that is not there is [ErrNotFound];
// inserting what is there already is [ErrConflict].
type Tx interface {
	Messages
	OTPs
	Limits
	Idempotency
	Keys
	Inbox
	Events
	Lines

	// Notify asks that the named thing's watchers be woken after the commit;
	// see [Options.Notify]. Changes of messages and OTPs do it by themselves.
	Notify(id string)

	// After has fn called when the changes are durable, before Update
	// returns; never when they are undone. It must not block and must not
	// call the Store.
	After(fn func())
}

// Messages are the outbound messages, their parts and their history.
type Messages interface {
	// InsertMessage adds m with its parts and a first history entry. The
	// text is sealed.
	InsertMessage(m *Message) error
	// Message reads one message with its parts; without its text.
	Message(id string) (*Message, error)
	// MessageText unseals the text; "" when it was erased.
	MessageText(id string) (string, error)
	// ListMessages reads a page with its parts, in the order of ids: newest
	// first unless q.Ascending.
	ListMessages(q MessageQuery) ([]*Message, error)
	// ChangeMessage changes message id if its state is one of from, raises
	// its rev and adds a history entry when c.State or c.History is set. An
	// entry without a state takes the new or present one, without a time c.At.
	ChangeMessage(id string, from []State, c MessageChange) (bool, error)
	// ChangePart changes part index of the message if its state is one of
	// from. The message's rev is raised, once per transaction.
	ChangePart(id string, index int, from []State, c PartChange) (bool, error)
	// History reads the history of a message, oldest first.
	History(id string) ([]HistoryEntry, error)
	// AddHistory adds an entry without a change of state or rev.
	AddHistory(id string, h HistoryEntry) error
	// DeleteMessage removes a message with all that belongs to it.
	DeleteMessage(id string) error

	// NextQueued finds the first queued message that is due at now (its
	// not_before has come, its deadline has not) on one of the routes:
	// lowest priority value first, then longest due, then oldest id. Those
	// with an id in except are passed over.
	NextQueued(routes []string, now time.Time, except ...string) (id string, ok bool, err error)
	// NextDue says when the next queued message of the routes becomes due
	// that is not due at now; zero time when none waits.
	NextDue(routes []string, now time.Time) (time.Time, error)
	// QueueRoutes lists the distinct routes of all messages not final.
	QueueRoutes() ([]string, error)
	// CountQueued counts the queued messages that are not held by priority. It
	// takes a time that grows with the queue: 10,000 take a few milliseconds.
	CountQueued() (byPriority [4]int, err error)
	// WaitingSince says since when the one of them waits that waits longest:
	// from its creation, or from the time it is scheduled for. It is zero when
	// none does, or all are scheduled for later. It takes longer than to count.
	WaitingSince(now time.Time) (time.Time, error)
	// CountQueuedByKey counts them by the key that made them. It takes longer
	// still.
	CountQueuedByKey() (map[string]int, error)
	// OverdueMessages lists ids of messages in one of the states, not final,
	// whose deadline (state queued) or due_at (other states) is at or before
	// now. Held ones are left alone.
	OverdueMessages(states []State, now time.Time, limit int) ([]string, error)
	// InState lists the ids of all messages in a state that are not final.
	InState(s State) ([]string, error)

	// OpenIntents lists the submissions of the SIM since a time that no answer
	// is known for, oldest first: of parts in state sending, and of parts that
	// became unknown, whatever was done about them since.
	OpenIntents(iccid string, since time.Time) ([]Intent, error)
	// ForgetIntents forgets what became unknown and was submitted by the SIM
	// at or before a time: a modem answers in order, and a later answer came.
	ForgetIntents(iccid string, until time.Time) error
	// PurgeIntents forgets all that was submitted before a time.
	PurgeIntents(before time.Time) (int, error)
	// PartsByReference finds submitted parts (sent, unknown) of the SIM with
	// the TP-MR, submitted between from and to, newest first. mr < 0 matches
	// parts without a known reference only.
	PartsByReference(iccid string, mr int, from, to time.Time) ([]PartRef, error)

	// ErasableTexts lists ids whose text_until is at or before now.
	ErasableTexts(now time.Time, limit int) ([]string, error)
	// EraseText forgets the text of a message.
	EraseText(id string) error
	// PurgeMessages deletes final messages that ended before t; at most limit.
	// An unknown one that has its text waits to be resolved and stays.
	PurgeMessages(t time.Time, limit int) (int, error)
	// MessagesTo lists ids of all messages to a number. It takes a time that
	// grows with the messages that are not final.
	MessagesTo(number string) ([]string, error)
	// HoldQueue marks everything queued as held: it is never next and never
	// overdue. ReleaseQueue undoes it; both raise the revs, and count.
	HoldQueue() (int, error)
	ReleaseQueue(now time.Time) (int, error)
	// HeldQueue lists ids of held messages.
	HeldQueue(limit int) ([]string, error)
	CountHeld() (int, error)

	// ReferenceTaken says whether a part submitted by the SIM at or after
	// since has the TP-MR already, among messages with ids from sinceID on.
	ReferenceTaken(iccid string, mr int, since time.Time, sinceID string) (bool, error)

	// NextReference takes the next concatenation reference for the
	// destination (a keyed hash): 1, 2, … 255, 0 and so on (16 bit when wide).
	NextReference(destination []byte, wide bool) (int, error)

	// AddReport keeps a status report that matched nothing.
	AddReport(r Report) error
	// Reports lists kept reports of the SIM with the TP-MR; all when mr < 0.
	Reports(iccid string, mr int) ([]Report, error)
	DeleteReport(id int64) error
	PurgeReports(before time.Time) (int, error)
}

// OTPs are the one-time passwords. Codes exist only as MACs.
type OTPs interface {
	// InsertOTP adds o; [ErrConflict] also when another one of its key,
	// purpose and number is pending.
	InsertOTP(o *OTP) error
	OTP(id string) (*OTP, error)
	// PendingOTP finds the one pending OTP of key, purpose and number;
	// ErrNotFound when there is none.
	PendingOTP(key, purpose, to string) (*OTP, error)
	// ChangeOTP changes the OTP if its state is one of from; rev is raised.
	ChangeOTP(id string, from []OTPState, c OTPChange) (bool, error)
	// CountTry raises attempts_used if the OTP is pending, not expired at now
	// and has a try left, and reads it after the change; false otherwise.
	CountTry(id string, now time.Time) (*OTP, bool, error)
	// OverdueOTPs lists pending OTPs that expired at or before now.
	OverdueOTPs(now time.Time, limit int) ([]string, error)
	NextOTPExpiry() (time.Time, error)
	PurgeOTPs(endedBefore time.Time, limit int) (int, error)
	OTPsTo(number string) ([]string, error)
	DeleteOTP(id string) error
	PendingOTPs(limit int) ([]string, error)
}

// Limits are counters that survive restarts. Subjects are names of keys or
// keyed hashes of numbers, never numbers.
type Limits interface {
	// Counter reads the counter of a kind, subject and window.
	Counter(kind, subject string, window time.Time) (int, error)
	// Counters reads the counters of a subject in several windows, in their
	// order; AddCounters adds n to each.
	Counters(subject string, windows []Window) ([]int, error)
	AddCounters(subject string, windows []Window, n int) error
	// AddCounter adds n and returns the new value.
	AddCounter(kind, subject string, window time.Time, n int) (int, error)
	// AddMoment records one event; Moments lists those at or after since,
	// oldest first.
	AddMoment(kind, subject string, at time.Time) error
	Moments(kind, subject string, since time.Time) ([]time.Time, error)
	// Failures of verification of one number.
	Failures(number string) (NumberFailures, error)
	SetFailures(number string, f NumberFailures) error
	// PurgeLimits forgets counters of windows and moments before t, but those
	// of months, whose kinds end in -month, only before month.
	PurgeLimits(t, month time.Time) (int, error)
}

// Idempotency keeps the answers to requests with an Idempotency-Key.
type Idempotency interface {
	IdempotencyRecord(key, path, id string) (*IdempotencyRecord, error)
	PutIdempotency(r IdempotencyRecord) error // inserts or replaces
	// DeleteIdempotency forgets a record; there need be none.
	DeleteIdempotency(key, path, id string) error
	PurgeIdempotency(before time.Time) (int, error)
}

// Keys are the API keys; only the hash of a secret is kept.
type Keys interface {
	PutKey(k *Key) error // inserts or replaces by name
	Key(name string) (*Key, error)
	KeyByHash(hash []byte) (*Key, error)
	ListKeys() ([]*Key, error)
}

// Inbox holds received SMS and the parts of long ones still incomplete.
type Inbox interface {
	// SeenPDU says whether the fingerprint is known; AddPDU makes it so.
	SeenPDU(fingerprint []byte) (bool, error)
	AddPDU(fingerprint []byte, at time.Time) error
	PurgePDUs(before time.Time, limit int) (int, error)

	// InsertInbound adds a received SMS and sets in.Seq.
	InsertInbound(in *Inbound) error
	Inbound(id string) (*Inbound, error)
	ListInbound(q InboundQuery) ([]*Inbound, error)
	LastInboundSeq() (int64, error) // the last one given; a seq is never given again
	DeleteInbound(id string) error
	PurgeInbound(receivedBefore time.Time, limit int) (int, error)
	InboundFrom(number string) ([]string, error)

	// Sets of parts of one long SMS.
	FindSets(k SetKey) ([]*Set, error) // the newest 32, newest first, with parts
	InsertSet(s *Set) error            // sets s.ID
	AddSetPart(set int64, p SetPart) error
	DropSetPart(set int64, seq int) error // no error if there is none
	ChangeSet(id int64, c SetChange) error
	Set(id int64) (*Set, error)
	OverdueSets(now time.Time, limit int) ([]*Set, error)
	PurgeSets(before time.Time, limit int) (int, error) // done sets by first_at
	EraseSetsFrom(number string) (int, error)           // deletes the sets of one sender with their parts
}

// Events is the transactional outbox: rows that wait to be published.
type Events interface {
	// AddEvent adds an event in the same commit as the change it tells of,
	// and sets e.Seq. A seq of a stream is never given again.
	AddEvent(e *Event) error
	// PendingEvents lists unpublished events of a stream with a seq above
	// after, oldest first.
	PendingEvents(stream string, after int64, limit int) ([]*Event, error)
	// MarkEvents removes the events up to seq upTo of the stream as published
	// and remembers the sequence of the last one in the broker's stream.
	MarkEvents(stream string, upTo int64, streamSeq uint64) error
	EventMark(stream string) (upTo int64, streamSeq uint64, err error)
	SetEventMark(stream string, upTo int64, streamSeq uint64) error
	CountEvents() (map[string]int, error)
	// DeleteEvents removes unpublished events of a subject tree's id, such as
	// a message id or an inbound id (column about).
	DeleteEvents(about string) (int, error)
}

// Lines are what must be remembered of lines and SIMs.
type Lines interface {
	Line(name string) (*Line, error) // ErrNotFound when never seen
	PutLine(l *Line) error
	ListLines() ([]*Line, error)
	PutSIM(s SIM) error
	ListSIMs() ([]SIM, error)
	// Setting is a small named value of the installation.
	Setting(name string) (string, error) // "" when unset
	PutSetting(name, value string) error
	// Rewind takes all that is recorded as later than to back to it, after a
	// clock that was ahead: nothing is kept, waited for or limited longer
	// because of it. Pending OTPs and what expires by order stay as they are.
	Rewind(to time.Time, l RewindLimits) error
}
