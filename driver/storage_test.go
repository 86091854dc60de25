package driver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// shelf is a modem with SM and ME that takes some forms of AT+CPMS= only.
type shelf struct {
	takes    func(args []string) bool // the form is obeyed
	silently bool                     // what is not obeyed gets OK all the same
	mu       sync.Mutex
	selected string
	sets     []string
}

// rests is the memory that is selected, and the commands that selected one.
func (s *shelf) rests() (memory string, sets []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.selected, slices.Clone(s.sets)
}

func (s *shelf) on(p *peer) {
	s.selected = "ME"
	p.says("\r\n+CPMS: (\"SM\",\"ME\"),(\"SM\",\"ME\"),(\"SM\",\"ME\")\r\n\r\nOK\r\n", "+CPMS=?")
	p.on("+CPMS?", func(p *peer, _ string) {
		memory, _ := s.rests()
		p.ok(fmt.Sprintf("+CPMS: %q,1,20,%[1]q,1,20,%[1]q,1,20", memory))
	})
	p.on("+CPMS", func(p *peer, cmd string) {
		args := strings.Split(strings.TrimPrefix(cmd, "+CPMS="), ",")
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sets = append(s.sets, cmd)
		switch {
		case s.takes(args):
			s.selected = strings.Trim(args[0], `"`)
			p.ok("+CPMS: 1,20,1,20,1,20")
		case s.silently:
			p.ok("+CPMS: 1,20,1,20,1,20")
		default:
			p.send("\r\n+CMS ERROR: 302\r\n")
		}
	})
}

func TestFormsOfSelectingAMemory(t *testing.T) {
	exactly := func(n int) func([]string) bool { return func(args []string) bool { return len(args) == n } }
	for name, s := range map[string]*shelf{
		"three":                       {takes: exactly(3)},
		"two":                         {takes: exactly(2)},
		"one":                         {takes: exactly(1)},
		"two, the others to no avail": {takes: exactly(2), silently: true},
		"one, the others to no avail": {takes: exactly(1), silently: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t)
			s.on(p)
			p.on("+CMGL", func(p *peer, _ string) {
				if memory, _ := s.rests(); memory == "ME" {
					p.ok("+CMGL: 3,0,,9\r\n0791999000000000040A")
					return
				}
				p.ok("+CMGL: 1,0,,9\r\n0791999000000000040B")
			})
			m := p.open()
			list, err := m.List(context.Background())
			if err != nil || len(list) != 2 || list[0].Slot != (Slot{"SM", 1}) || list[1].Slot != (Slot{"ME", 3}) {
				t.Fatalf("listed %+v, %v", list, err)
			}
			memory, before := s.rests()
			if memory != "SM" {
				t.Errorf("it rests in %s", memory)
			}
			if _, err := m.List(context.Background()); err != nil {
				t.Fatal(err)
			}
			_, after := s.rests()
			if got := after[len(before):]; len(got) != 2 { // what works is known by now
				t.Errorf("a second listing selects with %q", got)
			}
			st, err := m.Status(context.Background())
			if err != nil || len(st.Storage) != 2 || st.Storage[1] != (Memory{"ME", 1, 20}) {
				t.Errorf("storage %+v, %v", st.Storage, err)
			}
		})
	}
}

// A memory that cannot be selected is left out; its messages are not taken for
// those of another.
func TestMemoryThatCannotBeSelected(t *testing.T) {
	p := newPeer(t)
	s := &shelf{takes: func(args []string) bool { return args[0] == `"SM"` }, silently: true}
	s.on(p)
	p.says("\r\n+CMGL: 1,0,,9\r\n0791999000000000040B\r\n\r\nOK\r\n", "+CMGL")
	m := p.open()
	list, err := m.List(context.Background())
	if err != nil || len(list) != 1 || list[0].Slot != (Slot{"SM", 1}) {
		t.Errorf("listed %+v, %v", list, err)
	}
}
