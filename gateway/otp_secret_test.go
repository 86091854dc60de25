package gateway_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/modemgate/modemgate/driver/sim"
	"github.com/modemgate/modemgate/gateway"
	"github.com/modemgate/modemgate/gateway/store"
)

// S8: what is kept of a code is bound to the OTP, the number and the purpose:
// moved to another record it fits nothing.
func TestS8BoundToTheRequest(t *testing.T) {
	r := newRig(t, nil, nil)
	base := gateway.OTP{ID: "otp_1", To: "+4420", Purpose: "login"}
	same := r.g.CodeMAC(&base, "123456")
	if len(same) != sha256.Size || !bytes.Equal(same, r.g.CodeMAC(&gateway.OTP{ID: "otp_1", To: "+4420", Purpose: "login", Key: "k", Ref: "r"}, "123456")) {
		t.Fatal("the MAC depends on more than id, number, purpose and code")
	}
	for what, m := range map[string][]byte{
		"id":      r.g.CodeMAC(&gateway.OTP{ID: "otp_2", To: base.To, Purpose: base.Purpose}, "123456"),
		"to":      r.g.CodeMAC(&gateway.OTP{ID: base.ID, To: "+4421", Purpose: base.Purpose}, "123456"),
		"purpose": r.g.CodeMAC(&gateway.OTP{ID: base.ID, To: base.To, Purpose: "pay"}, "123456"),
		"code":    r.g.CodeMAC(&base, "123457"),
		"framing": r.g.CodeMAC(&gateway.OTP{ID: base.ID, To: base.To, Purpose: "logi"}, "n123456"),
		"shift":   r.g.CodeMAC(&gateway.OTP{ID: "otp_1+44", To: "20", Purpose: "login"}, "123456"),
	} {
		if bytes.Equal(m, same) {
			t.Errorf("another %s gives the same MAC", what)
		}
	}
	// Somebody who can write the database moves a MAC whose code he knows.
	known, c := r.sentCode(app, gateway.NewOTP{To: number(1), Purpose: "mine"}, 0)
	mac := r.record(known.ID).MAC
	for i, in := range []gateway.NewOTP{{To: number(1), Purpose: "other"}, {To: number(2), Purpose: "mine"}, {To: number(3)}} {
		v := r.create(app, in)
		err := r.st.Update(t.Context(), "test", func(tx store.Tx) error {
			_, err := tx.ChangeOTP(v.ID, nil, store.OTPChange{MAC: &mac})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.try(app, v.ID, c); err != nil || got.Valid {
			t.Fatalf("victim %d: %+v, %v", i, got, err)
		}
	}
	r.approve(app, known.ID, c)
}

// S9: only a MAC under the pepper is kept: no digest that can be made without
// the pepper, over what the database holds, gives it.
func TestS9StoredForm(t *testing.T) {
	r := newRig(t, nil, nil)
	v, c := r.sentCode(app, gateway.NewOTP{To: number(1), Purpose: "p"}, 0)
	o := r.record(v.ID)
	if len(o.MAC) != sha256.Size {
		t.Fatalf("%d octets are kept of a code", len(o.MAC))
	}
	for _, key := range [][]byte{nil, []byte(o.ID), []byte("otp"), r.secrets().Seal, r.secrets().Stream} {
		for _, plain := range []string{c, o.ID + c, o.ID + o.To + o.Purpose + c} {
			h := hmac.New(sha256.New, key)
			h.Write([]byte(plain))
			if s := sha256.Sum256([]byte(plain)); bytes.Equal(h.Sum(nil), o.MAC) || bytes.Equal(s[:], o.MAC) {
				t.Fatal("the kept form can be made without the pepper")
			}
		}
		stranger := gateway.Secrets{Pepper: key}
		if stranger.NumberName(v.To) == r.secrets().NumberName(v.To) {
			t.Fatal("the name of a number in the limits does not depend on the pepper")
		}
	}
}

// S9, S32: no file of the data directory but the key files ever holds a code
// or a text, in any form it goes by: while queued, sent, tried, resent,
// approved; nor does a backup. Codes of ten digits cannot be there by chance.
func TestS9NothingOnTheDisk(t *testing.T) {
	r := newRig(t, func(o *gateway.Options) { o.OTP.Length, o.OTP.Brand = 10, "Zanzibar" }, nil)
	r.pause()
	v := r.create(app, gateway.NewOTP{To: number(1), Purpose: "login", Ref: "r", Metadata: []byte(`{"a":1}`)})
	m := r.post(gateway.NewMessage{To: number(2), Text: "a secret of Zanzibar is 9876543210"})
	words := []string{"Zanzibar", "is your", "valid 5 min", "9876543210", "a secret of"}
	look := func(when string) {
		t.Helper()
		backup := filepath.Join(t.TempDir(), "backup.db")
		if err := r.g.Backup(t.Context(), gateway.Request{Caller: gateway.LocalCaller()}, backup); err != nil {
			t.Fatal(err)
		}
		files := append(r.files(), backup)
		for _, w := range words {
			for _, hit := range grep(t, files, forms(w)) {
				t.Errorf("%s: %q is in %s", when, w, hit)
			}
		}
	}
	look("queued")
	r.unpause()
	text := r.texts(number(1), 1)[0]
	c := codeIn(t, text.Text)
	words = append(words, c, text.Text, text.PDUs[0][len(text.PDUs[0])-40:])
	r.await(m.ID, store.Delivered)
	look("sent")
	r.wrong(app, v.ID)
	if _, err := r.try(app, v.ID, other(c)); err != nil {
		t.Fatal(err)
	}
	words = append(words, other(c))
	r.pass(30 * time.Second)
	_, fresh := r.resend(app, v, 1)
	words = append(words, fresh)
	look("resent")
	r.approve(app, v.ID, fresh)
	look("approved")
	r.restart()
	look("restarted")
	// The grep finds each form when it is there.
	for i, f := range forms(c) {
		plant := filepath.Join(r.dir, fmt.Sprintf("planted-%d", i))
		if err := os.WriteFile(plant, append([]byte("before\x00"), append(f, "after"...)...), 0o600); err != nil {
			t.Fatal(err)
		}
		if hits := grep(t, r.files(), forms(c)); len(hits) == 0 {
			t.Fatalf("the grep does not find form %d", i)
		}
		if err := os.Remove(plant); err != nil {
			t.Fatal(err)
		}
	}
}

// S32: once it is sent the text is nowhere on the disk, not even sealed: no
// octet of any file begins something that the sealing key opens to it. While
// it is queued the same search finds it.
func TestS32TextLeavesTheDisk(t *testing.T) {
	r := newRig(t, nil, nil)
	r.pause()
	v := r.create(app, gateway.NewOTP{To: number(1)})
	if !r.hasText(v.MessageID) || r.sealed(v.MessageID) == 0 {
		t.Fatal("the search does not find the sealed text while it is queued")
	}
	r.unpause()
	r.texts(number(1), 1)
	r.until("the text is erased", func() bool { return !r.hasText(v.MessageID) })
	r.until("the log is truncated", func() bool { return r.sealed(v.MessageID) == 0 })
	if m := r.message(v.MessageID); m.HasText || m.Text != "" {
		t.Fatal("the message still has a text")
	}

	r.pause() // canceled before it was sent
	v = r.create(app, gateway.NewOTP{To: number(2)})
	if r.sealed(v.MessageID) == 0 {
		t.Fatal("the search does not find the sealed text while it is queued")
	}
	r.cancelOTP(v.ID)
	if r.hasText(v.MessageID) {
		t.Fatal("the text of a canceled OTP is kept")
	}
	if err := r.st.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := r.sealed(v.MessageID); n != 0 {
		t.Fatalf("after the checkpoint %d copies are on the disk", n)
	}
}

// sealed counts the places on the disk that the sealing key opens to the text
// of a message.
func (r *rig) sealed(id string) (n int) {
	r.t.Helper()
	block, err := aes.NewCipher(r.secrets().Seal)
	if err != nil {
		r.t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		r.t.Fatal(err)
	}
	place := []byte("messages/body/" + id)
	for _, file := range r.files() {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the log comes and goes
		}
		for i, c := range b {
			if c != 1 { // the format
				continue
			}
			// The text of an OTP here is 37 characters long.
			for size := 35; size <= 40; size++ {
				if end := i + 1 + 12 + size + 16; end <= len(b) {
					if _, err := aead.Open(nil, b[i+1:i+13], b[i+13:end], place); err == nil {
						n++
					}
				}
			}
		}
	}
	return n
}

// S32: messages are submitted, never written to a memory of the modem or SIM,
// and what is received leaves it.
func TestS32NoSentSMSOnTheSIM(t *testing.T) {
	r := newRig(t, nil, nil)
	_, c := r.sentCode(app, gateway.NewOTP{To: number(1)}, 0)
	if err := r.net.Phone(number(1)).Send(r.net.Modems()[0].Number(), "the code was "+c); err != nil {
		t.Fatal(err)
	}
	r.inbound(1)
	r.quiet()
	r.until("the SIM is empty", func() bool { return len(r.net.Modems()[0].Stored()) == 0 })
	for _, line := range r.transcript() {
		if strings.HasPrefix(line, "AT+CMGW") || strings.HasPrefix(line, "AT+CMSS") {
			t.Errorf("the modem was told to keep a message: %s", line)
		}
	}
}

var (
	submission = regexp.MustCompile(`^AT\+CMGS=([0-9]+)$`)
	pduLine    = regexp.MustCompile(`^([0-9A-F]+)<Ctrl-Z>$`)
	atLine     = regexp.MustCompile(`^AT[ -~]*$`)
)

// S31: whatever brand, purpose, ref, metadata or text hold, a modem sees
// nothing but well-formed commands: AT+CMGS=<len>, then that many octets in
// hex and Ctrl-Z.
func TestS31NothingReachesTheModemButPDUs(t *testing.T) {
	random := mrand.New(mrand.NewPCG(31, 31))
	brands := []string{
		"\x1a", "\x1b", "\r\nAT+CMGD=1,4\r\n", "\x1aAT+CFUN=0\r", "a\x00b", "\"; AT+CPWROFF", "\xff\xfe", "\u202e\u2066", "{{code}}", "ключ\r", "€[]{}^\\~|\x1b",
	}
	for range 4 {
		b := make([]byte, 1+random.IntN(12))
		for i := range b {
			b[i] = byte(random.IntN(256))
		}
		brands = append(brands, string(b))
	}
	for i, brand := range brands {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			r := newRig(t, func(o *gateway.Options) { o.OTP.Brand = brand }, nil)
			in := gateway.NewOTP{
				To: number(1), Purpose: strings.Map(noControls, brand), Ref: brand, Metadata: []byte(`{"a":"\u001a\r\nAT+CMGD=1,4"}`),
			}
			v, _, err := r.g.CreateOTP(t.Context(), app, in)
			if err == nil {
				r.texts(number(1), 1)
				r.await(v.MessageID, store.Delivered)
			} else if code(err) != gateway.InvalidRequest && code(err) != gateway.Internal {
				t.Fatal(err)
			}
			m, _, err := r.g.CreateMessage(t.Context(), app, gateway.NewMessage{To: number(2), Text: "x" + brand, Ref: brand})
			if err == nil {
				r.await(m.ID, store.Delivered)
			}
			r.quiet()
			wellFormed(t, r.net.Modems()[0])
		})
	}
}

