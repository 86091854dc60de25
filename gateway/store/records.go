package store

import (
	"encoding/json"
	"time"
)

// State is the state of a message or of one part of it.
type State string

// States of messages; parts use the same words.
const (
	Queued      State = "queued"
	Sending     State = "sending"
	Sent        State = "sent"
	Delivered   State = "delivered"
	Undelivered State = "undelivered"
	Failed      State = "failed"
	Expired     State = "expired"
	Canceled    State = "canceled"
	Unknown     State = "unknown"
)

// Priorities of messages, most urgent first.
const (
	PriorityOTP = iota
	PriorityHigh
	PriorityNormal
	PriorityLow
)

// Message is one outbound message.
type Message struct {
	ID        string
	Key       string // name of the API key that made it
	OTPID     string // the OTP it carries; "" for ordinary messages
	To        string // E.164, or a short code
	Text      string // sealed in the table; filled only for InsertMessage
	Encoding  string // "gsm7" or "ucs2"
	Priority  int
	Route     string   // canonical form of Via: "" any line, else names joined by ","
	Via       []string // lines that may send it; empty: any
	State     State
	Final     bool
	Rev       int64
	OnUnknown string // hold, resend or fail
	Report    bool
	Ref       string
	Metadata  json.RawMessage
	Reference int  // concatenation reference; 0 for a single part
	Wide      bool // 16-bit reference

	CreatedAt  time.Time
	SendAt     time.Time // zero: at once
	DeadlineAt time.Time
	NotBefore  time.Time
	DueAt      time.Time // when the present state must be looked at; zero: never
	EndedAt    time.Time // when it became final
	TextUntil  time.Time // when the text is erased; zero: not decided yet

	Attempts          int // rounds of sending
	Resends           int // automatic copies after an unknown outcome
	PossibleDuplicate bool
	Simulated         bool
	Held              bool // restored from a backup and not released
	Line              string
	ICCID             string
	Error             string // code of the last error
	HasText           bool   // the text is still there; read only

	Parts []Part
}

// Part is one segment of a message, 1-based.
type Part struct {
	Index       int
	State       State
	Line        string
	ICCID       string
	Reference   int // TP-MR as the modem gave it; -1 unknown
	Attempts    int
	SubmittedAt time.Time // when the intent was written
	SentAt      time.Time
	ReportedAt  time.Time
	Status      int // TP-Status of the report; -1 none
	Error       string
	SignalDBM   int // received power when the intent was written; 0 not known
}

// MessageChange names the new values; nil leaves a column as it is.
type MessageChange struct {
	State             *State
	Final             *bool
	Route             *string
	NotBefore         *time.Time
	DueAt             *time.Time
	DeadlineAt        *time.Time
	EndedAt           *time.Time
	TextUntil         *time.Time
	AddAttempts       int
	AddResends        int
	PossibleDuplicate *bool
	Simulated         *bool
	Line              *string
	ICCID             *string
	Error             *string
	Held              *bool
	History           *HistoryEntry // entry to add; with State set and History nil a plain one is added
	At                time.Time     // time of the change, required
}

// PartChange names the new values of a part; nil leaves a column as it is.
type PartChange struct {
	State       *State
	Line        *string
	ICCID       *string
	Reference   *int
	AddAttempts int
	SubmittedAt *time.Time
	SentAt      *time.Time
	ReportedAt  *time.Time
	Status      *int
	Error       *string
	SignalDBM   *int
}

// PartRef is a part with what is needed to judge it.
type PartRef struct {
	MessageID string
	To        string
	MsgState  State
	Final     bool
	Part      Part
}

// Intent is one submission of a part, answered or not.
type Intent struct {
	MessageID   string
	Part        int // 1-based
	SubmittedAt time.Time
}

// HistoryEntry is one line of the history of a message.
type HistoryEntry struct {
	State State
	At    time.Time
	Line  string
	Part  int // that the note is about; 0: the whole message
	Error string
	Note  string // for people: why

	Submission *Submission // a part was about to be handed to the modem; nil else
}

// MessageQuery selects messages. Zero values select all.
type MessageQuery struct {
	Key       string // only this maker's
	OTPOf     string // leave out messages that carry an OTP, but this maker's
	State     State
	To        string
	Via       string    // line that sent it or may send it
	Since     time.Time // made at or after it
	Until     time.Time // made before it
	Cursor    string    // id of the last item of the page before
	Limit     int
	Ascending bool
}

// Report is a status report that waits for its message.
type Report struct {
	ID         int64
	Line       string
	ICCID      string
	MR         int
	Recipient  string // sealed
	Status     int
	SentAt     time.Time
	ReceivedAt time.Time
}

// OTPState is the state of a one-time password.
type OTPState string

// States of one-time passwords.
const (
	OTPPending  OTPState = "pending"
	OTPApproved OTPState = "approved"
	OTPExpired  OTPState = "expired"
	OTPCanceled OTPState = "canceled"
	OTPBlocked  OTPState = "blocked"
	OTPFailed   OTPState = "failed"
)

