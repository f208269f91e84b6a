package reputation

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// goneKept is of how many peers that left the group is remembered, for offences that
// are found later; chosen for a minute of a flood that takes every place 80 times.
const goneKept = 4096

// presence is a connected peer.
type presence struct {
	group   core.Group
	settled bool
}

// gone remembers where peers were that have left; the first to leave is forgotten first.
type gone struct {
	group map[core.PeerID]core.Group
	order []core.PeerID // a ring, once it is full
	next  int
}

func (g *gone) add(peer core.PeerID, group core.Group) {
	_, again := g.group[peer]
	g.group[peer] = group
	switch {
	case again:
	case len(g.order) < goneKept:
		g.order = append(g.order, peer)
	default:
		delete(g.group, g.order[g.next])
		g.order[g.next] = peer
		g.next = (g.next + 1) % goneKept
	}
}

// Connected says that a peer is there, and from which IP group; none is empty.
func (m *Machine) Connected(peer core.PeerID, group core.Group) {
	m.present[peer] = &presence{group: group}
}

// Settled says that a connected peer has done what it has to: its handshake is complete,
// or it was let in without one.
func (m *Machine) Settled(peer core.PeerID) {
	if p := m.present[peer]; p != nil {
		p.settled = true
	}
}

// Disconnected says that a peer is gone.
func (m *Machine) Disconnected(peer core.PeerID) {
	if p := m.present[peer]; p != nil && p.group != "" {
		m.gone.add(peer, p.group)
	}
	delete(m.present, peer)
}

func (m *Machine) groupOf(peer core.PeerID) core.Group {
	if p := m.present[peer]; p != nil {
		return p.group
	}
	return m.gone.group[peer]
}

// In are the connected peers of a group, in no order.
func (m *Machine) In(group core.Group) (peers []core.PeerID) {
	for id, p := range m.present {
		if p.group == group && group != "" {
			peers = append(peers, id)
		}
	}
	return peers
}

// shielded says that somebody of a group is connected and behaves well.
func (m *Machine) shielded(now time.Time, group core.Group) bool {
	for _, id := range m.In(group) {
		if m.present[id].settled && !m.IsBanned(now, id) && m.lost(now, id) <= start-wellBehaved {
			return true
		}
	}
	return false
}
