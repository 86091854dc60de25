//go:build crashpoints

package phone

import "os"

// unmasked is MODEMGATE_UNMASKED.
var unmasked = os.Getenv("MODEMGATE_UNMASKED") != ""
