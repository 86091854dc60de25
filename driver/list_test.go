package driver

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// A modem that refuses to name its memories while it starts is asked again:
// else what it keeps in another than the selected one is never found.
func TestStoragesRefusedAtFirst(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CME ERROR: 515\r\n", "+CPMS=?", "+CPMS?", "+CPMS")
	m := p.open()
	p.store(3, "0791999000000000040A")
	for range 2 {
		got, err := m.List(context.Background())
		if err != nil || len(got) != 1 || got[0].Slot.Memory != "" {
			t.Fatalf("while it refuses: %+v, %v", got, err)
		}
	}
	for _, cmd := range []string{"+CPMS=?", "+CPMS?", "+CPMS"} {
		p.on(cmd, nil)
	}
	got, err := m.List(context.Background())
	if err != nil || len(got) != 1 || got[0].Slot != (Slot{"SM", 3}) {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

func TestListEmptyAnswersWithAnError(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CMS ERROR: 321\r\n", "+CMGL")
	m := p.open()
	if got, err := m.List(context.Background()); err != nil || len(got) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestListWalksWhereCMGLIsMissing(t *testing.T) {
	p := newPeer(t)
	p.store(0, "0791999000000000040A")
	p.store(20, "0791999000000000040B")
	p.says("\r\n+CMS ERROR: 303\r\n", "+CMGL")
	m := p.open()
	for range 2 {
		got, err := m.List(context.Background())
		if err != nil || len(got) != 2 || got[0].Slot != (Slot{"SM", 0}) || got[1].Slot != (Slot{"SM", 20}) {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	commands, _ := p.seen()
	asked := slices.DeleteFunc(commands, func(c string) bool { return c != "AT+CMGL=4" })
	if len(asked) != 1 {
		t.Errorf("AT+CMGL was tried %d times", len(asked))
	}
}

func TestListToleratesEmptySlotsOfAllKinds(t *testing.T) {
	p := newPeer(t)
	p.says("\r\nERROR\r\n", "+CMGL")
	p.says("\r\n+CPMS: 1,4,1,4,1,4\r\n\r\nOK\r\n", "+CPMS")
	p.on("+CMGR", func(p *peer, cmd string) {
		p.send(map[string]string{
			"+CMGR=0": "\r\n+CMS ERROR: 321\r\n", "+CMGR=1": "\r\nOK\r\n", "+CMGR=2": "\r\n+CMGR: 0,,0\r\n\r\nOK\r\n",
			"+CMGR=3": "\r\n+CMGR: ,,9\r\n0791999000000000040A\r\n\r\nOK\r\n",
		}[cmd])
	})
	m := p.open()
	got, err := m.List(context.Background())
	want := []Stored{{Slot: Slot{"SM", 3}, Status: -1, PDU: "0791999000000000040A", Length: 9}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestListReadsAgainWhatLostItsPDU(t *testing.T) {
	p := newPeer(t)
	p.store(5, "0791999000000000040A")
	p.says("\r\n+CMGL: 5,0,,9\r\n\r\n+CMTI: \"SM\",6\r\n\r\n+STRANGE: 1\r\n\r\nOK\r\n", "+CMGL")
	m := p.open()
	got, err := m.List(context.Background())
	if err != nil || len(got) != 1 || got[0].Slot != (Slot{"SM", 5}) || got[0].PDU != "0791999000000000040A" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestListReadsAllStoragesAndReturns(t *testing.T) {
	p := newPeer(t)
	current := "ME"
	content := map[string]string{
		"SM": "\r\n+CMGL: 1,0,,9\r\n0791999000000000040A\r\n", "ME": "\r\n+CMGL: 2,0,,9\r\n0791999000000000040B\r\n",
		"SR": "\r\n+CMGL: 3,0,,9\r\n0791999000000000060C\r\n",
	}
	p.says("\r\n+CPMS: (\"ME\",\"MT\",\"SM\",\"SR\"),(\"ME\",\"SM\"),(\"ME\",\"SM\")\r\n\r\nOK\r\n", "+CPMS=?")
	p.on("+CPMS", func(p *peer, cmd string) {
		memory := cmd[7:9]
		if memory == "SR" && strings.HasSuffix(cmd, `"SR"`) && strings.Count(cmd, "SR") > 1 {
			p.send("\r\n+CMS ERROR: 302\r\n")
			return
		}
		current = memory
		p.ok("+CPMS: 1,20,1,20,1,20")
	})
	p.on("+CMGL", func(p *peer, _ string) { p.send(content[current]); p.ok() })
	m := p.open()
	got, err := m.List(context.Background())
	if err != nil || len(got) != 3 || got[0].Slot != (Slot{"SM", 1}) || got[1].Slot != (Slot{"ME", 2}) || got[2].Slot != (Slot{"SR", 3}) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if err := m.Delete(context.Background(), got[2].Slot); err != nil {
		t.Fatal(err)
	}
	commands, _ := p.seen()
	if got := commands[len(commands)-3:]; !slices.Equal(got, []string{
		`AT+CPMS="SR","SM","SM"`, "AT+CMGD=3", `AT+CPMS="SM","SM","SM"`,
	}) {
		t.Errorf("delete in another storage: %q", got)
	}
}

func TestDeleteOfEmptySlotIsDone(t *testing.T) {
	p := newPeer(t)
	p.says("\r\n+CMS ERROR: 321\r\n", "+CMGD")
	if err := p.open().Delete(context.Background(), Slot{"SM", 9}); err != nil {
		t.Error(err)
	}
}

func TestOfferedStorages(t *testing.T) {
	for line, want := range map[string][]string{
		`+CPMS: ("SM"),("SM"),("SM")`:                       {"SM"},
		`+CPMS: ("ME","MT","SM","SR"),("ME","SM"),("SM")`:   {"ME", "SM", "SR"},
		`+CPMS: (("SM","BM","SR"),("SM"))`:                  {"SM", "SR"},
		`+CPMS: ("MT"),("MT"),("MT")`:                       {"MT"},
		`+CPMS: ("SM","SM_P","ME"),("SM","ME"),("SM","ME")`: {"SM", "ME"},
	} {
		if got := offeredStorages(answers([]string{line}, "+CPMS:", 1)); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}
