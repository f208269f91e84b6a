package core

import (
	"time"

	"github.com/multiformats/go-multiaddr"
)

// Machine is a protocol as a pure state machine. All three methods are called
// from one goroutine; none blocks.
type Machine interface {
	// Handle takes in one event and appends the effects that follow from it.
	// An event that means nothing to the machine is ignored.
	Handle(now time.Time, ev Event, out *[]Effect)

	// Tick does what is due at now. It is called when Deadline has passed, and
	// may be called at any other time without harm.
	Tick(now time.Time, out *[]Effect)

	// Deadline is the earliest time at which Tick has something to do; the zero
	// time means never.
	Deadline() time.Time
}

// Notice is what Notify tells the node's watchers.
type Notice struct {
	Kind string // stable, dotted: "bootstrap.unreachable"
	Peer PeerID // empty when no peer is concerned
	Text string // one sentence for people
}

// Record is what Persist keeps. The types below are all there are.
type Record interface{ record() }

// SavedPeer is a peer that was connected once, and where.
type SavedPeer struct {
	Peer     PeerID
	Addrs    []multiaddr.Multiaddr
	LastSeen time.Time // wall clock, kept in milliseconds
}

// SavedClaim is the newest signed claim of another node.
type SavedClaim struct {
	Peer     PeerID
	Envelope []byte // as it was received
	Expiry   time.Time
}

// OwnTimestamp is the highest timestamp that this node ever signed into a claim.
// There is one.
type OwnTimestamp struct{ Highest time.Time }

// SavedBan keeps a peer or, without one, all of an IP group out over restarts. The zero
// Until lifts it.
type SavedBan struct {
	Peer   PeerID
	Group  Group // of a peer's ban: where it was, if that counts
	Until  time.Time
	Reason string
	Times  int  // bans so far: the next one is longer
	ByHand bool // rather than for offences
}

func (SavedPeer) record()    {}
func (SavedClaim) record()   {}
func (OwnTimestamp) record() {}
func (SavedBan) record()     {}

// Earliest returns the earlier of two deadlines, where the zero time is never.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
