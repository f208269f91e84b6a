package discovery

import (
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/uptime"
)

// Bounds of what waits for the end of a handshake. Chosen because an honest peer
// sends a ping and a question before it can know that we did not see its Accept.
const (
	maxHeld      = 8
	maxHeldBytes = 256 << 10
)

// neighbour is a connected peer.
type neighbour struct {
	since             time.Time
	guest             bool
	inbound, outbound bool
	plain, member     bool
	placed            bool // plain, in one of their places
	version           handshake.Version
	symmetricBy       time.Time   // zero: it is, or need not be
	mayRenew          core.Bucket // claims of its own that it may push
	held              []core.Received
	heldBytes         int
	told              telling
	rate              float64   // what gossip was told to think of it
	rateUntil         time.Time // when to look again; zero: not by itself
}

// hold keeps a message for later and counts it, or drops it.
func (n *neighbour) hold(ev core.Received) uint64 {
	if len(n.held) >= maxHeld || n.heldBytes+len(ev.Payload) > maxHeldBytes {
		return 0
	}
	n.held = append(n.held, ev)
	n.heldBytes += len(ev.Payload)
	return 1
}

// A member may push ownBurst claims of its own at once, and one more each ownEvery.
// Chosen for addresses that are found one after the other at the start, and because
// each push costs a check and a record.
const (
	ownBurst = 8
	ownEvery = 10 * time.Second
)

// dialToTellWithin is the time, with symmetry, to dial back whom we refuse and tell it
// why. Chosen for a dial of six round trips over half the world.
const dialToTellWithin = 3 * time.Second

func (m *Machine) connected(ev core.Connected, out *[]core.Effect) {
	if m.peers[ev.Peer] != nil {
		return
	}
	n := &neighbour{
		since: m.now, guest: ev.Guest, inbound: ev.Inbound, outbound: !ev.Inbound, told: newTelling(),
		mayRenew: core.Bucket{PerSecond: 1 / ownEvery.Seconds(), Most: ownBurst},
	}
	m.peers[ev.Peer] = n
	m.reputation.Connected(ev.Peer, m.cfg.Group(ev.Addr))
	m.rate(ev.Peer, out)
	if m.cfg.Symmetry {
		m.awaitSymmetry(n)
	}
	m.handshake.LinkUp(m.now, ev.Peer, ev.Guest, &m.actions)
	m.dialing.Handle(m.now, ev, out)
}

func (m *Machine) disconnected(ev core.Disconnected, out *[]core.Effect) {
	n := m.peers[ev.Peer]
	if n == nil {
		return
	}
	delete(m.peers, ev.Peer)
	m.reputation.Disconnected(ev.Peer)
	if n.rate != 0 {
		*out = append(*out, core.Rate{Peer: ev.Peer})
	}
	m.handshake.LinkDown(ev.Peer)
	if n.plain {
		m.plain--
	}
	if n.placed {
		m.placed--
	}
	m.unreached(ev.Peer, n, out)
	if n.member {
		m.members--
		m.lists.Gone(m.now, ev.Peer)
		m.gossip.PeerDown(m.now, ev.Peer, &m.actions)
		m.uptime.Left(m.now, ev.Peer)
		notify(out, "peer.left", ev.Peer, "a member is gone")
	}
	m.dialing.Handle(m.now, ev, out)
}

// unreached treats, with symmetry, a peer that left when its time was all but over as
// one whose time is over: both ends count it, and the one that is first disconnects.
func (m *Machine) unreached(peer core.PeerID, n *neighbour, out *[]core.Effect) {
	told, late := m.refusals.get(peer).At, m.now.Sub(n.since) >= m.cfg.SymmetryWithin*9/10
	if !m.cfg.Symmetry || n.member || n.plain || n.guest || !late || !told.Before(n.since) {
		return
	}
	m.stats.Asymmetric++
	text := m.asymmetry(n)
	m.refuse(Refusal{Peer: peer, Reason: handshake.Asymmetric.String(), Text: text, ByUs: true, At: m.now}, out)
	m.keepOut(core.Block{Peer: peer, Until: m.now.Add(m.cfg.CoolDown), Reason: text}, false, out)
}

func (m *Machine) linked(ev core.Linked, out *[]core.Effect) {
	n := m.peers[ev.Peer]
	if n == nil {
		return
	}
	n.inbound, n.outbound = ev.Inbound, ev.Outbound
	if m.cfg.Symmetry {
		m.awaitSymmetry(n)
	}
	m.dialing.Handle(m.now, ev, out)
}

// awaitSymmetry starts the time within which a pair must be symmetric and
// complete, or ends it. A guest is gone sooner anyway.
func (m *Machine) awaitSymmetry(n *neighbour) {
	switch {
	case n.guest, n.inbound && n.outbound && n.member:
		n.symmetricBy = time.Time{}
	case n.symmetricBy.IsZero():
		n.symmetricBy = m.now.Add(m.cfg.SymmetryWithin)
		m.symmetryAt = core.Earliest(m.symmetryAt, n.symmetricBy)
	}
}

// expireLinks ends pairs that did not become symmetric in time.
func (m *Machine) expireLinks(out *[]core.Effect) {
	if !due(m.symmetryAt, m.now) {
		return
	}
	m.symmetryAt = time.Time{}
	for _, id := range sorted(m.peers) {
		n := m.peers[id]
		if due(n.symmetricBy, m.now) {
			n.symmetricBy = time.Time{}
			m.asymmetric(id, n, out)
			continue
		}
		m.symmetryAt = core.Earliest(m.symmetryAt, n.symmetricBy)
	}
}

// asymmetric drops all connections of a peer and keeps it out for a while.
func (m *Machine) asymmetric(id core.PeerID, n *neighbour, out *[]core.Effect) {
	m.stats.Asymmetric++
	text := m.asymmetry(n)
	m.handshake.Refuse(m.now, id, handshake.Asymmetric, text, &m.actions)
	m.keepOut(core.Block{Peer: id, Until: m.now.Add(m.cfg.CoolDown), Reason: text}, false, out)
	*out = append(*out, core.Disconnect{Peer: id, Reason: handshake.Asymmetric.String()})
}

// asymmetry tells people what is missing.
func (m *Machine) asymmetry(n *neighbour) string {
	switch {
	case !n.outbound:
		return fmt.Sprintf("we could not connect to the address it claims within %v", m.cfg.SymmetryWithin)
	case !n.inbound:
		return fmt.Sprintf("it did not connect back within %v: is our address reachable for it?", m.cfg.SymmetryWithin)
	}
	return fmt.Sprintf("the handshake is not complete %v after the first connection", m.cfg.SymmetryWithin)
}

func (m *Machine) silent(a uptime.Silent, out *[]core.Effect) {
	text := fmt.Sprintf("nothing came from it for %v", a.For.Round(time.Second))
	notify(out, "peer.silent", a.Peer, text)
	*out = append(*out, core.Disconnect{Peer: a.Peer, Reason: "silent"})
}
