// Package systemd holds what a Linux machine needs around the program: the
// unit, the user, and the udev rules.
package systemd

import _ "embed"

// UdevRules keep other programs away from known USB modems; they belong into
// /etc/udev/rules.d/60-modemgate.rules.
//
//go:embed 60-modemgate.rules
var UdevRules string
