package gateway

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/modemgate/modemgate/gateway/store"
)

// Limits of a line, as they are named in the configuration, in errors, events
// and metrics.
const (
	capDay   = "per_day"
	capMonth = "per_month"
	capCost  = "cost_per_month"
)

// stateLimited is that of a line which has sent what its limits allow.
const stateLimited = "limited"

// Cost is what one SMS part to numbers with a prefix costs. The first prefix
// that matches counts; a part that none matches costs 1.
type Cost struct {
	Prefix string
	Units  int
}

// units is what one part to a number costs.
func (g *Gateway) units(number string) int {
	for _, c := range g.o.Costs {
		if strings.HasPrefix(number, c.Prefix) {
			return c.Units
		}
	}
	return 1
}

// spent is what a SIM has sent in the present windows, by the names of the
// limits: SMS parts, and units of cost.
type spent struct{ day, month, cost int }

// cheapest is what a part costs at least.
func cheapest(costs []Cost) int {
	least := 1
	for i, c := range costs {
		if i == 0 || c.Units < least {
			least = c.Units
		}
		if c.Prefix == "" {
			return least
		}
	}
	return min(least, 1)
}

// quota is what the SIM in a line may still send. The counters in the store
// are the truth of days and months, and are read before each claim; here is
// what they said last, for whoever chooses between lines. The bucket is kept
// here only: at the start it is made of what the store counted in the last two
// minutes, as if that had been sent as late as it can have been.
type quota struct {
	o        LineOptions
	cheapest int // units of a part to whom that costs least

	mu     sync.Mutex
	sim    string // whose quota it is; "": not known yet
	day    time.Time
	used   spent
	tokens float64   // parts that the bucket holds
	filled time.Time // when it held them
}

// dayOf and monthOf are the starts of the windows of t, which are days and
// months of the calendar in UTC.
func dayOf(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func nextDay(t time.Time) time.Time   { return dayOf(t).Add(24 * time.Hour) }
func nextMonth(t time.Time) time.Time { return monthOf(t).AddDate(0, 1, 0) }

// windows of the counters of a line, in the order of spent.
func (q *quota) windows(now time.Time) []store.Window {
	return []store.Window{{Kind: kindLineDay, Start: dayOf(now)}, {Kind: kindLineMonth, Start: monthOf(now)}, {Kind: kindLineCost, Start: monthOf(now)}}
}

// load reads what the SIM has sent, and fills the bucket of one that is new.
func (q *quota) load(tx store.Tx, sim string, now time.Time) error {
	minute := now.Truncate(time.Minute)
	windows := append(q.windows(now), store.Window{Kind: kindLineMinute, Start: minute}, store.Window{Kind: kindLineMinute, Start: minute.Add(-time.Minute)})
	n, err := tx.Counters(sim, windows)
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.day, q.used = dayOf(now), spent{n[0], n[1], n[2]}
	if q.sim == sim {
		return nil
	}
	q.sim = sim
	size := float64(q.o.PerMinute)
	q.tokens = max(0, size-float64(n[4])) + size*now.Sub(minute).Minutes()
	q.tokens, q.filled = min(size, q.tokens)-float64(n[3]), now
	return nil
}

// budget says when the line may send the next part; a zero time: now.
func (l *line) budget(tx store.Tx, now time.Time) (time.Time, error) {
	sim := l.sim()
	if !l.quota.of(sim) {
		if err := l.quota.load(tx, sim, now); err != nil {
			return time.Time{}, err
		}
	}
	if at := l.quota.refilled(now); !at.IsZero() {
		return at, nil
	}
	n, err := tx.Counters(sim, l.quota.windows(now)[:l.quota.read()])
	if err != nil {
		return time.Time{}, err
	}
	l.quota.note(n, now)
	_, until := l.quota.reached(now)
	return until, nil
}

// read is how many of the windows have limits and are to be read.
func (q *quota) read() int {
	switch {
	case q.o.CostPerMonth > 0:
		return 3
	case q.o.PerMonth > 0:
		return 2
	}
	return 1
}

func (q *quota) of(sim string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sim == sim
}

// note takes what was read of the counters.
func (q *quota) note(n []int, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.day, q.used.day = dayOf(now), n[0]
	if len(n) > 1 {
		q.used.month = n[1]
	}
	if len(n) > 2 {
		q.used.cost = n[2]
	}
}

// refilled says when the bucket has a token; zero: it has. It holds PerMinute
// of them and gets as many in a minute, evenly.
func (q *quota) refilled(now time.Time) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	if d := now.Sub(q.filled); d > 0 {
		q.tokens = min(float64(q.o.PerMinute), q.tokens+d.Minutes()*float64(q.o.PerMinute))
	}
	q.filled = now // also when the clock went back
	if q.tokens >= 1-1e-6 {
		return time.Time{}
	}
	return now.Add(max(time.Millisecond, time.Duration((1-q.tokens)/float64(q.o.PerMinute)*float64(time.Minute))))
}

