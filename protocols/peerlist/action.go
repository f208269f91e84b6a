package peerlist

import (
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

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
	Claim    claim.Signed
	From     core.PeerID
	Greeting bool // it came with the acceptance of our handshake: the owner need not know of us
}

func (Verify) Action()  {}
func (Learned) Action() {}

// The offences. Reputation decides what each costs.
const (
	OffenceBadQuery     core.Offence = "peerlist.bad-query"    // a GetPeerList that ParseGetPeerList refuses
	OffenceTooOften     core.Offence = "peerlist.too-often"    // asks beyond its lookup budget
	OffenceUnsolicited  core.Offence = "peerlist.unsolicited"  // a PeerList that nobody asked for
	OffenceBadAnswer    core.Offence = "peerlist.bad-answer"   // a PeerList that does not parse
	OffenceOversized    core.Offence = "peerlist.oversized"    // a PeerList with more claims, or larger ones, than allowed
	OffenceBadClaim     core.Offence = "peerlist.bad-claim"    // it told a claim that an honest node would have refused
	OffenceEquivocation core.Offence = "peerlist.equivocation" // it signed two claims with one timestamp
)

// Stats are gauges and counters of a Tracker and its Exchange; those of the book
// are its own.
type Stats struct {
	Tellable, Connected     int
	FilterKeys, FilterBytes int
	FalsePositives          float64 // of the filter, measured

	Rebuilds uint64 // of the filter
	Deferred uint64 // claims that wait for a rebuild to enter the filter

	Asked, Answered, TimedOut uint64 // questions: ours, others', ours without an answer
	Late                      uint64 // answers to questions that had been given up, dropped
	Learned, Stale            uint64 // claims in answers: news, and not
	Lookups                   uint64 // made to answer
	Faults                    uint64
}

func send(peer core.PeerID, kind frame.Type, payload []byte) core.Send {
	return core.Send{Peer: peer, Protocol: Protocol, Type: kind, Payload: payload}
}
