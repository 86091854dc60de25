package sim

// HangUntilPoked gives the modem a second port for commands, and hangs it on the
// first until something comes on that: so a SIM7600 may (botletics issue 298).
// Neither a restart nor [Modem.ClearFaults] ends it. It returns the path of the
// second port, which answers OK to whatever it is told.
func (m *Modem) HangUntilPoked() (path string, err error) {
	p, err := m.net.openPort()
	if err != nil {
		return "", err
	}
	m.call(func() {
		if m.second != nil {
			m.second.close()
		}
		m.second, m.unpoked, m.hung = p, true, true
	})
	m.net.readers.Add(1)
	go func() {
		defer m.net.readers.Done()
		buf := make([]byte, 64)
		for {
			n, err := p.master.Read(buf)
			if n > 0 {
				m.call(func() {
					if m.unpoked {
						m.log.add("-- poked")
					}
					m.unpoked, m.hung = false, false
				})
				p.write([]byte("\r\nOK\r\n"))
			}
			if err != nil {
				return
			}
		}
	}()
	return p.path, nil
}
