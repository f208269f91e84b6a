package dialing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// Machine is the dialing policy as a core.Machine.
type Machine struct {
	cfg      Config
	rng      *rand.Rand
	book     book
	awaiting bool // the first SetBootstrappers has not come yet
	fallback bool // saved peers are being tried, and that was told
	stats    Stats
	deadline time.Time
}

// atOnce is a deadline that has passed whatever the time is; New is not told it.
var atOnce = time.Unix(1, 0)

// New makes a machine from a valid configuration. rng is the machine's own.
func New(cfg Config, rng *rand.Rand) *Machine {
	m := &Machine{cfg: cfg, rng: rng, book: newBook(cfg.MaxKnown), awaiting: cfg.AwaitBootstrappers, deadline: atOnce}
	m.setBootstrappers(atOnce, cfg.Bootstrappers)
	for i, s := range cfg.Saved {
		if k := m.candidate(s.Peer, uint64(i)); k != nil {
			k.saved = true
			k.proven = addAddrs(k.proven, s.Addrs, cfg.MaxAddrs)
		}
	}
	return m
}

// Handle takes in what happened to connections and what was heard of peers.
func (m *Machine) Handle(now time.Time, ev core.Event, out *[]core.Effect) {
	switch ev := ev.(type) {
	case core.Connected:
		m.connected(now, ev, out)
	case core.Disconnected:
		m.disconnected(now, ev.Peer, out)
	case core.DialFailed:
		m.dialFailed(now, ev, out)
	case core.Discovered:
		if !m.discovered(now, ev) {
			return
		}
	case core.Command:
		if !m.command(now, ev.Body) {
			return
		}
	default:
		return
	}
	m.plan(now, out)
}

// Tick sweeps dials that were never answered and dials whoever is due.
func (m *Machine) Tick(now time.Time, out *[]core.Effect) { m.plan(now, out) }

// Deadline is when the next peer is due, or a dial is given up.
func (m *Machine) Deadline() time.Time { return m.deadline }

func (m *Machine) setBootstrappers(now time.Time, infos []peer.AddrInfo) {
	addrs := make(map[core.PeerID][]multiaddr.Multiaddr, len(infos))
	for rank, info := range infos {
		if m.isSelf(info.ID) {
			continue
		}
		k := m.book.always(info.ID, 0)
		k.rank = uint64(rank) // the operator's order
		addrs[info.ID] = addAddrs(addrs[info.ID], info.Addrs, m.cfg.MaxAddrs)
		k.bootstrapper = true
		m.book.pin(k)
	}
	for _, k := range slices.Clone(m.book.pinned) {
		configured, stays := addrs[k.id]
		switch {
		case !k.bootstrapper:
		case !stays:
			k.bootstrapper, k.heard = false, true
			k.hearsay, k.configured = k.configured, nil
			m.book.unpin(k)
		case !sameAddrs(k.configured, configured):
			k.configured = configured
			k.failures, k.due = 0, now
		}
	}
}

func (m *Machine) setValidators(ids []core.PeerID) {
	for _, k := range m.book.pinned {
		k.validator = false
	}
	for _, id := range ids {
		if !m.isSelf(id) && id != "" {
			k := m.book.always(id, m.rng.Uint64())
			k.validator = true
			m.book.pin(k)
		}
	}
	for _, k := range slices.Clone(m.book.pinned) {
		m.book.unpin(k)
	}
}

func (m *Machine) rejected(now time.Time, c Rejected) {
	k := m.candidate(c.Peer, m.rng.Uint64())
	if k == nil {
		return
	}
	k.refusals++
	k.failures, k.refused, k.reason = 0, true, c.Reason
	if k.due = now.Add(m.backoff(k.refusals)); c.Lasting {
		k.due = now.Add(m.cfg.RejectedFor)
	}
}

func (m *Machine) coolDown(c CoolDown) {
	k := m.candidate(c.Peer, m.rng.Uint64())
	if k == nil || k.banned && !c.Banned && !c.Until.IsZero() && c.Until.Before(k.coolUntil) {
		return
	}
	k.coolUntil, k.banned, k.reason = c.Until, c.Banned && !c.Until.IsZero(), c.Reason
}

func (m *Machine) forget(id core.PeerID) {
	if k := m.book.get(id); k != nil {
		k.saved, k.heard, k.failures, k.refusals = false, false, 0, 0
		k.claimed, k.proven, k.hearsay = nil, nil, nil
	}
}

