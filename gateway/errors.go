package gateway

import (
	"fmt"
	"time"
)

// Code names a class of refusal. Clients switch on it, so it never changes.
type Code string

// The codes of the API; each has one HTTP status (RFC 9110), given here
// because the contract ties them together.
const (
	InvalidRequest        Code = "invalid-request"         // 400
	Unauthenticated       Code = "unauthenticated"         // 401
	ScopeMissing          Code = "scope-missing"           // 403
	DestinationBlocked    Code = "destination-blocked"     // 403
	NotFound              Code = "not-found"               // 404
	IdempotencyInProgress Code = "idempotency-in-progress" // 409
	NotCancelable         Code = "not-cancelable"          // 409
	LineBusy              Code = "line-busy"               // 409
	OTPEnded              Code = "otp-ended"               // 410
	NumberInvalid         Code = "number-invalid"          // 422
	TextTooLong           Code = "text-too-long"           // 422
	NoSuchLine            Code = "no-such-line"            // 422
	IdempotencyKeyReused  Code = "idempotency-key-reused"  // 422
	LimitExceeded         Code = "limit-exceeded"          // 429
	NumberLocked          Code = "number-locked"           // 429
	NoLine                Code = "no-line"                 // 503
	ClockNotSet           Code = "clock-not-set"           // 503
	NoEntropy             Code = "no-entropy"              // 503
	ModemTimeout          Code = "modem-timeout"           // 504
	StorageFull           Code = "storage-full"            // 507
	Internal              Code = "internal"                // 500
)

// What the detail of a [NotFound] is made of, for clients that word it anew for
// whom no key's things are hidden from, or that add what to do.
const (
	NoSuchMessage = "there is no such message"
	NoSuchOTP     = "there is no such OTP"
	OrAnotherKeys = ", or another key made it" // ends both
)

// Error is a refusal that the caller should see: a code for programs, a
// sentence for people. It never holds a text, a code, a key or a number.
type Error struct {
	Code    Code
	Detail  string       // what is wrong and what to do, lower case
	Fields  []FieldError // members of the request that are wrong
	Limit   string       // with LimitExceeded and NumberLocked: which limit
	RetryAt time.Time    // with those: when to try again; zero if only an unlock helps
	Reason  string       // with OTPEnded: approved, expired, canceled, blocked or failed
	Err     error        // the cause, for the log only
}

// FieldError points at a member of a JSON request (RFC 6901).
type FieldError struct {
	Pointer string
	Detail  string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Detail }
func (e *Error) Unwrap() error { return e.Err }

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// invalid refuses one member of a request.
func invalid(pointer, format string, args ...any) *Error {
	d := fmt.Sprintf(format, args...)
	return &Error{Code: InvalidRequest, Detail: d, Fields: []FieldError{{Pointer: pointer, Detail: d}}}
}
