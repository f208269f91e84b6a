package core

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/frame"
)

// PeerID names a peer: the hash or inlined form of its public key.
type PeerID = peer.ID

// Event is something that happened to the node. The loop hands each event to
// every machine, in the order in which events arrived.
type Event interface{ event() }

// Connected says that the first connection to a peer is up and authenticated.
type Connected struct {
	Peer    PeerID
	Addr    multiaddr.Multiaddr // the remote address of that connection
	Inbound bool                // the peer dialled us
	Guest   bool                // all places are taken: it stays only for a peer list
}

// Linked says in which directions there are connections to a peer, whenever that
// changes. It follows Connected; the end of all of them is Disconnected.
type Linked struct {
	Peer              PeerID
	Inbound, Outbound bool
}

// Plain says that a connected peer has told which protocols it speaks, and that
// weft's handshake is not among them.
type Plain struct{ Peer PeerID }

// Received is a message that came on a stream of a weft protocol. Its frame was
// in order: the sender is the authenticated key of the connection.
type Received struct {
	Peer     PeerID
	Protocol string // libp2p protocol ID
	Type     frame.Type
	Payload  []byte // the receiver's own
}

// Misbehaved says that a peer broke a rule that an adapter watches over.
type Misbehaved struct {
	Peer    PeerID
	Offence Offence
	Detail  string // for people
}

// Deliveries says what peers brought by gossip since the last time.
type Deliveries struct{ Of []Delivery }

// Delivery is what one peer brought. How long a message was under way nobody can tell;
// a copy is late by the time since the first one.
type Delivery struct {
	Peer  PeerID
	First uint32        // messages that it brought before anybody else, and that were good
	Late  uint32        // copies of what was here already
	Delay time.Duration // of those, in all
}

// Earned says that a peer sent an object that turned out to be valid and was new.
type Earned struct{ Peer PeerID }

// Verified answers a Verify effect.
type Verified struct {
	Peer   PeerID
	Answer any // what Verify.Check returned
}

// Disconnected says that the last connection to a peer is gone.
type Disconnected struct{ Peer PeerID }

// DialFailed answers a Dial effect that brought no connection. A dial that
// succeeds is answered by Connected.
type DialFailed struct {
	Peer   PeerID
	Reason string // for people; never parsed
}

// Discovered says that somebody named a peer and where it may be reached. It is
// hearsay: nothing is proven until a connection to the peer is authenticated.
type Discovered struct {
	Peer  PeerID
	Addrs []multiaddr.Multiaddr
	From  Source
	By    PeerID // who told of it; empty: nobody in particular, or the peer itself

	// Unaware says that the peer has had no occasion to learn of us, so that there
	// is no dial of its own to wait for.
	Unaware bool
}

// Joined says that a peer is a member: its handshake is complete, and from now on
// its messages arrive, until it is Disconnected.
type Joined struct{ Peer PeerID }

// Arrived is a message of a member, of a protocol that is not among those which
// make a member of it.
type Arrived Received

// Command carries a request of the node's owner (the library's user, the API) to
// the one machine that knows its type, or the answer to Perform.
type Command struct{ Body any }

func (Connected) event()    {}
func (Linked) event()       {}
func (Plain) event()        {}
func (Received) event()     {}
func (Misbehaved) event()   {}
func (Deliveries) event()   {}
func (Earned) event()       {}
func (Verified) event()     {}
func (Disconnected) event() {}
func (DialFailed) event()   {}
func (Discovered) event()   {}
func (Joined) event()       {}
func (Arrived) event()      {}
func (Command) event()      {}

// Source says where an address came from.
type Source uint8

// The sources of an address, the most trusted first.
const (
	SourceConfig Source = iota // the operator named it
	SourceSaved                // we were connected to it before
	SourceClaim                // it signed a claim
	SourceMDNS                 // it announced itself on the local network
	SourceDHT                  // the Kademlia table holds it
)

func (s Source) String() string {
	return [...]string{"config", "saved", "claim", "mdns", "dht"}[s]
}