func noControls(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// wellFormed checks every line that went to a modem.
func wellFormed(t *testing.T, m *sim.Modem) {
	t.Helper()
	want, sent := -1, 0
	for _, line := range m.Transcript() {
		line, host := strings.CutPrefix(line, "> ")
		if !host {
			continue
		}
		if want >= 0 {
			body := pduLine.FindStringSubmatch(line)
			if body == nil {
				t.Fatalf("after AT+CMGS came %q", line)
			}
			b, err := hex.DecodeString(body[1])
			if err != nil || len(b) != want+1+int(b[0]) {
				t.Fatalf("AT+CMGS=%d was followed by %d octets: %v", want, len(b), err)
			}
			want = -1
			sent++
			continue
		}
		if !atLine.MatchString(line) || strings.Contains(line, "CMGD=1,4") || strings.Contains(line, "CFUN=0") || strings.Contains(line, "CPWROFF") || line == "AT+CMGF=1" {
			t.Fatalf("the modem was told %q", line)
		}
		if s := submission.FindStringSubmatch(line); s != nil {
			want, _ = strconv.Atoi(s[1])
		} else if strings.HasPrefix(line, "AT+CMGS") {
			t.Fatalf("malformed: %q", line)
		}
	}
	if sent == 0 {
		t.Fatal("nothing was sent: the test sees nothing")
	}
}
