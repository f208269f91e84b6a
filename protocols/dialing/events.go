package dialing

import (
	"fmt"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// discovered notes where a peer is said to be, and whether anything of it was new.
func (m *Machine) discovered(now time.Time, ev core.Discovered, out *[]core.Effect) bool {
	addrs := cleaned(ev.Addrs, m.cfg.MaxAddrs)
	if len(addrs) == 0 && m.book.get(ev.Peer) == nil {
		return false
	}
	trust := 0
	if ev.From == core.SourceClaim {
		trust = 1
	}
	k := m.candidate(ev.Peer, m.rng.Uint32(), trust)
	if k == nil {
		return false
	}
	first := !k.reachable()
	fresh, moved := k.learn(ev.From, addrs, m.cfg.MaxAddrs), m.book.told(k, origin{ev.From, ev.By})
	if !fresh {
		if moved {
			m.book.file(k)
		}
		return moved
	}
	switch {
	case k.connected():
		k.settled = k.settled && ev.From != core.SourceClaim
	case k.held(now): // a new address changes nothing about that
	case first && !ev.Unaware:
		k.due = later(k.due, now.Add(m.order(k.id)))
	case first:
		k.due = later(k.due, now) // those that were due earlier go first
	case ev.From == core.SourceClaim && k.failures > 0: // it failed elsewhere
		k.failures, k.postponed = 0, 0
		k.due = earlier(k.due, now.Add(m.cfg.BackoffBase))
	}
	if ev.From == core.SourceClaim && k.dial != nil {
		m.extend(now, k, out)
	}
	m.book.file(k)
	return true
}

func (m *Machine) connected(now time.Time, ev core.Connected, out *[]core.Effect) {
	if ev.Peer == m.cfg.Self {
		return
	}
	k := m.book.always(ev.Peer, m.rng.Uint32())
	if k.connected() {
		return
	}
	k.since, k.due, k.guest, k.settled = now, now, ev.Guest, false
	k.told, k.refused, k.reason = false, false, ""
	if ev.Inbound {
		k.direction = inbound
		if !m.cfg.Symmetry { // otherwise the dial goes on, as a dial-back
			m.book.endDial(k)
		}
	} else {
		k.direction, k.own = outbound, true
		m.answered(now, k, ev.Addr)
		k.prove(ev.Addr)
		m.save(now, k, out)
	}
	m.book.file(k)
}

// answered ends a dial that brought a connection.
func (m *Machine) answered(now time.Time, k *known, at multiaddr.Multiaddr) {
	k.postponed = 0
	m.book.assign(k, m.book.tellers.of(reached))
	if d := m.book.endDial(k); d != nil {
		m.ips.refund(now, d.charged, at)
		m.dialTook += (now.Sub(d.at) - m.dialTook) / 4
	}
}

// linked notes in which directions there are connections now.
func (m *Machine) linked(now time.Time, ev core.Linked) {
	k := m.book.get(ev.Peer)
	if k == nil || !k.connected() || !ev.Inbound && !ev.Outbound {
		return
	}
	was := k.direction
	k.direction = directionOf(ev.Inbound, ev.Outbound)
	switch {
	case k.direction.out() && !was.out():
		m.answered(now, k, nil)
		k.own = k.chose
		k.reason = ""
	case !k.direction.out() && was.out():
		k.own, k.chose = false, false
		k.wait(now, m.cfg.DialBackAfter)
	}
	m.book.file(k)
}

func (m *Machine) disconnected(now time.Time, id core.PeerID, out *[]core.Effect) {
	k := m.book.get(id)
	if k == nil || !k.connected() {
		return
	}
	lasted, guest := now.Sub(k.since) >= m.cfg.StableAfter, k.guest
	if len(k.proven) > 0 || lasted {
		m.save(now, k, out)
	}
	k.direction, k.guest, k.own, k.chose = idle, false, false, false
	if lasted && !k.held(now) {
		k.failures, k.refusals = 0, 0
	}
	if lasted || guest || k.held(now) || k.coolUntil.After(now) { // in all but the first it was we who ended it
		k.wait(now, m.redial(k))
		m.book.file(k)
	} else {
		m.failed(now, k, "the connection did not last", m.redial)
	}
	if m.book.alone() {
		m.hurry(now)
	}
}

func (m *Machine) dialFailed(now time.Time, ev core.DialFailed, out *[]core.Effect) {
	k := m.book.get(ev.Peer)
	if k == nil || k.dial == nil {
		return // an answer that came after the sweep, or beside an inbound connection
	}
	m.stats.Failed++
	m.unanswered(now, k, ev.Reason, out)
}

// unanswered ends a dial that brought no connection.
func (m *Machine) unanswered(now time.Time, k *known, reason string, out *[]core.Effect) {
	m.ips.fail(now, m.book.endDial(k).charged)
	k.chose = false
	if k.connected() {
		k.reason = "dialling back failed: " + reason
		k.wait(now, m.cfg.DialBackAfter)
		m.book.file(k)
		return
	}
	k.turnHearsay(m.cfg.MaxHearsay)
	m.failed(now, k, reason, m.backoff)
	if k.bootstrapper && !k.told {
		k.told = true
		notify(out, "bootstrap.unreachable", k.id,
			fmt.Sprintf("cannot reach a bootstrapper: %s; check its address and that it runs, trying again for ever", reason))
	}
}

// failed counts a failure and sends the peer into backoff, or forgets it. While
// we are alone nobody is forgotten: the fault may be ours.
func (m *Machine) failed(now time.Time, k *known, reason string, wait func(*known) time.Duration) {
	k.failures++
	if !k.held(now) {
		k.reason = reason
	}
	k.wait(now, wait(k))
	limit := m.cfg.ForgetAfter
	if k.hearsayOnly() {
		limit = min(limit, m.cfg.ForgetHearsayAfter)
	}
	kept := k.pinned() || k.dial != nil || !k.coolUntil.IsZero() || m.book.alone()
	if int(k.failures) >= limit && !kept {
		m.book.remove(k)
		m.stats.Forgotten++
		return
	}
	m.book.file(k)
}

// settle saves who has been connected for a while and claims an address.
func (m *Machine) settle(now time.Time, out *[]core.Effect) {
	for k := m.book.settling.first(); k != nil && now.Sub(k.since) >= m.cfg.StableAfter; k = m.book.settling.first() {
		k.settled = true
		m.save(now, k, out)
		m.book.file(k)
	}
}

// save keeps where a peer was reached and where it claims to be. One that only
// dialled us and claims nothing can be reached nowhere.
func (m *Machine) save(now time.Time, k *known, out *[]core.Effect) {
	if addrs := addAddrs(k.proven.addrs(), k.claimed.addrs(), m.cfg.MaxAddrs); len(addrs) > 0 {
		*out = append(*out, core.Persist{Record: core.SavedPeer{Peer: k.id, Addrs: addrs, LastSeen: now}})
	}
}
