package gateway

// ParseAmount is for tests.
var ParseAmount = parseAmount
