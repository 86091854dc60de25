package gateway

import (
	"encoding/json"
	"fmt"

	"github.com/modemgate/modemgate/gateway/store"
)

// readSetting reads a setting that is kept as JSON. What was never written
// leaves v as it is.
func readSetting(tx store.Tx, name string, v any) error {
	text, err := tx.Setting(name)
	if err != nil || text == "" {
		return err
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("setting %s: %w", name, err)
	}
	return nil
}

// writeSetting keeps a value as JSON.
func writeSetting(tx store.Tx, name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.PutSetting(name, string(text))
}
