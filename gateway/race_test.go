//go:build race

package gateway_test

// rounds is how often a race is run: what the detector sees it sees in the
// first few, and it makes each ten times slower.
func rounds(n int) int { return max(10, n/10) }
