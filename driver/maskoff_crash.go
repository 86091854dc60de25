//go:build crashpoints

package driver

import "os"

// unmasked is MODEMGATE_UNMASKED.
var unmasked = os.Getenv("MODEMGATE_UNMASKED") != ""
