package driver

import (
	"context"
	"strings"
	"testing"
)

func TestCellAnswers(t *testing.T) {
	for line, want := range map[string]Cell{
		`+CREG: 2,1,"1A2B","0011223"`:                                       {Area: "1A2B", ID: "0011223"},
		`+CREG: 2,5,"1a2b","0011223c",7`:                                    {Area: "1A2B", ID: "0011223C", Radio: "lte"},
		`+CREG: 2,1,1A2B,11223,0`:                                           {Area: "1A2B", ID: "11223", Radio: "gsm"},
		`+CREG: 2, 1, "1A2B", "0011223", 2`:                                 {Area: "1A2B", ID: "0011223", Radio: "umts"},
		`+CREG: 2,1,"1A2B","0011223",6,"01"`:                                {Area: "1A2B", ID: "0011223", Radio: "umts"},
		`+CREG: 2,6,"1A2B","0011223",9`:                                     {Area: "1A2B", ID: "0011223", Radio: "nb-iot"},
		`+CREG: 2,1,"1A2B3C","00A011223",11`:                                {Area: "1A2B3C", ID: "00A011223", Radio: "nr"},
		`+CREG: 2,1,"1A2B","0011223",99`:                                    {Area: "1A2B", ID: "0011223"},
		`+CREG: 2,1,"0F","0F"`:                                              {Area: "0F", ID: "0F"},
		`+CREG: 2,1`:                                                        {},
		`+CREG: 0,1,"1A2B","0011223"`:                                       {}, // not what was set
		`+CREG: 2,2,"1A2B","0011223"`:                                       {}, // searching
		`+CREG: 1,"1A2B","0011223",7`:                                       {}, // unasked
		`+CREG: 2,"1A2B","0011223",7`:                                       {}, // unasked, searching
		`+CREG: 2,1,"FFFF","FFFFFFFF"`:                                      {},
		`+CREG: 2,1,"0000","00000000"`:                                      {},
		`+CREG: 2,1,"","",7`:                                                {},
		`+CREG: 2,1,"area","0011223"`:                                       {},
		`+CREG: 2,1,"1A2B","+447700900001"`:                                 {},
		`+CREG: 2,1,"1A2B3C4D5E","000011223"`:                               {},
		`+CGREG: 2,1,"1A2B","0011223"`:                                      {},
		`+CREG: 1,"0001","0002",7` + "\n" + `+CREG: 2,1,"1A2B","0011223",7`: {Area: "1A2B", ID: "0011223", Radio: "lte"},
	} {
		got, ok := cellIn(strings.Split(line, "\n"), "+CREG:")
		if got != want || ok != (want != Cell{}) {
			t.Errorf("%s: %+v %v, want %+v", line, got, ok, want)
		}
	}
}

// A modem announces each change of its cell only while it is asked for it; one
// that refuses that is asked by each domain once.
func TestCellIsAskedFor(t *testing.T) {
	p := newPeer(t)
	m := p.open()
	p.says("\r\n+CREG: 0,1\r\n\r\nOK\r\n", "+CREG?")
	p.says("\r\n+CGREG: 0,0\r\n\r\nOK\r\n", "+CGREG?")
	p.says("\r\n+CEREG: 0,5\r\n\r\nOK\r\n", "+CEREG?")
	p.says("\r\nERROR\r\n", "+CEREG")
	p.on("+CREG", func(p *peer, cmd string) {
		if cmd == "+CREG=2" {
			p.says("\r\n+CREG: 1,\"0001\",\"0002\",0\r\n\r\n+CREG: 2,1,\"1A2B\",\"0011223\",0\r\n\r\nOK\r\n", "+CREG?")
		}
		p.send("\r\nOK\r\n")
	})
	before, _ := p.seen()
	for range 2 {
		st, err := m.Status(context.Background())
		if want := (Cell{Area: "1A2B", ID: "0011223", Radio: "gsm"}); err != nil || st.Cell != want || st.Registration != "roaming" {
			t.Fatalf("got %+v, %v", st, err)
		}
	}
	var asked []string
	for _, cmd := range after(p, before) {
		if strings.Contains(cmd, "REG=") {
			asked = append(asked, cmd)
		}
	}
	if got := strings.Join(asked, " "); got != "AT+CEREG=2 AT+CREG=2 AT+CREG=0 AT+CREG=2 AT+CREG=0" {
		t.Errorf("asked %s", got)
	}
}

// after are the commands that came after those.
func after(p *peer, before []string) []string {
	all, _ := p.seen()
	return all[len(before):]
}
