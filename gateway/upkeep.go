package gateway

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// BalanceOptions say how a line asks for the credit of its SIM.
type BalanceOptions struct {
	Code    string
	Pattern *regexp.Regexp // its first group is the amount
	Every   time.Duration
	Below   float64 // less than this is told
}

// BalanceStatus is the credit of a SIM as its operator told it last.
type BalanceStatus struct {
	Amount float64   `json:"amount"`
	At     time.Time `json:"at"` // of Amount; zero: never told
	Low    bool      `json:"low"`
	Error  string    `json:"error"` // why the last question failed; "" when it did not
}

// upkeepState is what a line remembers of its upkeep over restarts. A SIM that
// was changed begins anew.
type upkeepState struct {
	SIM      string        `json:"sim"`
	Balance  BalanceStatus `json:"balance"`
	AskAt    time.Time     `json:"ask_at"`    // next question for the credit
	SentAt   time.Time     `json:"sent_at"`   // the SIM sent something
	TextedAt time.Time     `json:"texted_at"` // it was let to text itself
	Message  string        `json:"message"`   // that text, until it ended
	Refused  string        `json:"refused"`   // why the last could not be queued
}

const (
	upkeepEvery    = time.Minute
	balanceRetry   = time.Hour
	balanceWait    = 45 * time.Second
	noteSentEvery  = time.Hour
	keepAliveRetry = time.Hour
	keepAliveTTL   = 24 * time.Hour
	keepAliveText  = "modemgate keeps this SIM alive"
	settingUpkeep  = "upkeep:" // + line
)

