// Package protocols holds what is weft's own: one package per protocol, each a
// pure state machine as described in protocols/core.
//
// The package itself is empty but for the test that keeps the house in order:
// which package may import which, and that no protocol reads a clock, starts a
// goroutine, touches the world or draws from a global random source.
package protocols
