package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

func otp(i int) *store.OTP {
	return &store.OTP{
		ID: fmt.Sprintf("otp_%04d", i), Key: "shop", Purpose: "login", To: fmt.Sprintf("+4477009%05d", i), State: store.OTPPending,
		Rev: 1, MAC: []byte{1, 2, 3}, AttemptsUsed: 1, MaxAttempts: 3, SendsUsed: 1, MaxSends: 3, Length: 6, TTL: 5 * time.Minute,
		CreatedAt: at(i), ExpiresAt: at(i + 300), ResendAt: at(i + 30), MessageID: fmt.Sprintf("msg_%04d", i),
		DeliveryState: store.Queued, DeliveryAt: at(i), DeliveryError: "e", Ref: "r", Metadata: json.RawMessage(`[1]`), Simulated: true,
	}
}

func insertOTP(t *testing.T, s store.Store, os ...*store.OTP) {
	t.Helper()
	for _, o := range os {
		update(t, s, func(tx store.Tx) error { return tx.InsertOTP(o) })
	}
}

var otpTests = map[string]func(t *testing.T, open Open){
	"what is inserted is read": func(t *testing.T, open Open) {
		s := open(t)
		insertOTP(t, s, otp(1))
		m := message(1, 1)
		m.OTPID = "otp_0001"
		older := message(0, 1)
		older.OTPID = "otp_0001"
		insert(t, s, m, older)
		for name, read := range map[string]func(tx store.Tx) (*store.OTP, error){
			"by id":   func(tx store.Tx) (*store.OTP, error) { return tx.OTP("otp_0001") },
			"pending": func(tx store.Tx) (*store.OTP, error) { return tx.PendingOTP("shop", "login", "+447700900001") },
		} {
			equal(t, name, view(t, s, read), otp(1))
		}
		for name, read := range map[string]func(tx store.Tx) (*store.OTP, error){
			"by id":           func(tx store.Tx) (*store.OTP, error) { return tx.OTP("otp_x") },
			"another purpose": func(tx store.Tx) (*store.OTP, error) { return tx.PendingOTP("shop", "", "+447700900001") },
		} {
			t.Run(name, func(t *testing.T) {
				fails(t, s, store.ErrNotFound, func(tx store.Tx) error { _, err := read(tx); return err })
			})
		}
		equal(t, "to a number", view(t, s, func(tx store.Tx) ([]string, error) { return tx.OTPsTo("+447700900001") }), []string{"otp_0001"})
	},
	"only one is pending for a key, purpose and number": func(t *testing.T, open Open) {
		s := open(t)
		insertOTP(t, s, otp(1))
		second := otp(1)
		second.ID = "otp_0002"
		fails(t, s, store.ErrConflict, func(tx store.Tx) error { return tx.InsertOTP(second) })
		other := otp(1)
		other.ID, other.Purpose = "otp_0003", ""
		insertOTP(t, s, other)
		ok := change(t, s, func(tx store.Tx) (bool, error) {
			return tx.ChangeOTP("otp_0001", []store.OTPState{store.OTPPending},
				store.OTPChange{State: ptr(store.OTPCanceled), EndedAt: ptr(at(2))})
		})
		equal(t, "canceled", ok, true)
		insertOTP(t, s, second)
		equal(t, "to a number", view(t, s, func(tx store.Tx) ([]string, error) { return tx.OTPsTo("+447700900001") }),
			[]string{"otp_0001", "otp_0002", "otp_0003"})
	},
	"every field can be changed": func(t *testing.T, open Open) {
		s := open(t)
		insertOTP(t, s, otp(1))
		ended := func() bool {
			return change(t, s, func(tx store.Tx) (bool, error) {
				return tx.ChangeOTP("otp_0001", []store.OTPState{store.OTPPending}, store.OTPChange{
					State: ptr(store.OTPApproved), MAC: ptr([]byte(nil)), AddSends: 2, ExpiresAt: ptr(at(90)), ResendAt: ptr(at(91)),
					EndedAt: ptr(at(92)), MessageID: ptr("msg_9"), DeliveryState: ptr(store.Sent), DeliveryAt: ptr(at(93)),
					DeliveryError: ptr(""), Simulated: ptr(false)})
			})
		}
		equal(t, "held, and did not", []bool{ended(), ended()}, []bool{true, false})
		want := otp(1)
		want.State, want.MAC, want.SendsUsed, want.ExpiresAt, want.ResendAt = store.OTPApproved, nil, 3, at(90), at(91)
		want.EndedAt, want.MessageID, want.DeliveryState, want.DeliveryAt = at(92), "msg_9", store.Sent, at(93)
		want.DeliveryError, want.Simulated, want.Rev = "", false, 2
		equal(t, "otp", view(t, s, func(tx store.Tx) (*store.OTP, error) { return tx.OTP("otp_0001") }), want)
	},
	"tries are counted while there are some": func(t *testing.T, open Open) {
		s := open(t)
		insertOTP(t, s, otp(1))
		type try struct {
			ok         bool
			used, revs int
		}
		count := func(now time.Time) try {
			return change(t, s, func(tx store.Tx) (try, error) {
				o, ok, err := tx.CountTry("otp_0001", now)
				if !ok {
					return try{}, err
				}
				return try{ok, o.AttemptsUsed, int(o.Rev)}, err
			})
		}
		equal(t, "expired", count(at(301)), try{})
		equal(t, "tries", []try{count(at(300)), count(at(2)), count(at(2))}, []try{{true, 2, 2}, {true, 3, 3}, {}})
		equal(t, "used", view(t, s, func(tx store.Tx) (*store.OTP, error) { return tx.OTP("otp_0001") }).AttemptsUsed, 3)
	},
	"expiry and retention": func(t *testing.T, open Open) {
		s := open(t)
		insertOTP(t, s, otp(3), otp(1), otp(2))
		overdue := func(now time.Time, limit int) []string {
			return view(t, s, func(tx store.Tx) ([]string, error) { return tx.OverdueOTPs(now, limit) })
		}
		equal(t, "none", overdue(at(300), 9), []string(nil))
		equal(t, "two", overdue(at(302), 9), []string{"otp_0001", "otp_0002"})
		equal(t, "limit", overdue(at(302), 1), []string{"otp_0001"})
		next := func() time.Time {
			return view(t, s, func(tx store.Tx) (time.Time, error) { return tx.NextOTPExpiry() })
		}
		equal(t, "next", next(), at(301))
		for i := 1; i <= 3; i++ {
			change(t, s, func(tx store.Tx) (bool, error) {
				return tx.ChangeOTP(otp(i).ID, nil, store.OTPChange{State: ptr(store.OTPExpired), EndedAt: ptr(at(400 + i))})
			})
		}
		equal(t, "no next", next(), time.Time{})
		equal(t, "pending", view(t, s, func(tx store.Tx) ([]string, error) { return tx.PendingOTPs(9) }), []string(nil))
		purge := func(limit int) int {
			return change(t, s, func(tx store.Tx) (int, error) { return tx.PurgeOTPs(at(403), limit) })
		}
		equal(t, "purged", []int{purge(1), purge(9), purge(9)}, []int{1, 1, 0})
		insertOTP(t, s, otp(4))
		equal(t, "pending", view(t, s, func(tx store.Tx) ([]string, error) { return tx.PendingOTPs(9) }), []string{"otp_0004"})
		update(t, s, func(tx store.Tx) error { return tx.DeleteOTP("otp_0003") })
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteOTP("otp_0003") })
	},
}
