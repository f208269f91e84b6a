package simtest

import (
	"fmt"
	"maps"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// Records are what a node keeps over restarts.
type Records struct {
	Peers   map[core.PeerID]core.SavedPeer
	Claims  map[core.PeerID]core.SavedClaim
	Bans    map[core.PeerID]core.SavedBan
	Highest time.Time // core.OwnTimestamp
}

func newRecords() *Records {
	return &Records{
		Peers: map[core.PeerID]core.SavedPeer{}, Claims: map[core.PeerID]core.SavedClaim{}, Bans: map[core.PeerID]core.SavedBan{},
	}
}

func (r *Records) keep(rec core.Record) {
	switch rec := rec.(type) {
	case core.SavedPeer:
		r.Peers[rec.Peer] = rec
	case core.SavedClaim:
		r.Claims[rec.Peer] = rec
	case core.SavedBan:
		r.Bans[rec.Peer] = rec
	case core.OwnTimestamp:
		r.Highest = rec.Highest
	}
}

// NodeConfig is a node: a host with a machine.
type NodeConfig struct {
	Host HostConfig

	// Boot makes the machine, at each start. events are given to it at once.
	Boot func(n *Node) (m core.Machine, events []core.Event)

	Keep        bool          // keeps Records, for Boot
	VerifyDelay time.Duration // that a core.Verify takes
}

// Node is a machine with what the node's loop and the adapters do for it.
type Node struct {
	Host    *Host
	Machine core.Machine // of this life; nil while it is down
	Records *Records     // nil: none are kept

	Offences map[core.Offence]int // that the machine reported
	Notices  map[string]int       // by kind
	Watch    func(core.Effect)    // sees every effect; nil: nobody
	Spy      func(core.Event)     // sees every event before the machine does; nil: nobody

	cfg    NodeConfig
	sim    *Sim
	offset time.Duration // of the clock
	inbox  []core.Event
	busy   bool
	out    []core.Effect
	wakeAt time.Duration // of the next Tick; below zero: never
	ticked time.Duration // when it was last
	ticks  int           // then
}

// NewNode adds a node, which is down until it is started.
func NewNode(net *Network, cfg NodeConfig) *Node {
	n := &Node{cfg: cfg, sim: net.sim, Offences: map[core.Offence]int{}, Notices: map[string]int{}, wakeAt: never}
	n.Host = net.NewHost(cfg.Host, n.Now, n.post)
	if cfg.Keep {
		n.Records = newRecords()
	}
	return n
}

// ID is the node's peer ID.
func (n *Node) ID() core.PeerID { return n.cfg.Host.ID }

// Index is the node's number: the order in which nodes were added.
func (n *Node) Index() int { return n.Host.index }

// Now is the time by the node's clock.
func (n *Node) Now() time.Time { return n.sim.Now().Add(n.offset) }

// Up says whether the node runs.
func (n *Node) Up() bool { return n.Host.up }

// Start starts a node that is down.
func (n *Node) Start() {
	if n.Up() {
		return
	}
	n.Host.up = true
	n.Machine, n.inbox = n.cfg.Boot(n)
	n.drain()
}

// Stop ends a node; its peers see the ends of their connections.
func (n *Node) Stop() {
	for _, t := range n.Host.order {
		for _, c := range t.conns {
			n.Host.tellEnd(c)
		}
	}
	n.Crash()
}

// Crash ends a node without a word.
func (n *Node) Crash() {
	n.Host.up, n.Machine, n.inbox, n.wakeAt = false, nil, nil, never
	n.Host.reset()
}

// SetClock sets how far the node's clock is ahead of virtual time.
func (n *Node) SetClock(offset time.Duration) {
	n.offset = offset
	n.wakeAt = never
	n.arm()
}

// SetOpen says whether the node's port takes connections.
func (n *Node) SetOpen(open bool) { n.Host.closed = !open }

// Move makes a node listen elsewhere. Connections stay.
func (n *Node) Move(addrs ...multiaddr.Multiaddr) {
	maps.DeleteFunc(n.Host.net.byAddr, func(_ string, h *Host) bool { return h == n.Host })
	n.Host.listen(addrs)
}

// SetSide puts a node on one side of a partition: nothing passes between sides.
func (n *Node) SetSide(side int) { n.Host.side = side }

// Command hands a request of the owner to the machine.
func (n *Node) Command(body any) { n.post(core.Command{Body: body}) }

// post hands an event to the machine, after those that came before it.
func (n *Node) post(ev core.Event) {
	if n.Up() {
		n.inbox = append(n.inbox, ev)
		n.drain()
	}
}

// drain lets the machine handle what came, and does what it asks for, which may
// bring further events.
func (n *Node) drain() {
	if n.busy {
		return
	}
	n.busy = true
	for i := 0; i < len(n.inbox) && n.Up(); i++ {
		if n.Spy != nil {
			n.Spy(n.inbox[i])
		}
		n.Machine.Handle(n.Now(), n.inbox[i], &n.out)
		n.perform()
	}
	clear(n.inbox)
	n.inbox = n.inbox[:0]
	n.busy = false
	n.arm()
}

// maxTicks is how often a machine may want to be ticked at one moment. Chosen far
// over what finishes anything.
const maxTicks = 10_000

func (n *Node) tick() {
	if n.ticks++; n.ticked != n.sim.now {
		n.ticked, n.ticks = n.sim.now, 0
	} else if n.ticks > maxTicks {
		panic(fmt.Sprintf("simtest: node %d: its deadline %v does not pass at %v: Tick makes no progress",
			n.Index(), n.Machine.Deadline(), n.Now()))
	}
	n.busy = true
	n.sim.note(uint64(n.Index()), 1<<32)
	n.Machine.Tick(n.Now(), &n.out)
	n.perform()
	n.busy = false
	n.drain()
}

const never time.Duration = -1

// wake is a Tick in the queue.
type wake Node

// arm schedules the next Tick. One that is scheduled later stays in the queue and
// finds out that it was overtaken.
func (n *Node) arm() {
	if !n.Up() {
		return
	}
	d := n.Machine.Deadline()
	if d.IsZero() {
		n.wakeAt = never
		return
	}
	at := max(d.Sub(Start.Add(n.offset)), n.sim.now)
	if n.wakeAt != never && n.wakeAt <= at && n.wakeAt >= n.sim.now {
		return // the earlier one arms anew
	}
	n.wakeAt = at
	n.sim.schedule(at, (*wake)(n))
}

func (w *wake) happen() {
	n := (*Node)(w)
	if n.wakeAt != n.sim.now || !n.Up() {
		return
	}
	n.wakeAt = never
	if d := n.Machine.Deadline(); d.IsZero() || d.After(n.Now()) {
		n.arm()
		return
	}
	n.tick()
}
