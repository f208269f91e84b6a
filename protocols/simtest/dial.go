package simtest

import (
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// Dial connects to a peer, as core.Dial asks. Where there is a connection that
// will do, nothing happens. Several dials to a peer have one answer.
func (h *Host) Dial(peer core.PeerID, addrs []multiaddr.Multiaddr) {
	if h.dialled(peer) {
		return
	}
	h.dials[peer]++
	if why, _ := h.refuse(peer, false); why != "" {
		h.endDial(peer, why)
		return
	}
	to, trip := h.net.find(addrs), time.Duration(0)
	if to != nil {
		trip = 2 * h.net.latency(h, to)
	}
	setup := time.Duration(h.net.cfg.SetupTrips) * trip
	switch {
	case to == nil || !h.net.reachable(h, to):
		h.failDial(peer, h.net.cfg.DialTimeout, "i/o timeout")
	case to.closed:
		h.failDial(peer, trip, "connection refused")
	case to.cfg.ID != peer:
		h.failDial(peer, setup, "another peer answers there")
	default:
		h.then(setup, func() { h.established(to) })
	}
}

// dialled says that a peer needs no dial.
func (h *Host) dialled(peer core.PeerID) bool {
	t := h.peers[peer]
	return t != nil && (!h.cfg.Symmetry || t.linked(h).Outbound)
}

// endDial ends a dial; why is empty where it succeeded. The failure of the last one
// is told, unless it is not needed any more.
func (h *Host) endDial(peer core.PeerID, why string) {
	if h.dials[peer]--; h.dials[peer] > 0 {
		return
	}
	delete(h.dials, peer)
	if why != "" && !h.dialled(peer) {
		h.post(core.DialFailed{Peer: peer, Reason: why})
	}
}

// then does f after a time, if this life of the host lasts so long.
func (h *Host) then(d time.Duration, f func()) {
	life := h.life
	h.net.sim.After(d, func() {
		if h.life == life && h.up {
			f()
		}
	})
}

func (h *Host) failDial(peer core.PeerID, after time.Duration, why string) {
	h.then(after, func() { h.endDial(peer, why) })
}

// established is when the dialler has its connection. The listener has its say
// half a round trip later.
func (h *Host) established(to *Host) {
	if !h.net.reachable(h, to) { // it vanished meanwhile
		h.failDial(to.cfg.ID, h.net.cfg.DialTimeout, "i/o timeout")
		return
	}
	why, _ := h.refuse(to.cfg.ID, false)
	again := h.dials[to.cfg.ID] > 1 && h.dialled(to.cfg.ID)
	h.endDial(to.cfg.ID, why)
	if why != "" || again {
		return
	}
	c := &conn{dialler: h, listener: to}
	trip := h.net.latency(h, to)
	life := to.life
	// First, so that it is before whatever is sent on the connection.
	h.net.sim.After(trip, func() {
		if to.life == life && h.net.reachable(h, to) {
			to.accept(c)
		}
	})
	h.enter(c, false, false)
}

// accept is the listener's say.
func (h *Host) accept(c *conn) {
	why, guest := h.refuse(c.dialler.cfg.ID, true)
	if why != "" {
		h.tellEnd(c)
		return
	}
	h.enter(c, true, guest)
}
