package gateway

import (
	"encoding/json"
	"time"

	"github.com/modemgate/modemgate/driver"
	"github.com/modemgate/modemgate/gateway/phone"
	"github.com/modemgate/modemgate/gateway/store"
)

// The records are the store's; the API knows them by these names.
type (
	Message      = store.Message
	Part         = store.Part
	State        = store.State
	HistoryEntry = store.HistoryEntry
	OTP          = store.OTP
	OTPState     = store.OTPState
	Inbound      = store.Inbound
	Key          = store.Key
	Submission   = store.Submission
	Cell         = store.Cell

	TraceLine = driver.TraceLine
)

// when writes a time for people: in the zone of the machine, with its offset.
// Programs are given RFC 3339 UTC in members of their own.
func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05Z07:00") }

// Request says who asks for something and how. Body and IdempotencyKey are
// given for requests that may be repeated by the client.
type Request struct {
	Caller         Caller
	ID             string // request id, for the log
	Path           string // path of the route, without query
	IdempotencyKey string // "" when the client gave none
	Body           []byte // raw body, to tell a repeat from another request
}

// Answer tells how a repeatable request was answered.
type Answer struct {
	Status   int  // HTTP status of the first answer
	Replayed bool // the request was a repeat; nothing was done
}

// Wait asks to return only when the thing changes: at once if it is final or
// its rev is above After, else on the next change, at the latest after For.
type Wait struct {
	For   time.Duration // 0: at once
	After int64         // rev known to the caller; -1: the present one
}

// NewMessage is a message to send. Zero values take the configured default.
type NewMessage struct {
	To        string
	Text      string
	Via       []string
	Priority  string // high, normal, low
	TTL       time.Duration
	SendAt    time.Time
	OnUnknown string // hold, resend, fail
	Report    *bool
	Ref       string
	Metadata  json.RawMessage
}

// MessageView is a message as its reader may see it.
type MessageView struct {
	Message
	Text    string // "" when erased, or the message carries an OTP
	HasText bool
	History []HistoryEntry // nil in lists
}

// MessageFilter selects messages of a list.
type MessageFilter struct {
	State, To, Via string
	Since, Until   time.Time
	Cursor         string
	Limit          int // 1 to 200
	Ascending      bool
}

// MessagePage is one page of messages.
type MessagePage struct {
	Items      []MessageView
	NextCursor string // "" at the end
}

// NewOTP asks for a one-time password. Zero values take the configured
// default; a request may narrow what the configuration allows, never widen it.
type NewOTP struct {
	To       string
	TTL      time.Duration
	Length   int
	Purpose  string
	Ref      string
	Metadata json.RawMessage
}

// OTPView is an OTP as its maker sees it: never the code.
type OTPView struct {
	OTP
	AttemptsLeft int
	SendsLeft    int
	Final        bool
	Reused       bool // a pending OTP was there already
}

// Verdict is the answer to one try.
type Verdict struct {
	Valid        bool
	State        OTPState // "" when nothing is pending for the number
	AttemptsLeft int
}

// InboundFilter selects received SMS.
type InboundFilter struct {
	From, To, Line string
	Since          time.Time
	Cursor         string
	Limit          int
	Ascending      bool
	Wait           time.Duration // with Ascending: wait for one when there is none
}

// InboundPage is one page of received SMS. In ascending order NextCursor is
// always set: it is where the next call goes on.
type InboundPage struct {
	Items      []Inbound
	NextCursor string
}

// LineStatus is the state of one line.
type LineStatus struct {
	Name         string
	State        string // starting, up, paused, limited, refused, absent, no-network, denied, roaming, no-smsc, sim-…, modem-wrong, failed, recovering, out-of-service, stopped
	Since        time.Time
	Detail       string // what is wrong and what to do; "" when up
	Paused       bool
	Simulated    bool
	Port         string
	Number       string
	IMEI         string
	ICCID        string // masked unless the caller is admin
	Manufacturer string
	Model        string
	Revision     string
	SMSC         string
	ReadAt       time.Time // when modem and SIM said what they are; zero: never yet

	// What follows is of now: it is empty while the modem is not open.
	Operator     string
	Registration string
	SignalDBM    int // 0: unknown
	Cell         Cell
	Storage      []StorageStatus
	InboundBy    string // how received SMS are found: ByAnnouncement or ByListing

	Sent       uint64 // SMS parts accepted by the network since the start
	Failed     uint64
	Unknown    uint64
	Received   uint64
	Restarts   uint64
	PartsToday int // counted against limits.per_day

	PartsThisMonth int
	CostThisMonth  int // units; 0 where no costs are configured
	Labels         []string
	Limits         LineLimits

	LastError string
	Recovery  RecoveryStatus
	Balance   BalanceStatus
	Calls     []Call // the last ten since the start, newest first
}

// How the received SMS in a modem are found (3GPP TS 27.005 §3.4.1).
const (
	ByAnnouncement = "announcement" // the modem says so when one has come
	ByListing      = "listing"      // it does not: its memory is listed every few seconds
)

// LineLimits are the limits of a line. What is 0 is not set.
type LineLimits struct {
	PerMinute    int
	PerDay       int
	PerMonth     int
	CostPerMonth int
	Reached      string    // the one that keeps the line from sending, "" if none does
	Until        time.Time // end of its window
}

// StorageStatus is the fill of one SMS memory.
type StorageStatus struct {
	Memory  string
	Used    int
	Total   int
	Foreign int // drafts and sent SMS of other programs, which stay
}

// Status is the state of the whole installation.
type Status struct {
	Version   string
	Site      string
	StartedAt time.Time
	Healthy   bool     // nothing is down
	Problems  []string // what is wrong, in words
	Lines     []LineStatus
	Queue     QueueStatus
	NATS      NATSStatus
	Store     StoreStatus
	Clock     string // "ok" or what is wrong
}

// QueueStatus is what waits to be sent.
type QueueStatus struct {
	OTP, High, Normal, Low int
	Held                   int
	OldestAt               time.Time // zero: empty
}

// NATSStatus is the state of the broker connection.
type NATSStatus struct {
	Connected bool
	Embedded  bool
	Addr      string
	Since     time.Time
	Waiting   int // events that wait to be published
	Error     string
}

// StoreStatus is the state of the disk.
type StoreStatus struct {
	Bytes     int64
	FreeBytes int64
	Writable  bool
	Error     string
}

// NewKey asks for an API key.
type NewKey struct {
	Name      string
	Scopes    []string
	To        []string
	PerMinute int
	PerDay    int
	Expires   time.Duration // 0: never
	FromAll   bool          // its consumers start with what the streams still hold
	Inherit   bool          // take over a revoked name with all it made
}

// SimText is a text as a simulated phone received it.
type SimText struct {
	From       string
	Text       string
	Parts      int
	ReceivedAt time.Time
}

// Mask is a number fit for a log; see [phone.Mask].
func Mask(number string) string { return phone.Mask(number) }
