package main_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/modemgate/modemgate/driver/sim"
)

// unplugs are the moments at which the modem is pulled out: each point of the
// simulator at the first and the second time it is passed.
func unplugs() (all []sim.Fault) {
	for _, f := range []sim.Fault{
		{Match: "+CMGS", Point: sim.PointCommand}, {Match: "+CMGS", Point: sim.PointPrompt}, {Match: "+CMGS", Point: sim.PointBody},
		{Match: "+CMGS", Point: sim.PointAccepted}, {Match: "+CMGS", Point: sim.PointAnswered},
		{Match: "+CMGL", Point: sim.PointCommand}, {Match: "+CMGL", Point: sim.PointListed},
		{Match: "+CMGD", Point: sim.PointCommand}, {Match: "+CMGD", Point: sim.PointDeleted},
	} {
		for skip := range 2 {
			f.Kind, f.Skip, f.Delay = sim.FaultUnplug, skip, 200*time.Millisecond
			all = append(all, f)
		}
	}
	return all
}

// The modem pulled out at each point of both journeys, and back under another
// name: nothing is restarted.
func TestUnplugAtEveryPoint(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, atOnce)
	for _, f := range unplugs() {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			t.Run(fmt.Sprintf("%s %s@%d", f.Match[1:], f.Point, f.Skip+1), func(t *testing.T) { unplug(t, f) })
		})
	}
}

func unplug(t *testing.T, f sim.Fault) {
	r := newRig(t, rigOptions{})
	m := r.net.Modems()[0]
	d := r.serving()
	before, err := os.Readlink(m.Path())
	if err != nil {
		t.Fatal(err)
	}
	m.Inject(f)
	r.text("one #")
	r.text(long("two # ~"))
	r.books.code()
	r.books.message(long("three # €"), "resend", 3)
	r.books.message("four #", "hold", 1)
	r.checkAll()
	if len(m.Faults()) > 0 { // all was read in one listing
		r.text("three #")
		r.must("the modem to be pulled out", func() bool { return len(m.Faults()) == 0 })
		r.checkAll()
	}
	if after, err := os.Readlink(m.Path()); err != nil || after == before {
		t.Errorf("the modem did not come back under another name: %s, then %s %v", before, after, err)
	}
	if r.now() != d || d.dead() {
		t.Error("the daemon did not live through it")
	}
}

// TestNATSServer is the child of TestNATSKilled: somebody else's server in a
// process of its own, until it is killed.
func TestNATSServer(t *testing.T) {
	dir := os.Getenv("MODEMGATE_TEST_NATS")
	if dir == "" {
		t.Skip("runs only as the child of TestNATSKilled")
	}
	port, err := strconv.Atoi(os.Getenv("MODEMGATE_TEST_NATS_PORT"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, SyncAlways: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	fmt.Println("serving")
	s.WaitForShutdown()
}

// cluster is somebody else's NATS server, which can be killed and comes back
// on the same port.
type cluster struct {
	t    *testing.T
	dir  string
	port int
	cmd  *exec.Cmd
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := &cluster{t: t, dir: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port}
	t.Cleanup(c.kill)
	return c
}

func (c *cluster) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", c.port) }

func (c *cluster) start() {
	c.t.Helper()
	c.cmd = exec.Command(os.Args[0], "-test.run=^TestNATSServer$")
	c.cmd.Env = append(os.Environ(), "MODEMGATE_TEST_NATS="+c.dir, fmt.Sprintf("MODEMGATE_TEST_NATS_PORT=%d", c.port))
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "serving\n" {
		c.t.Fatalf("the NATS server said %q, %v", line, err)
	}
}

func (c *cluster) kill() {
	if c.cmd != nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		c.cmd = nil
	}
}

// SIGKILL to NATS at random moments under load, once with the daemon killed
// while NATS is away.
func TestNATSKilled(t *testing.T) {
	t.Parallel()
	c, seed := newCluster(t), rand.Uint64()
	r := newRig(t, rigOptions{natsURL: c.url(), sim: sim.Options{SubmitDelay: 4 * time.Millisecond}})
	r.serving() // NATS is not there yet, and that is no error
	l := &load{rig: r, stop: make(chan struct{})}
	l.begin(seed)
	rng := rand.New(rand.NewPCG(seed, 99))
	away := func(d time.Duration) {
		before := r.waiting()
		time.Sleep(d)
		r.must("events to wait", func() bool { return r.waiting() > max(before, 0) })
	}
	away(0)
	for i := range 4 {
		c.start()
		r.must("events flow again", func() bool { return r.waiting() < 20 })
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond) // the moment of death is random
		c.kill()
		away(100 * time.Millisecond)
		if i == 1 {
			r.now().kill()
			r.serving()
			away(0)
		}
	}
	close(l.stop)
	l.wg.Wait()
	c.start()
	r.checkAll()
	t.Logf("4 kills of NATS, seed %d: %s", seed, l.sum())
	if slices.ContainsFunc(r.books.posts, func(p *post) bool { return p.state == "" }) || !strings.Contains(l.sum(), "delivered") {
		t.Error("there was hardly any load")
	}
}
