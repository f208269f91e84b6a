// Package core is the vocabulary that every weft protocol shares: what can
// happen to a node (Event), what a protocol can ask for (Effect), and the shape
// of a protocol itself (Machine).
//
// A protocol is a pure state machine. It never reads a clock, opens a socket,
// starts a goroutine or draws from a global random source: time comes in as an
// argument, randomness through its constructor, the world through events; what
// it wants done leaves as effects. One goroutine of the node (node/internal/loop)
// owns all machines, so they need no locks, and the same code runs over real
// libp2p hosts, in a virtual-time simulator and in table tests.
//
//	            Event                     Effect
//	adapters ─────────▶ loop ▶ Machine ─────────▶ loop ▶ adapters
//
// Both interfaces are sealed: the structs in this package are all there are, and
// a switch over them can be complete.
package core
