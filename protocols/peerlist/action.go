package peerlist

import (
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// Action is something that an Exchange wants done, in the order of appending.
type Action interface{ action() }

// Send sends a message of this protocol to a member.
type Send struct {
	Peer    core.PeerID
	Type    frame.Type
	Payload []byte
}

// Verify asks for claim.Verify on each envelope. It is answered by
// Exchange.Verified, which wants it back, also when every claim is bad.
type Verify struct {
	From      core.PeerID
	Envelopes [][]byte // all of them news as far as the book knows, at most MaxAnswer

	asked bool // it answers a question, rather than a handshake
	full  bool // it held as many claims as one may: there are more
}

// Learned says that a claim told by somebody else was news: its owner may be
// dialled.
type Learned struct {
	Claim claim.Signed
	From  core.PeerID
}

// Penalize says that a peer broke the rules.
type Penalize struct {
	Peer   core.PeerID
	Fault  Fault
	Detail string // for people
}

func (Send) action()     {}
func (Verify) action()   {}
func (Learned) action()  {}
func (Penalize) action() {}

// Fault is a way of breaking the rules.
type Fault uint8

// The faults. Reputation decides what each costs.
const (
	FaultBadQuery     Fault = iota + 1 // a GetPeerList that ParseGetPeerList refuses
	FaultTooOften                      // asks beyond its lookup budget
	FaultUnsolicited                   // a PeerList that nobody asked for
	FaultBadAnswer                     // a PeerList that does not parse
	FaultOversized                     // a PeerList with more claims, or larger ones, than allowed
	FaultBadClaim                      // it told a claim that an honest node would have refused
	FaultEquivocation                  // it signed two claims with one timestamp
)

func (f Fault) String() string {
	names := [...]string{"none", "bad query", "asks too often", "unsolicited peer list", "bad peer list", "oversized peer list", "bad claim", "equivocation"}
	return names[f]
}

// Stats are gauges and counters of a Tracker and its Exchange; those of the book
// are its own.
type Stats struct {
	Tellable, Connected     int
	FilterKeys, FilterBytes int
	FalsePositives          float64 // of the filter, measured

	Rebuilds uint64 // of the filter
	Deferred uint64 // claims that wait for a rebuild to enter the filter

	Asked, Answered, TimedOut uint64 // questions: ours, others', ours without an answer
	Learned, Stale            uint64 // claims in answers: news, and not
	Lookups                   uint64 // made to answer
	Faults                    uint64
}
