package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/modemgate/modemgate/gateway/store"
)

// settingAdopted names the setting that holds the adopted SIMs.
const settingAdopted = "adopted"

// adopted is a SIM that was found in a modem nobody had listed. It keeps its
// name for ever: the queue, keys and subscribers go by it.
type adopted struct {
	Name  string `json:"name"`
	ICCID string `json:"iccid"`
}

func readAdopted(tx store.Tx) ([]adopted, error) {
	s, err := tx.Setting(settingAdopted)
	if err != nil || s == "" {
		return nil, err
	}
	var all []adopted
	if err := json.Unmarshal([]byte(s), &all); err != nil {
		return nil, fmt.Errorf("setting %s: %w", settingAdopted, err)
	}
	return all, nil
}

// loadAdopted gives every SIM that was ever adopted its line, plugged in or
// not. One whose name is configured now is the configured line.
func (g *Gateway) loadAdopted(ctx context.Context) error {
	if g.o.Adopt == nil {
		return nil
	}
	var all []adopted
	err := g.st.View(ctx, func(tx store.Tx) (err error) {
		all, err = readAdopted(tx)
		return err
	})
	for _, a := range all {
		if l := g.lineNamed(a.Name); l != nil {
			l.log.Info("the line was an adopted one and is configured now")
			continue
		}
		g.fleet.join(newLine(g, g.o.Adopt(a.Name, a.ICCID)))
	}
	return err
}

// Adopt makes a line of a SIM, or gives the name of the line that it has
// already: m- and the last six digits of the ICCID, more of them if that name
// is taken. The line works at once.
func (g *Gateway) Adopt(ctx context.Context, iccid string) (name string, err error) {
	if g.o.Adopt == nil {
		return "", errors.New("adopt: modems.auto is off")
	}
	if len(iccid) < 6 || strings.Trim(iccid, "0123456789") != "" {
		return "", errors.New("adopt: no ICCID")
	}
	g.adopting.Lock()
	defer g.adopting.Unlock()
	var all []adopted
	if err := g.st.View(ctx, func(tx store.Tx) (err error) {
		all, err = readAdopted(tx)
		return err
	}); err != nil {
		return "", err
	}
	if i := slices.IndexFunc(all, func(a adopted) bool { return sameSIM(a.ICCID, iccid) }); i >= 0 {
		return all[i].Name, nil
	}
	if name, err = g.freeName(all, iccid); err != nil {
		return "", err
	}
	b, err := json.Marshal(append(all, adopted{name, iccid}))
	if err != nil {
		return "", err
	}
	if err := g.update(ctx, "adopt", func(tx store.Tx) error { return tx.PutSetting(settingAdopted, string(b)) }); err != nil {
		return "", err
	}
	l := newLine(g, g.o.Adopt(name, iccid))
	l.log.Info("a USB modem that is not listed was adopted as a line")
	g.fleet.join(l)
	return name, nil
}

// sameSIM compares two ICCIDs, of which either may lack its check digit, since
// modems differ in that (ITU-T E.118).
func sameSIM(a, b string) bool {
	n := min(len(a), len(b))
	return max(len(a), len(b))-n <= 1 && a[:n] == b[:n]
}

func (g *Gateway) freeName(all []adopted, iccid string) (string, error) {
	taken := map[string]bool{}
	for _, a := range all {
		taken[a.Name] = true
	}
	for n := 6; n <= len(iccid); n++ {
		name := "m-" + iccid[len(iccid)-n:]
		if !taken[name] && g.lineNamed(name) == nil {
			return name, nil
		}
	}
	return "", errors.New("adopt: every name for this SIM is taken")
}
