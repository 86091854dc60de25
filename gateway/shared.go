package gateway

import (
	"context"
	"errors"

	"github.com/modemgate/modemgate/gateway/store"
)

// settingShared is followed by the name of a line; its value is the port of the
// line, once that was seen to be the name of two modems.
const settingShared = "shared_port/"

// LastModem is the IMEI that a line had last, also before the start, if its port
// is one that two modems share: shared says that it is, and is remembered. It is
// "" for any other port, and for a line that had no modem yet.
func (g *Gateway) LastModem(ctx context.Context, line, port string, shared bool) (imei string, err error) {
	known := ""
	err = g.st.View(ctx, func(tx store.Tx) error {
		if known, err = tx.Setting(settingShared + line); err != nil {
			return err
		}
		l, err := tx.Line(line)
		if err == nil {
			imei = l.IMEI
		}
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	switch {
	case err != nil:
		return "", err
	case known == port:
		return imei, nil
	case !shared:
		return "", nil
	}
	return imei, g.update(ctx, "shared-port", func(tx store.Tx) error { return tx.PutSetting(settingShared+line, port) })
}
