package core

import (
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
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
}

// Command carries a request of the node's owner (the library's user, the API) to
// the one machine that knows its type.
type Command struct{ Body any }

func (Connected) event()    {}
func (Disconnected) event() {}
func (DialFailed) event()   {}
func (Discovered) event()   {}
func (Command) event()      {}

// Source says where an address came from.
type Source uint8

// The sources of an address, the most trusted first.
const (
	SourceConfig Source = iota // the operator named it
	SourceSaved                // we were connected to it before
	SourceMDNS                 // it announced itself on the local network
	SourceDHT                  // the Kademlia table holds it
)

func (s Source) String() string {
	return [...]string{"config", "saved", "mdns", "dht"}[s]
}
