package peerlist

import "github.com/weftnet/weft/protocols/core"

// Action is something that an Exchange wants done, in the order of appending.
type Action interface{ action() }

// Send sends a message of this protocol to a member.
type Send struct {
	Peer    core.PeerID
	Type    byte
	Payload []byte
}

// Verify asks for the check of claims: signature, network, owner, times. It is
// answered by Exchange.Verified, which wants it back, also when every claim is bad.
type Verify struct {
	From   core.PeerID
	Claims []Entry // as parsed, all of them news, at most MaxAnswer

	asked bool // it answers a question, rather than a handshake
	full  bool // it held as many claims as one may: there are more
}

// Learned says that a verified claim was news: its owner may be dialled.
type Learned struct {
	Claim Entry
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
	FaultBadQuery    Fault = iota + 1 // a GetPeerList that ParseGetPeerList refuses
	FaultTooOften                     // asks beyond its lookup budget
	FaultUnsolicited                  // a PeerList that nobody asked for
	FaultBadAnswer                    // a PeerList, or a claim in it, that does not parse
	FaultOversized                    // a PeerList with more claims, or larger ones, than allowed
	FaultBadClaim                     // a claim whose check failed
)

func (f Fault) String() string {
	names := [...]string{"none", "bad query", "asks too often", "unsolicited peer list", "bad peer list", "oversized peer list", "bad claim"}
	return names[f]
}

// Stats are counters and gauges of a Book and its Exchange.
type Stats struct {
	Entries, Tellable, Connected int // gauges
	FilterKeys, FilterBytes      int
	FalsePositives               float64 // of the filter, measured

	Rebuilds uint64 // of the filter
	Deferred uint64 // claims that wait for a rebuild to enter the filter
	Evicted  uint64 // claims that made room
	Refused  uint64 // claims for which there was no room
	Expired  uint64

	Asked, Answered, TimedOut uint64 // questions: ours, others', ours without an answer
	Learned, Stale            uint64 // claims in answers: news, and not
	Lookups                   uint64 // made to answer
	Faults                    uint64
}
