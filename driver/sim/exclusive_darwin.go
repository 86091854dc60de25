package sim

// closes does nothing here: the port of a program that was killed stays
// exclusive, for all but root, until the next plug.
type closes struct{}

func newCloses() *closes        { return nil }
func (c *closes) watch(p *port) {}
func (c *closes) close()        {}
