package handshake

import (
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// Action is something that a Machine wants done, in the order of appending.
type Action interface{ action() }

// Greet asks the loop to complete our handshake with claim, query and proof, and
// to send it as TypeHandshake.
type Greet struct {
	Peer      core.PeerID
	Handshake Handshake // network, genesis, version and time are set
}

// Check asks for the check of claim, query and proof. It is answered by
// Machine.Checked with the same Ticket.
type Check struct {
	Peer      core.PeerID
	Ticket    uint64
	Handshake Handshake
}

// Reply says that we accept a peer: the loop draws the peer list that answers
// Query and hands it to Machine.Replied, which sends it.
type Reply struct {
	Peer  core.PeerID
	Query []byte
}

// Send sends a message of this protocol.
type Send struct {
	Peer    core.PeerID
	Type    frame.Type
	Payload []byte
}

// Greeted hands on the peer list that came with a peer's answer. It may come
// although the peer refused us.
type Greeted struct {
	Peer core.PeerID
	List []byte
}

// Complete says that both sides accepted: the peer is a member.
type Complete struct {
	Peer    core.PeerID
	Version Version
	Claim   claim.Signed
	Proven  []byte // the consensus key that it proved; empty: none
}

// Plain says that a peer spoke no weft protocol in time, and stays as a plain
// libp2p peer.
type Plain struct{ Peer core.PeerID }

// Failed says why there is no membership, or no longer. It is shown on both sides.
type Failed struct {
	Peer   core.PeerID
	Reason Reason
	Text   string // for people; may be a stranger's words
	ByUs   bool   // we refused; otherwise the peer did
}

// Disconnect closes every connection to a peer.
type Disconnect struct {
	Peer   core.PeerID
	Reason Reason
}

// Penalize says that a peer did what no honest node does.
type Penalize struct {
	Peer   core.PeerID
	Fault  Fault
	Detail string // for people
}

func (Greet) action()      {}
func (Check) action()      {}
func (Reply) action()      {}
func (Send) action()       {}
func (Greeted) action()    {}
func (Complete) action()   {}
func (Plain) action()      {}
func (Failed) action()     {}
func (Disconnect) action() {}
func (Penalize) action()   {}

// Fault is a way of breaking the rules.
type Fault uint8

// The faults. Reputation decides what each costs.
const (
	FaultMalformed   Fault = iota + 1 // a message that does not parse
	FaultOrder                        // a message that has no place where it came
	FaultRefused                      // refused for a reason that is an offence
	FaultUnknownType                  // a message type that this protocol does not have
)

func (f Fault) String() string {
	names := [...]string{"none", "malformed handshake message", "message out of order", "refused for an offence", "unknown handshake message"}
	return names[f]
}

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Completed, Plain    uint64
	RefusedByUs         [numReasons]uint64
	RefusedByThem       [numReasons]uint64 // unknown reasons count as Unspecified
	Malformed, TooEarly uint64             // messages skipped

	Links, Undecided int
}
