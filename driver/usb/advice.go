package usb

import "fmt"

// Advise says what is known of the port of a line that has no modem on it: that
// the port is not the one for AT commands, or what is plugged in instead. ""
// means that nothing is known.
func (f *Finder) Advise(line string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	to, ok := f.leads[line]
	if !ok {
		return ""
	}
	for _, k := range f.devices {
		for i, p := range k.Ports {
			if k.nodes[i] == to {
				return k.adviseOn(p)
			}
		}
	}
	for _, k := range f.devices {
		if k.owner != "" || f.reservedBy(k) != "" {
			continue
		}
		if port, err := k.choose(); err == nil {
			return fmt.Sprintf("%s takes AT commands on %s", k.Device, port)
		}
	}
	return ""
}

// adviseOn speaks of a port that a line is configured for.
func (k *known) adviseOn(p Port) string {
	if k.Mode != Modem {
		return ""
	}
	best, known := k.Candidates()
	if !known || p.Role == AT {
		return ""
	}
	if p.Role == Unknown {
		return fmt.Sprintf("%s takes AT commands on %s", k.Device, best[0].Node)
	}
	return fmt.Sprintf("this is the %s port of %s, which takes AT commands on %s", p.Role, k.Device, best[0].Node)
}
