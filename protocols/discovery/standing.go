package discovery

import (
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/reputation"
)

// penalize counts an offence, and bans whom it was the last straw for. Those who are
// not connected any more are told of together: there is no end to them.
func (m *Machine) penalize(peer core.PeerID, o core.Offence, detail string, out *[]core.Effect) {
	told := &m.told
	if n := m.peers[peer]; n != nil {
		told = &n.told
	}
	if told.may(m.now) {
		*out = append(*out, core.Penalize{Peer: peer, Offence: o, Detail: told.sum(detail)})
	}
	for _, ban := range m.reputation.Penalize(m.now, peer, o, detail) {
		m.banned(ban, out)
	}
	m.rate(peer, out)
}

// delivered counts what peers brought by gossip.
func (m *Machine) delivered(ev core.Deliveries) {
	for _, d := range ev.Of {
		m.reputation.Deliver(m.now, d)
	}
}

// rate tells gossip what to think of a connected peer, where that is new.
func (m *Machine) rate(peer core.PeerID, out *[]core.Effect) {
	n := m.peers[peer]
	if n == nil {
		return
	}
	rate, until := m.reputation.Opinion(m.now, peer)
	if n.rateUntil = until; !until.IsZero() {
		m.rateAt = core.Earliest(m.rateAt, until)
	}
	if rate != n.rate {
		n.rate = rate
		*out = append(*out, core.Rate{Peer: peer, Score: rate})
	}
}

// rerate looks again at those whose rate has an end.
func (m *Machine) rerate(out *[]core.Effect) {
	if !due(m.rateAt, m.now) {
		return
	}
	m.rateAt = time.Time{}
	for _, id := range sorted(m.peers) {
		n := m.peers[id]
		if due(n.rateUntil, m.now) {
			m.rate(id, out)
		}
		m.rateAt = core.Earliest(m.rateAt, n.rateUntil)
	}
}

// restoreBans enforces bans of an earlier run.
func (m *Machine) restoreBans(bans []core.SavedBan, out *[]core.Effect) {
	for _, saved := range bans {
		b := reputation.Ban(saved)
		if m.reputation.Restore(m.now, b); b.Until.After(m.now) {
			m.enforce(b, out)
		}
	}
}

func (m *Machine) banByHand(c Ban, out *[]core.Effect) {
	var b reputation.Ban
	var err error
	if c.Peer != "" {
		b, err = m.reputation.Ban(m.now, c.Peer, c.For, c.Reason)
	} else {
		b, err = m.reputation.BanGroup(m.now, c.Group, c.For, c.Reason)
	}
	if err == nil { // else the owner finds it missing among the bans
		m.banned(b, out)
	}
}

// banned enforces a new ban, and ends what it is about.
func (m *Machine) banned(b reputation.Ban, out *[]core.Effect) {
	if b.Peer != "" {
		m.expel(b.Peer, b.Reason, out)
	}
	m.enforce(b, out)
	*out = append(*out, core.Persist{Record: core.SavedBan(b)})
	text := "until " + b.Until.UTC().Format(time.RFC3339) + ": " + b.Reason
	if b.Peer != "" {
		notify(out, "peer.banned", b.Peer, text)
		return
	}
	notify(out, "group.banned", "", string(b.Group)+" "+text)
	for _, id := range slices.Sorted(slices.Values(m.reputation.In(b.Group))) {
		if b.ByHand || !m.spared(id) {
			m.expel(id, "its IP group is banned: "+b.Reason, out)
		}
	}
}

// spared says that an IP group's ban leaves a peer alone, unless it is by hand: whom the
// operator named may have bad neighbours.
func (m *Machine) spared(peer core.PeerID) bool {
	_, validator := m.admissions.peers[peer]
	return validator || m.dialing.Pinned(peer)
}

// expel disconnects a peer and tells it that it is banned.
func (m *Machine) expel(peer core.PeerID, reason string, out *[]core.Effect) {
	m.handshake.Refuse(m.now, peer, handshake.Banned, reason, &m.actions)
	if n := m.peers[peer]; n != nil && n.plain { // it would not understand
		*out = append(*out, core.Disconnect{Peer: peer, Reason: handshake.Banned.String()})
	}
	m.rate(peer, out)
}

// enforce refuses connections with a banned peer, or group.
func (m *Machine) enforce(b reputation.Ban, out *[]core.Effect) {
	if b.Peer == "" {
		*out = append(*out, core.BlockGroup{Group: b.Group, Until: b.Until, Reason: b.Reason, ByHand: b.ByHand})
		return
	}
	m.keepOut(core.Block{Peer: b.Peer, Until: b.Until, Reason: b.Reason, ByHand: b.ByHand}, true, out)
}

// keepOut refuses connections with a peer, either way, until a time.
func (m *Machine) keepOut(b core.Block, banned bool, out *[]core.Effect) {
	m.dialing.Handle(m.now, core.Command{Body: dialing.CoolDown{Peer: b.Peer, Until: b.Until, Reason: b.Reason, Banned: banned}}, out)
	*out = append(*out, b)
}

func (m *Machine) unban(c Unban, out *[]core.Effect) {
	if c.Peer == "" {
		m.unbanGroup(c.Group, out)
		return
	}
	if !m.reputation.Unban(m.now, c.Peer) {
		return
	}
	m.refusals.forget(c.Peer)
	m.keepOut(core.Block{Peer: c.Peer}, false, out)
	*out = append(*out, core.Persist{Record: core.SavedBan{Peer: c.Peer}})
	notify(out, "peer.unbanned", c.Peer, "the ban is lifted")
}

func (m *Machine) unbanGroup(g core.Group, out *[]core.Effect) {
	changed, banned := m.reputation.UnbanGroup(m.now, g)
	if !banned {
		return
	}
	*out = append(*out, core.BlockGroup{Group: g}, core.Persist{Record: core.SavedBan{Group: g}})
	for _, b := range changed {
		*out = append(*out, core.Persist{Record: core.SavedBan(b)})
	}
	notify(out, "group.unbanned", "", string(g)+": the ban is lifted")
}
