package handshake

import (
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

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
	Claim  []byte // when we refused: what it claims, unchecked; nil: it had not introduced itself
}

// Disconnect closes every connection to a peer.
type Disconnect struct {
	Peer   core.PeerID
	Reason Reason
}

func (Greet) Action()      {}
func (Check) Action()      {}
func (Reply) Action()      {}
func (Greeted) Action()    {}
func (Complete) Action()   {}
func (Plain) Action()      {}
func (Failed) Action()     {}
func (Disconnect) Action() {}

// The offences. Reputation decides what each costs.
const (
	OffenceMalformed   core.Offence = "handshake.malformed"    // a message that does not parse
	OffenceOrder       core.Offence = "handshake.order"        // a message that has no place where it came
	OffenceRefused     core.Offence = "handshake.refused"      // refused for a reason that is an offence
	OffenceUnknownType core.Offence = "handshake.unknown-type" // a message type that this protocol does not have
)

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Completed, Plain    uint64
	RefusedByUs         [numReasons]uint64
	RefusedByThem       [numReasons]uint64 // unknown reasons count as Unspecified
	Malformed, TooEarly uint64             // messages skipped

	Links, Undecided int
}

func send(peer core.PeerID, kind frame.Type, payload []byte) core.Send {
	return core.Send{Peer: peer, Protocol: Protocol, Type: kind, Payload: payload, Vital: true}
}
