package infect

import (
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

// Check hands over an item that is new here. The loop makes sure that its hash is
// ID and that it is valid, which may take a while and other items, and then calls
// Machine.Gossip or Machine.Reject. Until then the item is not passed on.
type Check struct {
	ID   ID
	From core.PeerID
	Item []byte
}

// Provide asks the loop to send an item that is too large to be kept here, as
// TypeItem, to a peer that has been offered it.
type Provide struct {
	Peer core.PeerID
	ID   ID
}

// Lost says that an item could not be had from anybody who announced it.
type Lost struct{ ID ID }

// Penalize says that a peer did what an honest one does not.
type Penalize struct {
	Peer   core.PeerID
	Fault  Fault
	Detail string // for people
}

func (Send) action()     {}
func (Check) action()    {}
func (Provide) action()  {}
func (Lost) action()     {}
func (Penalize) action() {}

// Fault is a way of breaking the rules.
type Fault uint8

// The faults. Reputation decides what each costs.
const (
	FaultMalformed   Fault = iota + 1 // a message that does not parse
	FaultUnsolicited                  // an answer, a request or an item that was not asked for
	FaultWithheld                     // announced an item and did not give it in time: graded, it may have been a short absence
	FaultRejected                     // offered an item that we had found to be invalid
)

func (f Fault) String() string {
	return [...]string{"none", "malformed gossip message", "unsolicited gossip message", "announced item withheld", "rejected item offered"}[f]
}

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Offers                          uint64 // sent
	Infected, Already, Refused      uint64 // answers to them
	TimedOut                        uint64 // offers without an answer
	Spread                          uint64 // items accepted here and passed on
	ByInfection, BySaturation       uint64 // why spreading ended
	ByAttempts, ByPeers             uint64
	Received, Repeated, NoRoom      uint64 // offers received: new, known, refused
	Lost, Rejected, Expired, Faults uint64

	Entries, Pending, Finished, Peers int
}
