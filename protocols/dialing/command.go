package dialing

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// The bodies of core.Command that the machine knows.
type (
	// SetBootstrappers replaces the bootstrappers. Those that stay keep their
	// state, unless an address changed: then they are dialled anew. Those that go
	// become ordinary candidates.
	SetBootstrappers struct{ Peers []peer.AddrInfo }

	// SetValidators replaces the validators: like bootstrappers they are always
	// dialled, once an address is known, and never forgotten.
	SetValidators struct{ Peers []core.PeerID }

	// Joined says that a peer is connected for good: the handshake is complete, or it
	// needs none.
	Joined struct{ Peer core.PeerID }

	// Rejected says that the handshake with a peer failed, on whichever side. Its
	// address is good, so this never counts towards forgetting it.
	Rejected struct {
		Peer    core.PeerID
		Reason  string // for people
		Lasting bool   // until somebody changes a setting: trying soon is useless
		Full    bool   // it has no place
	}

	// Retry ends the wait after a rejection, because what led to it has changed.
	Retry struct{ Peer core.PeerID }

	// CoolDown keeps a peer from being dialled until a time: after the owner
	// disconnected it, or a rule was broken. The zero time lifts it; otherwise it
	// never shortens a ban. Connections that are up stay: see core.Disconnect.
	CoolDown struct {
		Peer   core.PeerID
		Until  time.Time
		Reason string // for people
		Banned bool   // shown as a ban
	}

	// Forget drops what was learnt of a peer: its addresses and failures. What the
	// operator configured stays, and a cool-down does.
	Forget struct{ Peer core.PeerID }
)

func (m *Machine) command(now time.Time, body any, out *[]core.Effect) bool {
	switch c := body.(type) {
	case SetBootstrappers:
		m.awaiting = false
		m.setBootstrappers(now, c.Peers)
	case SetValidators:
		m.setValidators(c.Peers)
	case Joined:
		m.joined(c.Peer, out)
	case Rejected:
		m.rejected(now, c)
	case Retry:
		m.retry(now, c.Peer)
	case CoolDown:
		m.coolDown(now, c)
	case Forget:
		m.forget(now, c.Peer)
	default:
		return false
	}
	return true
}

func (m *Machine) setBootstrappers(now time.Time, infos []peer.AddrInfo) {
	addrs := make(map[core.PeerID][]multiaddr.Multiaddr, len(infos))
	var set []*known
	for _, info := range infos {
		if m.isSelf(info.ID) || info.ID == "" {
			continue
		}
		if _, twice := addrs[info.ID]; !twice {
			set = append(set, m.book.always(info.ID, 0))
		}
		addrs[info.ID] = addAddrs(addrs[info.ID], info.Addrs, m.cfg.MaxAddrs)
	}
	for _, k := range m.book.bootstrappers {
		if _, stays := addrs[k.id]; !stays {
			k.bootstrapper, k.heard = false, true
			m.book.told(k, origin{from: core.SourceConfig})
			k.hearsay, k.configured = pack(addAddrs(k.configured.addrs(), k.hearsay.addrs(), m.cfg.MaxAddrs)), ""
			m.book.file(k)
		}
	}
	for rank, k := range set {
		k.rank = uint32(rank) // the operator's order
		if !k.bootstrapper || !k.configured.equal(addrs[k.id]) {
			k.bootstrapper, k.configured = true, pack(addrs[k.id])
			k.failures, k.postponed, k.due = 0, 0, now
		}
		m.book.file(k)
	}
	m.book.bootstrappers = set
}

func (m *Machine) setValidators(ids []core.PeerID) {
	old := m.book.validators
	m.book.validators = nil
	for _, k := range old {
		k.validator = false
	}
	for _, id := range ids {
		if id == "" || m.isSelf(id) {
			continue
		}
		if k := m.book.always(id, m.rng.Uint32()); !k.validator {
			k.validator = true
			m.book.validators = append(m.book.validators, k)
			m.book.file(k)
		}
	}
	for _, k := range old {
		if !k.validator {
			m.book.file(k)
		}
	}
}

func (m *Machine) joined(id core.PeerID, out *[]core.Effect) {
	if k := m.book.get(id); k != nil && k.bootstrapper && k.connected() {
		m.fallback = false
		notify(out, "bootstrap.connected", id, "connected to a bootstrapper")
	}
}

func (m *Machine) rejected(now time.Time, c Rejected) {
	m.stats.Rejected++
	k := m.candidate(c.Peer, m.rng.Uint32(), 0)
	if k == nil {
		return
	}
	k.refusals++
	k.failures, k.refused, k.full, k.reason = 0, true, c.Full, c.Reason
	switch {
	case c.Lasting:
		k.due = now.Add(m.cfg.RejectedFor)
	case c.Full && k.bootstrapper && m.book.connected() > one(k.connected()):
		k.due = now.Add(m.growing(k.tries(), m.cfg.FullBackoffMax)) // we have joined elsewhere
	default:
		k.due = now.Add(m.backoff(k))
	}
	m.book.file(k)
}

func (m *Machine) retry(now time.Time, id core.PeerID) {
	k := m.book.get(id)
	if k == nil || !k.refused {
		return
	}
	k.refused, k.refusals, k.due = false, 0, now
	if k.coolUntil.IsZero() {
		k.reason = ""
	}
	m.book.file(k)
}

func (m *Machine) coolDown(now time.Time, c CoolDown) {
	k := m.book.get(c.Peer)
	if !c.Until.After(now) {
		if k != nil {
			k.coolUntil, k.banned = time.Time{}, false
			m.book.file(k)
		}
		return
	}
	if k != nil && k.banned && !c.Banned && c.Until.Before(k.coolUntil) {
		return
	}
	if k = m.candidate(c.Peer, m.rng.Uint32(), 0); k != nil {
		k.coolUntil, k.banned, k.reason = c.Until, c.Banned, c.Reason
		m.book.file(k)
	}
}

func (m *Machine) forget(now time.Time, id core.PeerID) {
	k := m.book.get(id)
	if k == nil {
		return
	}
	k.saved, k.heard, k.refused = false, false, false
	k.failures, k.refusals, k.postponed, k.due = 0, 0, 0, now
	k.claimed, k.proven, k.hearsay, k.confirmed = "", "", "", 0
	if k.coolUntil.IsZero() {
		k.reason = ""
	}
	m.book.file(k)
}
