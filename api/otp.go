package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/modemgate/modemgate/gateway"
)

// OTPs is what the routes of one-time passwords need of the gateway.
type OTPs interface {
	CreateOTP(ctx context.Context, r gateway.Request, in gateway.NewOTP) (gateway.OTPView, gateway.Answer, error)
	OTP(ctx context.Context, r gateway.Request, id string, w gateway.Wait) (gateway.OTPView, error)
	VerifyOTP(ctx context.Context, r gateway.Request, id, code string) (gateway.Verdict, error)
	VerifyNumber(ctx context.Context, r gateway.Request, to, code, purpose string) (gateway.Verdict, error)
	ResendOTP(ctx context.Context, r gateway.Request, id string) (gateway.OTPView, gateway.Answer, error)
	CancelOTP(ctx context.Context, r gateway.Request, id string) (gateway.OTPView, error)
	UnlockNumber(ctx context.Context, r gateway.Request, number string) error
}

// newOTP is the body of POST /v1/otp.
type newOTP struct {
	To       text     `json:"to"`
	TTL      duration `json:"ttl,omitempty"`
	Length   count    `json:"length,omitempty"`
	Purpose  text     `json:"purpose,omitempty"`
	Ref      text     `json:"ref,omitempty"`
	Metadata object   `json:"metadata,omitempty"`
}

func (in newOTP) words() gateway.NewOTP {
	return gateway.NewOTP{
		To: string(in.To), TTL: time.Duration(in.TTL), Length: int(in.Length), Purpose: string(in.Purpose),
		Ref: string(in.Ref), Metadata: json.RawMessage(in.Metadata),
	}
}

// try is the body of POST /v1/otp/{id}/verify.
type try struct {
	Code text `json:"code"`
}

// numberTry is the body of POST /v1/otp/verify.
type numberTry struct {
	To      text `json:"to"`
	Code    text `json:"code"`
	Purpose text `json:"purpose,omitempty"`
}

// otp is a one-time password on the wire: never its code.
type otp struct {
	ID           string           `json:"id"`
	Rev          int64            `json:"rev"`
	Final        bool             `json:"final"`
	State        gateway.OTPState `json:"state"`
	To           string           `json:"to"`
	ExpiresAt    stamp            `json:"expires_at"`
	AttemptsLeft int              `json:"attempts_left"`
	AttemptsUsed int              `json:"attempts_used"`
	SendsLeft    int              `json:"sends_left"`
	ResendAt     *stamp           `json:"resend_at"`
	Delivery     delivery         `json:"delivery"`
	MessageID    *string          `json:"message_id"`
	Purpose      string           `json:"purpose,omitempty"`
	Ref          *string          `json:"ref"`
	Metadata     *json.RawMessage `json:"metadata"`
	CreatedAt    stamp            `json:"created_at"`
	EndedAt      *stamp           `json:"ended_at,omitempty"`
	Reused       bool             `json:"reused,omitempty"`
	Simulated    bool             `json:"simulated"`
}

// delivery is how the newest message of an OTP does.
type delivery struct {
	State *gateway.State `json:"state"`
	At    *stamp         `json:"at"`
	Error *string        `json:"error"`
}

// verdict is the answer to one try.
type verdict struct {
	Valid        bool              `json:"valid"`
	State        *gateway.OTPState `json:"state"`
	AttemptsLeft int               `json:"attempts_left"`
}

func (s *Server) postOTP(c echo.Context) error {
	var in newOTP
	r, err := repeatable(c, func() ([]byte, error) { return bind(c, &in) })
	if err != nil {
		return err
	}
	o, a, err := s.gw.CreateOTP(c.Request().Context(), r, in.words())
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if o.Reused {
		status = http.StatusOK
		result(c, "reused")
	}
	return made(c, a, status, o.ID, "/v1/otp/"+o.ID, otpBody(o))
}

func (s *Server) getOTP(c echo.Context) error {
	q := parseQuery(c, "wait", "after")
	w := q.change()
	if q.err != nil {
		return q.err
	}
	var o gateway.OTPView
	err := s.poll(c, w.For, func(ctx context.Context, d time.Duration) (err error) {
		o, err = s.gw.OTP(ctx, request(c), c.Param("id"), gateway.Wait{For: d, After: w.After})
		return err
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, otpBody(o))
}

func (s *Server) verifyOTP(c echo.Context) error {
	about(c, safeID(c.Param("id")))
	var in try
	if _, err := bind(c, &in); err != nil {
		return err
	}
	v, err := s.gw.VerifyOTP(c.Request().Context(), request(c), c.Param("id"), string(in.Code))
	return judge(c, v, err)
}

func (s *Server) verifyNumber(c echo.Context) error {
	var in numberTry
	if _, err := bind(c, &in); err != nil {
		return err
	}
	about(c, gateway.Mask(string(in.To)))
	v, err := s.gw.VerifyNumber(c.Request().Context(), request(c), string(in.To), string(in.Code), string(in.Purpose))
	return judge(c, v, err)
}

// judge answers a try.
func judge(c echo.Context, v gateway.Verdict, err error) error {
	if err != nil {
		return err
	}
	result(c, "valid="+strconv.FormatBool(v.Valid))
	return answer(c, http.StatusOK, verdict{v.Valid, orNull(v.State), v.AttemptsLeft})
}

func (s *Server) resendOTP(c echo.Context) error {
	about(c, safeID(c.Param("id")))
	r, err := repeatable(c, func() ([]byte, error) { return bindNothing(c) })
	if err != nil {
		return err
	}
	o, a, err := s.gw.ResendOTP(c.Request().Context(), r, c.Param("id"))
	if err != nil {
		return err
	}
	return made(c, a, http.StatusAccepted, o.ID, "/v1/otp/"+o.ID, otpBody(o))
}

func (s *Server) cancelOTP(c echo.Context) error {
	about(c, safeID(c.Param("id")))
	if _, err := bindNothing(c); err != nil {
		return err
	}
	o, err := s.gw.CancelOTP(c.Request().Context(), request(c), c.Param("id"))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, otpBody(o))
}

func (s *Server) unlockNumber(c echo.Context) error {
	number, err := numberParam(c, "e164")
	if err != nil {
		return err
	}
	about(c, gateway.Mask(number))
	if _, err := bindNothing(c); err != nil {
		return err
	}
	if err := s.gw.UnlockNumber(c.Request().Context(), request(c), number); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// otpBody is the one conversion of a one-time password to the wire.
func otpBody(o gateway.OTPView) otp {
	return otp{
		ID: o.ID, Rev: o.Rev, Final: o.Final, State: o.State, To: o.To, ExpiresAt: stamp{o.ExpiresAt},
		AttemptsLeft: o.AttemptsLeft, AttemptsUsed: o.AttemptsUsed, SendsLeft: o.SendsLeft, ResendAt: stampOrNull(o.ResendAt),
		Delivery:  delivery{orNull(o.DeliveryState), stampOrNull(o.DeliveryAt), orNull(o.DeliveryError)},
		MessageID: orNull(o.MessageID), Purpose: o.Purpose, Ref: orNull(o.Ref), Metadata: raw(o.Metadata),
		CreatedAt: stamp{o.CreatedAt}, EndedAt: stampOrNull(o.EndedAt), Reused: o.Reused, Simulated: o.Simulated,
	}
}