// charge counts one part in the commit of tx and tells when that was the last
// one that a limit allows.
func (l *line) charge(tx store.Tx, to string, now time.Time) error {
	sim, units := l.sim(), l.g.units(to)
	err := tx.AddCounters(sim, []store.Window{
		{Kind: kindLineMinute, Start: now.Truncate(time.Minute)}, {Kind: kindLineDay, Start: dayOf(now)}, {Kind: kindLineMonth, Start: monthOf(now)},
	}, 1)
	if err == nil && (len(l.g.o.Costs) > 0 || l.o.CostPerMonth > 0) {
		err = tx.AddCounters(sim, []store.Window{{Kind: kindLineCost, Start: monthOf(now)}}, units)
	}
	if err != nil {
		return err
	}
	for _, c := range l.quota.caps(now, l.quota.present(now).plus(1, units)) {
		if !c.reached() || c.used-c.step(units)+c.least > c.limit { // or it was before
			continue
		}
		if err := l.g.lineEvent(tx, l, "limit-reached", fmt.Sprintf("%s: %d, until %s", c.name, c.limit, when(c.until)), now); err != nil {
			return err
		}
		tx.After(func() {
			l.g.metrics.limits.WithLabelValues(l.o.Name, c.name).Inc()
			l.log.Warn("the line has reached a limit and sends again when the window is over", "limit", c.name, "of", c.limit, "until", c.until)
		})
	}
	tx.After(func() { l.quota.take(sim, units, now) })
	return nil
}

func (s spent) plus(parts, units int) spent {
	return spent{s.day + parts, s.month + parts, s.cost + units}
}

// take counts one part here that the store has counted.
func (q *quota) take(sim string, units int, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sim == sim {
		q.tokens--
		q.used = q.now(now).plus(1, units)
		q.day = dayOf(now)
	}
}

// present is what was sent in the windows of now.
func (q *quota) present(now time.Time) spent {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.now(now)
}

func (q *quota) now(now time.Time) spent {
	s := q.used
	if !q.day.Equal(dayOf(now)) {
		s.day = 0
	}
	if !monthOf(q.day).Equal(monthOf(now)) {
		s.month, s.cost = 0, 0
	}
	return s
}

// limitState is one limit of a line: how much of it is used, and until when
// that counts. A limit of 0 is none.
type limitState struct {
	name        string
	limit, used int
	least       int // what a part adds at least
	until       time.Time
}

// reached says whether not one part more fits.
func (c limitState) reached() bool { return c.limit > 0 && c.used+c.least > c.limit }

// step is how much one part adds to the limit.
func (c limitState) step(units int) int {
	if c.name == capCost {
		return units
	}
	return 1
}

// caps are the limits of days and months.
func (q *quota) caps(now time.Time, s spent) [3]limitState {
	return [3]limitState{
		{capDay, q.o.PerDay, s.day, 1, nextDay(now)},
		{capMonth, q.o.PerMonth, s.month, 1, nextMonth(now)},
		{capCost, q.o.CostPerMonth, s.cost, q.cheapest, nextMonth(now)},
	}
}

// reached names the limit that keeps the line from sending longest, and says
// until when; a zero time: none does.
func (q *quota) reached(now time.Time) (c limitState, until time.Time) {
	for _, each := range q.caps(now, q.present(now)) {
		if each.reached() && each.until.After(until) {
			c, until = each, each.until
		}
	}
	return c, until
}

// opens says when the line may begin a message of so many parts, and which
// limit it waits for; a zero time: now. A message is not begun where its rest
// would have to wait for another window, unless it fits into none.
func (q *quota) opens(parts, units int, now time.Time) (name string, at time.Time) {
	for _, c := range q.caps(now, q.present(now)) {
		need := parts * c.step(units)
		begins := c.name != capCost && need > c.limit && !c.reached()
		if c.limit > 0 && c.used+need > c.limit && !begins && c.until.After(at) {
			name, at = c.name, c.until
		}
	}
	return name, at
}

// share is how much the line has used of its tightest limit, then of its
// bucket: the less, the rather it sends.
func (q *quota) share(now time.Time) (window, minute float64) {
	for _, c := range q.caps(now, q.present(now)) {
		if c.limit > 0 {
			window = max(window, float64(c.used)/float64(c.limit))
		}
	}
	q.refilled(now)
	q.mu.Lock()
	defer q.mu.Unlock()
	return window, 1 - q.tokens/float64(q.o.PerMinute)
}

// words say what the limits keep the line from, and until when; "" if nothing.
func (q *quota) words(now time.Time) (words string, until time.Time) {
	c, until := q.reached(now)
	switch {
	case until.IsZero():
		return "", until
	case c.name == capCost:
		return fmt.Sprintf("it has sent for the %d units of cost of this month (limits.%s): it receives, and sends again at %s", c.limit, c.name, when(until)), until
	}
	window := map[string]string{capDay: "day", capMonth: "month"}[c.name]
	return fmt.Sprintf("it has sent its %d SMS parts of this %s (limits.%s): it receives, and sends again at %s", c.limit, window, c.name, when(until)), until
}
