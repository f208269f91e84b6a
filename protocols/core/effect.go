package core

import (
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/frame"
)

// Effect is something that a machine wants done. The loop carries effects out in
// the order in which they were appended.
type Effect interface{ effect() }

// Dial asks for a connection to a peer. It is answered by Connected or DialFailed.
// One to a peer that is being dialled adds addresses: both have one answer.
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

// Block refuses connections with a peer, in both directions, until a time. The
// zero time lifts it. Connections that are up are not closed: see Disconnect.
type Block struct {
	Peer   PeerID
	Until  time.Time
	Reason string // for people: dials that it refuses fail with it
	ByHand bool   // gives way to no other block
}

// BlockGroup refuses, as Block does, connections with all of an IP group.
// Bootstrappers and validators are spared, unless it is by hand.
type BlockGroup struct {
	Group  Group
	Until  time.Time
	Reason string
	ByHand bool
}

// Send sends a message on our own stream of a protocol. It is dropped and counted
// when the peer's queue is full or the peer is gone.
type Send struct {
	Peer     PeerID
	Protocol string // libp2p protocol ID
	Type     frame.Type
	Payload  []byte
	Vital    bool // has a slot of its own in the queue: handshake, ping, pong
}

// Verify asks for a computation that is too long for the loop, such as checking
// signatures. Check depends on nothing but what it was made from and runs on
// another goroutine; Verified carries its answer.
type Verify struct {
	Peer  PeerID // on whose behalf
	Check func() any
}

// Penalize says that a peer broke a rule.
type Penalize struct {
	Peer    PeerID
	Offence Offence
	Detail  string // for people
}

// Rate says what gossip is to think of a connected peer: zero of one that has nothing
// against it, below zero of one that is kept out of the mesh. It holds until the next
// one, or until the peer is gone.
type Rate struct {
	Peer  PeerID
	Score float64
}

// Notify tells the node's watchers that something happened.
type Notify struct{ Notice Notice }

// Persist asks the store to keep a record over restarts. An older record of the
// same type and key is replaced.
type Persist struct{ Record Record }

// Relay hands an event to every machine, before any other event: so a machine
// tells the others what it alone can know.
type Relay struct{ Event Event }

// Perform asks an adapter for something of the machine's own kind. Where there is
// an answer it comes as a Command.
type Perform struct{ Task any }

func (Dial) effect()       {}
func (Admit) effect()      {}
func (Disconnect) effect() {}
func (Block) effect()      {}
func (BlockGroup) effect() {}
func (Send) effect()       {}
func (Verify) effect()     {}
func (Penalize) effect()   {}
func (Rate) effect()       {}
func (Notify) effect()     {}
func (Persist) effect()    {}
func (Relay) effect()      {}
func (Perform) effect()    {}

// Action is what a protocol asks of the machine that composes it: Send, Penalize,
// or a struct of the protocol's own.
type Action interface{ Action() }

// Action marks Send as something that protocols ask for.
func (Send) Action() {}

// Action marks Penalize as something that protocols ask for.
func (Penalize) Action() {}
