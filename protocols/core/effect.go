package core

import "github.com/multiformats/go-multiaddr"

// Effect is something that a machine wants done. The loop carries effects out in
// the order in which they were appended.
type Effect interface{ effect() }

// Dial asks for a connection to a peer. It is answered by Connected or DialFailed.
type Dial struct {
	Peer  PeerID
	Addrs []multiaddr.Multiaddr // tried together; empty means those already known
}

// Admit lets pubsub and the DHT see a connected peer.
type Admit struct{ Peer PeerID }

// Disconnect closes every connection to a peer.
type Disconnect struct {
	Peer   PeerID
	Reason string // for people: logged and shown in events
}

// Notify tells the node's watchers that something happened.
type Notify struct{ Notice Notice }

// Persist asks the store to keep a record over restarts. An older record of the
// same type and key is replaced.
type Persist struct{ Record Record }

func (Dial) effect()       {}
func (Admit) effect()      {}
func (Disconnect) effect() {}
func (Notify) effect()     {}
func (Persist) effect()    {}
