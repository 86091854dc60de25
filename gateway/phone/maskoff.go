//go:build !crashpoints

package phone

// unmasked is whether numbers are shown whole. Only a
// binary built for the tests can be told so, to show that they find then what
// they look for.
const unmasked = false
