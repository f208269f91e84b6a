package uptime

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// Action is something that a Machine wants done, in the order of appending.
type Action interface{ action() }

// Send sends a message of this protocol.
type Send struct {
	Peer    core.PeerID
	Type    frame.Type
	Payload []byte
}

// Silent says that a peer shows no life: it is to be disconnected.
type Silent struct {
	Peer core.PeerID
	For  time.Duration // since anything came from it
}

// Penalize says that a peer did what no honest node does.
type Penalize struct {
	Peer   core.PeerID
	Fault  Fault
	Detail string // for people
}

func (Send) action()     {}
func (Silent) action()   {}
func (Penalize) action() {}

// Fault is a way of breaking the rules.
type Fault uint8

// The faults. Reputation decides what each costs.
const (
	FaultMalformed   Fault = iota + 1 // a message that does not parse
	FaultUnsolicited                  // a pong to no ping of ours
	FaultTooOften                     // pings beyond the budget
)

func (f Fault) String() string {
	return [...]string{"none", "malformed uptime message", "unsolicited pong", "too many pings"}[f]
}

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Pings, Missed uint64 // ours
	Silent        uint64 // peers given up
	Pauses        uint64 // of our own
	Faults        uint64

	Members, Remembered int
}