// discovered notes hearsay and says whether anything of it was new.
func (m *Machine) discovered(now time.Time, ev core.Discovered) bool {
	k := m.candidate(ev.Peer, m.rng.Uint64())
	if k == nil {
		return false
	}
	if k.addrs(1) == nil {
		k.due = now // those that were due earlier go first
	}
	heard, hearsay := k.heard, k.hearsay
	k.heard, k.source = true, min(k.source, ev.From)
	if ev.From == core.SourceClaim {
		old := k.claimed
		k.claimed = addAddrs(nil, ev.Addrs, m.cfg.MaxAddrs)
		return !heard || !sameAddrs(k.claimed, old)
	}
	// The newest come first, but false ones cannot push true ones out at a stroke.
	k.hearsay = addAddrs(addAddrs(nil, ev.Addrs, m.cfg.MaxAddrs), hearsay, m.cfg.MaxAddrs)
	return !heard || !sameAddrs(k.hearsay, hearsay)
}

func (m *Machine) connected(now time.Time, ev core.Connected, out *[]core.Effect) {
	if ev.Peer == m.cfg.Self {
		return
	}
	k := m.book.always(ev.Peer, m.rng.Uint64())
	if k.link.connected() {
		return
	}
	k.told, k.refused, k.reason = false, false, ""
	if ev.Inbound {
		m.book.setLink(k, inbound, now)
	} else {
		m.book.setLink(k, outbound, now)
		k.proven = addAddrs(addAddrs(nil, []multiaddr.Multiaddr{ev.Addr}, maxProven), k.proven, maxProven)
		k.persist(now, out)
	}
	if k.bootstrapper {
		m.fallback = false
		notify(out, "bootstrap.connected", k.id, "connected to a bootstrapper")
	}
}

func (m *Machine) disconnected(now time.Time, id core.PeerID, out *[]core.Effect) {
	k := m.book.get(id)
	if k == nil || !k.link.connected() {
		return
	}
	lasted := now.Sub(k.since)
	m.book.setLink(k, idle, now)
	k.persist(now, out)
	if lasted < m.cfg.StableAfter {
		m.failed(now, k, "the connection did not last")
		return
	}
	k.failures = 0
	k.due = now.Add(scale(m.cfg.BackoffBase, m.rng.Float64())) // its other peers redial it too
}

func (m *Machine) dialFailed(now time.Time, ev core.DialFailed, out *[]core.Effect) {
	k := m.book.get(ev.Peer)
	if k == nil || k.link != dialling {
		return // an answer that came after the sweep, or beside an inbound connection
	}
	m.stats.Failed++
	m.unanswered(now, k, ev.Reason, out)
}

// unanswered ends a dial that brought no connection.
func (m *Machine) unanswered(now time.Time, k *known, reason string, out *[]core.Effect) {
	m.book.setLink(k, idle, now)
	m.failed(now, k, reason)
	if k.bootstrapper && !k.told {
		k.told = true
		notify(out, "bootstrap.unreachable", k.id,
			fmt.Sprintf("cannot reach a bootstrapper: %s; check its address and that it runs, trying again for ever", reason))
	}
}

// failed counts a failure and sends the peer into backoff, or forgets it.
func (m *Machine) failed(now time.Time, k *known, reason string) {
	k.failures++
	k.reason = reason
	k.due = now.Add(m.backoff(k.failures))
	if k.failures >= m.cfg.ForgetAfter && !k.bootstrapper && m.book.connected() > 0 {
		m.book.remove(k)
		m.stats.Forgotten++
	}
}

// candidate returns the entry of a peer, made if need be. It is nil for the node
// itself and when the book is full of better candidates.
func (m *Machine) candidate(id core.PeerID, rank uint64) *known {
	if m.isSelf(id) || id == "" {
		return nil
	}
	k, evicted := m.book.add(id, rank)
	if evicted {
		m.stats.Evicted++
	}
	if k == nil {
		m.stats.Refused++
	}
	return k
}

// isSelf counts how often others, or the operator, name this node to itself.
func (m *Machine) isSelf(id core.PeerID) bool {
	if id != m.cfg.Self {
		return false
	}
	m.stats.Self++
	return true
}

func notify(out *[]core.Effect, kind string, id core.PeerID, text string) {
	*out = append(*out, core.Notify{Notice: core.Notice{Kind: kind, Peer: id, Text: text}})
}
