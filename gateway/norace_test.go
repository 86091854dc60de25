//go:build !race

package gateway_test

// rounds is how often a race is run.
func rounds(n int) int { return n }
