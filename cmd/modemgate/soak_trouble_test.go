package main_test

import (
	"bufio"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
)

// trouble makes the modems misbehave at random until stop is closed.
type trouble struct {
	*rig
	stop  chan struct{}
	power string // file that the power command writes to

	mu     sync.Mutex
	struck map[sim.FaultKind]int
}

func lineName(i int) string { return fmt.Sprintf("line%d", i) }

func (f *trouble) pause(d time.Duration) bool {
	select {
	case <-f.stop:
		return false
	case <-time.After(d):
		return true
	}
}

func (f *trouble) note(kind sim.FaultKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.struck[kind]++
}

// passing are faults that end by themselves. One that damages what a listing
// says, or stores an SMS twice, is left out: then the modem itself has lost or
// doubled it.
func passing(rng *rand.Rand) sim.Fault {
	ms := func(least, most int) time.Duration {
		return time.Duration(least+rng.IntN(most-least)) * time.Millisecond
	}
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	all := []sim.Fault{
		{Kind: sim.FaultHang, Delay: ms(50, 1500)},
		{Kind: sim.FaultHang, Delay: ms(50, 500), Point: sim.Point(pick("prompt", "body", "accepted", "listed", "deleted"))},
		{Kind: sim.FaultStopReading, Delay: ms(50, 1000)},
		{Kind: sim.FaultUnplug, Delay: ms(50, 500)},
		{Kind: sim.FaultUnplug, Delay: ms(50, 500), Point: sim.Point(pick("prompt", "body", "accepted", "answered", "listed", "deleted"))},
		{Kind: sim.FaultReboot},
		{Kind: sim.FaultReboot, Point: sim.Point(pick("prompt", "body", "accepted", "deleted"))},
		{Kind: sim.FaultLate, Delay: ms(10, 1000)},
		{Kind: sim.FaultMissing, Match: pick("", "+CMGS", "+CMGL", "+CMGD", "+CMGF")},
		{Kind: sim.FaultGarbled, Match: pick("+CSQ", "+CMGS", "+CREG", "+CMGD")},
		{Kind: sim.FaultDoubled, Match: pick("", "+CMGS", "+CMGL")},
		{Kind: sim.FaultChatter, Match: pick("", "+CMGS", "+CMGL"), Where: pick("before", "inside", "split", "after")},
		{Kind: sim.FaultError, Match: pick("+CMGL", "+CMGD", "+CPMS", "+CSQ"), Times: 1 + rng.IntN(3)},
		{Kind: sim.FaultPrompt, Text: pick("\r\n> ", "> ", "\r> ", "\r\n>"), Delay: ms(1, 300)},
		{Kind: sim.FaultNoPrompt},
		{Kind: sim.FaultCMS, Code: 41},
		{Kind: sim.FaultNoResult},
		{Kind: sim.FaultReportFirst},
		{Kind: sim.FaultNoReport},
		{Kind: sim.FaultReference, Code: rng.IntN(256)},
	}
	return all[rng.IntN(len(all))]
}

// lasting are faults that somebody has to end.
var lasting = []sim.FaultKind{sim.FaultStorageFull, sim.FaultNoNetwork, sim.FaultEcho, sim.FaultEmptyList, sim.FaultUnsupported}

// make troubles one modem. One fault in twenty is a hang that only power ends.
func (f *trouble) make(m *sim.Modem, rng *rand.Rand) {
	for f.pause(time.Duration(100+rng.IntN(1500)) * time.Millisecond) {
		switch n := rng.IntN(20); {
		case n == 0:
			f.note("hang until power-cycled")
			m.Inject(sim.Fault{Kind: sim.FaultHang})
			f.pause(10 * time.Second)
		case n < 4:
			kind := lasting[rng.IntN(len(lasting))]
			f.note(kind)
			m.Inject(sim.Fault{Kind: kind})
			f.pause(time.Duration(100+rng.IntN(900)) * time.Millisecond)
			m.ClearFaults()
		default:
			fault := passing(rng)
			f.note(fault.Kind)
			m.Inject(fault)
		}
	}
}

// end takes all faults away; what hangs is switched off and on.
func (f *trouble) end() {
	for _, m := range f.net.Modems() {
		m.ClearFaults()
		m.Plug()
	}
}

func (f *trouble) sum() string {
	n, kinds := 0, slices.Sorted(maps.Keys(f.struck))
	for _, kind := range kinds {
		n += f.struck[kind]
	}
	return fmt.Sprintf("%d faults of %d kinds, power switched %d times", n-f.struck["power"], len(kinds), f.struck["power"])
}

// vitals are what a daemon uses.
type vitals struct {
	resident    int64 // octets
	goroutines  int
	descriptors int
}

// vitals reads what the present daemon uses.
func (r *rig) vitals() (v vitals) {
	r.Helper()
	pid := r.now().cmd.Process.Pid
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 {
			pages, _ := strconv.ParseInt(f[1], 10, 64)
			v.resident = pages * int64(os.Getpagesize())
		}
	}
	fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	v.descriptors = len(fds)
	req, err := http.NewRequest(http.MethodGet, "http://"+r.now().api+"/metrics", nil)
	if err != nil {
		return v
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	resp, err := web.Do(req)
	if err != nil {
		return v
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if s, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			v.goroutines, _ = strconv.Atoi(s)
		}
	}
	return v
}

// givesBack waits until the daemon has no more goroutines and descriptors than
// before. If it keeps some, it is made to tell who made its goroutines.
func (r *rig) givesBack(before vitals) {
	r.Helper()
	var now vitals
	d := r.now()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		web.CloseIdleConnections()
		now = r.vitals()
		if now.goroutines <= before.goroutines+spareGoroutines && now.descriptors <= before.descriptors+spareDescriptors {
			return
		}
	}
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", d.cmd.Process.Pid))
	count := map[string]int{}
	for _, fd := range fds {
		to, _ := os.Readlink(fd)
		count[strings.TrimRight(to, "0123456789[]")]++
	}
	_ = d.cmd.Process.Signal(syscall.SIGQUIT)
	<-d.done
	for line := range strings.Lines(d.all()) {
		if maker, ok := strings.CutPrefix(line, "created by "); ok {
			maker, _, _ = strings.Cut(maker, " in goroutine")
			count[maker]++
		}
	}
	r.Fatalf("%d goroutines, were %d; %d descriptors, were %d; what there is: %v", now.goroutines, before.goroutines, now.descriptors, before.descriptors, count)
}

// mostGrowth is how much more memory the daemon may use at the end of a long
// soak than early in it: what is remembered of the messages of that time.
const mostGrowth = 24 << 20

// growth compares the medians of the second and of the last quarter.
func growth(watched []vitals) int64 {
	q := len(watched) / 4
	return median(watched[3*q:]) - median(watched[q:2*q])
}

func median(list []vitals) int64 {
	var all []int64
	for _, v := range list {
		all = append(all, v.resident)
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func memory(watched []vitals, before, after vitals) string {
	q, most := len(watched)/4, vitals{}
	for _, v := range watched {
		most.resident = max(most.resident, v.resident)
		most.goroutines, most.descriptors = max(most.goroutines, v.goroutines), max(most.descriptors, v.descriptors)
	}
	return fmt.Sprintf("resident %d MiB before, %d in the second quarter, %d in the last, %d at most; goroutines %d, %d at most, %d after; descriptors %d, %d at most, %d after",
		before.resident>>20, median(watched[q:2*q])>>20, median(watched[3*q:])>>20, most.resident>>20,
		before.goroutines, most.goroutines, after.goroutines, before.descriptors, most.descriptors, after.descriptors)
}
