//go:build !crashpoints

package driver

// unmasked is whether the dialogue is kept as it went over the wire. Only a
// binary built for the tests can be told so, to show that they find then what
// they look for.
const unmasked = false