// OTP is one one-time password. The code itself is never stored.
type OTP struct {
	ID            string
	Key           string
	Purpose       string
	To            string
	State         OTPState
	Rev           int64
	MAC           []byte // nil once ended
	AttemptsUsed  int
	MaxAttempts   int
	SendsUsed     int
	MaxSends      int
	Length        int
	TTL           time.Duration
	CreatedAt     time.Time
	ExpiresAt     time.Time
	ResendAt      time.Time
	EndedAt       time.Time
	MessageID     string
	DeliveryState State
	DeliveryAt    time.Time
	DeliveryError string
	Ref           string
	Metadata      json.RawMessage
	Simulated     bool
}

// OTPChange names the new values; nil leaves a column as it is.
type OTPChange struct {
	State         *OTPState
	MAC           *[]byte
	AddSends      int
	ExpiresAt     *time.Time
	ResendAt      *time.Time
	EndedAt       *time.Time
	MessageID     *string
	DeliveryState *State
	DeliveryAt    *time.Time
	DeliveryError *string
	Simulated     *bool
}

// Window is a span of time that something of a kind is counted in.
type Window struct {
	Kind  string
	Start time.Time
}

// NumberFailures counts failed verifications of one number in a row.
type NumberFailures struct {
	Count     int
	WaitUntil time.Time // no try before it
	Locked    bool      // until unlocked
}

// IdempotencyRecord is the stored outcome of one request.
type IdempotencyRecord struct {
	Key         string // API key
	Path        string
	ID          string // keyed hash of the Idempotency-Key
	Fingerprint []byte // keyed hash of the body
	Status      int    // HTTP status of the first answer
	Resource    string // id of what was made
	At          time.Time
}

// Key is an API key.
type Key struct {
	Name        string
	Hash        []byte // SHA-256 of the secret
	Scopes      []string
	To          []string // prefixes it may send to; empty: all that limits allow
	PerMinute   int      // 0: the configured limit
	PerDay      int
	InboundFrom int64 // inbound seq after which its consumer starts; 0 all
	StatusFrom  time.Time
	Generation  int // raised each time a name is used again
	CreatedAt   time.Time
	ExpiresAt   time.Time // zero: never
	RevokedAt   time.Time // zero: not revoked
	RevivedAt   time.Time // restored from a backup
}

// Inbound is one received SMS as it is published.
type Inbound struct {
	Seq        int64
	ID         string
	From       string
	FromType   string
	To         string
	Line       string
	ICCID      string
	Text       string // sealed
	Encoding   string
	Parts      int
	Incomplete bool
	Amends     string
	SMSCAt     time.Time // zero: unreadable
	ReceivedAt time.Time
	Raw        []string // hex PDUs; sealed
	Simulated  bool
}

// InboundQuery selects received SMS.
type InboundQuery struct {
	From      string
	To        string
	Line      string   // only this line
	Lines     []string // only these lines; empty: all
	Since     time.Time
	After     int64 // seq; with Ascending: greater, else smaller when not 0
	Limit     int
	Ascending bool
}

// SetKey identifies the parts of one long SMS, up to reuse of the reference.
type SetKey struct {
	ICCID     string
	From      string // sender as decoded, with its type
	Reference int
	Wide      bool
	Total     int
}

// Set collects the parts of one long SMS.
type Set struct {
	ID        int64
	Key       SetKey
	Line      string
	To        string
	FromType  string
	FirstAt   time.Time // when the first part was stored
	DueAt     time.Time // when what came is published; zero: done
	InboundID string    // the incomplete or complete message published
	AmendID   string    // the message that amends it
	LateAt    time.Time // when the first part after publication came
	Done      bool      // complete, or amended: later copies are dropped
	Simulated bool
	Parts     []SetPart
}

// SetPart is one part of a long SMS; text and PDU are sealed.
type SetPart struct {
	Seq      int
	Text     string
	Encoding string
	Raw      string
	SMSCAt   time.Time
	At       time.Time
}

// SetChange names the new values; nil leaves a column as it is.
type SetChange struct {
	DueAt     *time.Time
	InboundID *string
	AmendID   *string
	LateAt    *time.Time
	Done      *bool
}

// Event is a row of the transactional outbox.
type Event struct {
	Seq     int64
	Stream  string // "inbound" or "status"
	Subject string // without the configured prefix
	MsgID   string // Nats-Msg-Id
	Type    string // CloudEvents type
	Source  string // CloudEvents source
	About   string // id of the message, OTP or inbound SMS; "" none
	Payload []byte // JSON; sealed
	At      time.Time
}

// Line is what survives restarts of a line.
type Line struct {
	Name      string
	IMEI      string
	ICCID     string
	Number    string
	Paused    bool
	Simulated bool
	SeenAt    time.Time
}

// SIM is a SIM card that was seen.
type SIM struct {
	ICCID     string
	IMSI      string
	Simulated bool
	SeenAt    time.Time
}

// RewindLimits are how far ahead of now moments can lie that are no mistake.
type RewindLimits struct {
	Text   time.Duration // until a text is erased
	Report time.Duration // until a state is looked at again
	Wait   time.Duration // until a number may be verified again
}