// upkeep asks for credits and lets SIMs that send too rarely text themselves.
func (g *Gateway) upkeep(ctx context.Context) error {
	every := g.o.Upkeep
	if every == 0 {
		every = upkeepEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		for _, l := range g.lines() {
			if ok, _ := l.works(g.clock.now()); !ok || l.o.Balance == nil && l.o.KeepAlive == 0 {
				continue
			}
			if err := l.careFor(ctx); err != nil && ctx.Err() == nil {
				l.log.Warn("the upkeep of the SIM failed; it is tried again", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// careFor does what is due for the SIM in the line.
func (l *line) careFor(ctx context.Context) error {
	now, sim := l.g.clock.now(), l.sim()
	s, err := l.readUpkeep(ctx)
	if err != nil {
		return err
	}
	before := s
	if s.SIM != sim {
		s = upkeepState{SIM: sim, SentAt: now, AskAt: now}
	}
	if sent := time.Unix(0, l.sentAt.Load()); l.sentAt.Load() != 0 && sent.Sub(s.SentAt) > noteSentEvery {
		s.SentAt = sent
	}
	if l.o.Balance != nil && !now.Before(s.AskAt) {
		tell := l.askBalance(ctx, &s, now)
		if ctx.Err() != nil {
			return nil
		}
		// By itself: the question costs, so nothing else may undo that it was asked.
		if err := l.writeUpkeep(ctx, s, tell, now); err != nil {
			return err
		}
		before = s
	}
	l.mu.Lock()
	l.balance = s.Balance
	l.mu.Unlock()
	var tell []upkeepEvent
	if l.o.KeepAlive > 0 {
		if tell, err = l.keepAlive(ctx, &s, now); err != nil {
			return err
		}
	}
	if s == before {
		return nil
	}
	err = l.writeUpkeep(ctx, s, tell, now)
	if why, ok := notQueued(err); ok {
		return l.putOff(ctx, s, tell[:len(tell)-1], why, now)
	}
	return err
}

// putOff notes that the text of the line to itself was not accepted, tells it
// unless the last one met the same, and has it tried again soon.
func (l *line) putOff(ctx context.Context, s upkeepState, tell []upkeepEvent, why string, now time.Time) error {
	if why != s.Refused {
		l.log.Warn("the SIM could not be kept alive: its text to itself was refused", "why", why)
		tell = append(tell, upkeepEvent{event: "keep-alive-failed", detail: why})
	}
	s.Refused, s.TextedAt = why, now.Add(min(keepAliveRetry, l.o.KeepAlive)-l.o.KeepAlive)
	return l.writeUpkeep(ctx, s, tell, now)
}

// notQueued is why a message of a line to itself is not accepted. A full disk is
// no refusal: it is waited for.
func notQueued(err error) (why string, ok bool) {
	var refused *Error
	if !errors.As(err, &refused) || refused.Code == StorageFull {
		return "", false
	}
	return refused.Detail, true
}

func (l *line) readUpkeep(ctx context.Context) (s upkeepState, err error) {
	err = l.g.st.View(ctx, func(tx store.Tx) error {
		return readSetting(tx, settingUpkeep+l.o.Name, &s)
	})
	return s, err
}

// upkeepEvent is an event of the line, or a message to itself.
type upkeepEvent struct {
	event, detail string
	text          *NewMessage
}

// writeUpkeep keeps the state, with its events and messages, in one commit.
func (l *line) writeUpkeep(ctx context.Context, s upkeepState, tell []upkeepEvent, now time.Time) error {
	return l.g.update(ctx, "upkeep", func(tx store.Tx) error {
		for _, e := range tell {
			if e.text != nil {
				id, refused, err := l.textItself(tx, *e.text, now)
				if err != nil {
					return err
				}
				s.Message = id
				if refused == "" {
					s.Refused = ""
					continue
				}
				e = upkeepEvent{event: "keep-alive-failed", detail: refused}
			}
			if err := l.g.lineEvent(tx, l, e.event, e.detail, now); err != nil {
				return err
			}
		}
		return writeSetting(tx, settingUpkeep+l.o.Name, s)
	})
}

// textItself writes a text of the SIM to its number, as far as limits.allow and
// limits.deny let it: a SIM may claim any number as its own. refused says why
// there is none.
func (l *line) textItself(tx store.Tx, in NewMessage, now time.Time) (id, refused string, err error) {
	to, err := l.g.number("/to", in.To)
	if err == nil {
		err = l.g.allowed(tx, Caller{Key: systemKey}, to)
	}
	var e *Error
	if errors.As(err, &e) {
		l.log.Warn("the SIM cannot be kept alive by a text to itself: its number is not allowed", "err", err)
		return "", "the number of the SIM: " + e.Detail, nil
	}
	if err != nil {
		return "", "", err
	}
	id, err = l.g.insertOwn(tx, in, now)
	return id, "", err
}

// askBalance asks for the credit. The first failure in a row is told, and
// each fall below the limit.
func (l *line) askBalance(ctx context.Context, s *upkeepState, now time.Time) []upkeepEvent {
	amount, err := l.credit(ctx)
	b := &s.Balance
	if err != nil {
		first := b.Error == ""
		b.Error, s.AskAt = err.Error(), now.Add(min(balanceRetry, l.o.Balance.Every))
		if !first {
			return nil
		}
		l.log.Warn("the credit of the SIM is not known", "err", err)
		return []upkeepEvent{{event: "balance-failed", detail: b.Error}}
	}
	fell := amount < l.o.Balance.Below && !b.Low
	*b = BalanceStatus{Amount: amount, At: now, Low: amount < l.o.Balance.Below}
	s.AskAt = now.Add(l.o.Balance.Every)
	out := []upkeepEvent{{event: "balance", detail: formatAmount(amount)}}
	if fell {
		l.log.Warn("the credit of the SIM is low", "amount", amount, "below", l.o.Balance.Below)
		out = append(out, upkeepEvent{event: "balance-low", detail: formatAmount(amount) + " is less than " + formatAmount(l.o.Balance.Below)})
	}
	return out
}

func formatAmount(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// credit asks the network. Its errors say nothing of what it answered.
func (l *line) credit(ctx context.Context) (float64, error) {
	m, err := l.openModem()
	if err != nil {
		return 0, errors.New("the line went down meanwhile")
	}
	v, err := l.askUSSD(ctx, m, systemKey, NewUSSD{Code: l.o.Balance.Code, Wait: balanceWait})
	var refused *Error
	switch {
	case errors.As(err, &refused):
		return 0, errors.New(refused.Detail)
	case err != nil:
		return 0, err
	case v.State == "failed":
		return 0, errors.New("the modem refused the code, " + v.Error)
	case v.State == "unsupported":
		return 0, errors.New("the network does not know the code: change balance.code")
	case v.State == "timeout":
		return 0, errors.New("the network gave no answer in time")
	case v.State == "reply-expected":
		_, _ = l.askUSSD(ctx, m, systemKey, NewUSSD{Cancel: true, Wait: balanceWait})
	}
	found := l.o.Balance.Pattern.FindStringSubmatch(v.Text)
	if len(found) < 2 {
		return 0, errors.New("the answer does not match balance.pattern: modemgate ussd " + l.o.Name + " CODE shows it")
	}
	amount, ok := parseAmount(found[1])
	if !ok {
		return 0, errors.New("what balance.pattern finds is no amount: modemgate ussd " + l.o.Name + " CODE shows the answer")
	}
	return amount, nil
}

var amountForm = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)

// parseAmount reads an amount as networks write it: 1,234.56 and 1.234,56 and
// 9,90. A single comma before exactly three digits separates thousands.
func parseAmount(s string) (float64, bool) {
	s = strings.NewReplacer(" ", "", "\u00a0", "", "'", "").Replace(s)
	s = strings.TrimRight(s, ".,")
	comma, dot := strings.LastIndexByte(s, ','), strings.LastIndexByte(s, '.')
	switch {
	case comma >= 0 && dot >= 0 && comma > dot, comma >= 0 && dot < 0 && strings.Count(s, ",") == 1 && len(s)-comma != 4:
		s = strings.ReplaceAll(strings.ReplaceAll(s, ".", ""), ",", ".")
	case strings.Count(s, ".") > 1:
		s = strings.ReplaceAll(strings.ReplaceAll(s, ".", ""), ",", ".")
	default:
		s = strings.ReplaceAll(s, ",", "")
	}
	if !amountForm.MatchString(s) {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// keepAlive lets a SIM that has sent nothing for long text its own number, and
// tells what became of that; the text is the last it gives.
func (l *line) keepAlive(ctx context.Context, s *upkeepState, now time.Time) ([]upkeepEvent, error) {
	var out []upkeepEvent
	if s.Message != "" {
		v, err := l.g.readMessage(ctx, s.Message)
		switch {
		case errors.Is(err, store.ErrNotFound):
			s.Message = ""
		case err != nil:
			return nil, err
		case v.State == store.Sent || v.State == store.Delivered:
			out = append(out, upkeepEvent{event: "keep-alive", detail: string(v.State)})
			s.Message, s.SentAt = "", now
		case v.Final:
			l.log.Warn("the SIM could not be kept alive by a text to itself", "state", v.State, "code", v.Error)
			out = append(out, upkeepEvent{event: "keep-alive-failed", detail: string(v.State) + ", " + v.Error})
			s.Message = ""
		}
	}
	latest := s.SentAt
	if s.TextedAt.After(latest) {
		latest = s.TextedAt
	}
	if s.Message != "" || now.Sub(latest) < l.o.KeepAlive {
		return out, nil
	}
	s.TextedAt = now
	l.mu.Lock()
	number := l.state.Number
	l.mu.Unlock()
	if number == "" {
		return append(out, upkeepEvent{event: "keep-alive-failed", detail: "the number of the SIM is not known: set number of the line"}), nil
	}
	return append(out, upkeepEvent{text: &NewMessage{
		To: number, Text: keepAliveText, Via: []string{l.o.Name}, Priority: "low", TTL: keepAliveTTL, Ref: "keep-alive",
	}}), nil
}
