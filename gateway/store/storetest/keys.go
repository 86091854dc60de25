package storetest

import (
	"testing"

	"github.com/modemgate/modemgate/gateway/store"
)

var keyTests = map[string]func(t *testing.T, open Open){
	"keys are put, read and listed": func(t *testing.T, open Open) {
		s := open(t)
		k := &store.Key{Name: "shop", Hash: []byte{1, 2}, Scopes: []string{"otp", "inbound:front"}, To: []string{"+44", "+1"},
			PerMinute: 5, PerDay: 6, InboundFrom: 7, StatusFrom: at(1), Generation: 2, CreatedAt: at(2), ExpiresAt: at(3),
			RevokedAt: at(4), RevivedAt: at(5)}
		bank := &store.Key{Name: "bank", Hash: []byte{3}, CreatedAt: at(1)}
		update(t, s, func(tx store.Tx) error {
			if err := tx.PutKey(k); err != nil {
				return err
			}
			return tx.PutKey(bank)
		})
		equal(t, "by name", view(t, s, func(tx store.Tx) (*store.Key, error) { return tx.Key("shop") }), k)
		equal(t, "by hash", view(t, s, func(tx store.Tx) (*store.Key, error) { return tx.KeyByHash([]byte{3}) }), bank)
		equal(t, "list", view(t, s, func(tx store.Tx) ([]*store.Key, error) { return tx.ListKeys() }), []*store.Key{bank, k})
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { _, err := tx.Key("x"); return err })
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { _, err := tx.KeyByHash([]byte{9}); return err })
		k = &store.Key{Name: "shop", Hash: []byte{8}, Generation: 3, CreatedAt: at(9)}
		update(t, s, func(tx store.Tx) error { return tx.PutKey(k) })
		equal(t, "replaced", view(t, s, func(tx store.Tx) (*store.Key, error) { return tx.Key("shop") }), k)
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { _, err := tx.KeyByHash([]byte{1, 2}); return err })
		fails(t, s, store.ErrConflict, func(tx store.Tx) error { return tx.PutKey(&store.Key{Name: "new", Hash: []byte{3}}) })
	},
}

var lineTests = map[string]func(t *testing.T, open Open){
	"lines, SIMs and settings are kept": func(t *testing.T, open Open) {
		s := open(t)
		front := &store.Line{Name: "front", IMEI: "1", ICCID: "2", Number: "3", Paused: true, Simulated: true, SeenAt: at(1)}
		back := &store.Line{Name: "back"}
		sims := []store.SIM{{ICCID: "1", IMSI: "2", Simulated: true, SeenAt: at(1)}, {ICCID: "2"}}
		fails(t, s, store.ErrNotFound, func(tx store.Tx) error { _, err := tx.Line("front"); return err })
		for range 2 {
			update(t, s, func(tx store.Tx) error {
				for _, l := range []*store.Line{front, back} {
					if err := tx.PutLine(l); err != nil {
						return err
					}
				}
				for _, sim := range sims {
					if err := tx.PutSIM(sim); err != nil {
						return err
					}
				}
				return tx.PutSetting("a", front.IMEI)
			})
			equal(t, "line", view(t, s, func(tx store.Tx) (*store.Line, error) { return tx.Line("front") }), front)
			equal(t, "lines", view(t, s, func(tx store.Tx) ([]*store.Line, error) { return tx.ListLines() }), []*store.Line{back, front})
			equal(t, "sims", view(t, s, func(tx store.Tx) ([]store.SIM, error) { return tx.ListSIMs() }), sims)
			equal(t, "setting", view(t, s, func(tx store.Tx) (string, error) { return tx.Setting("a") }), front.IMEI)
			front.Paused, front.IMEI, sims[1].IMSI = false, "9", "7"
		}
		equal(t, "unset", view(t, s, func(tx store.Tx) (string, error) { return tx.Setting("b") }), "")
	},
}
