package discovery

import (
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/reputation"
)

// The commands of the node's owner; all others go to dialing.
type (
	// SetAddrs names the addresses at which we can be reached.
	SetAddrs struct{ Addrs []multiaddr.Multiaddr }

	// SetMembers replaces the member list, whose peers are admitted where
	// membership is asked for.
	SetMembers struct{ Peers []core.PeerID }

	// SetValidators replaces the validator set, with weights. A key counts for the
	// peer that proves it.
	SetValidators struct {
		Peers map[core.PeerID]uint64
		Keys  map[Key]uint64
	}

	// LoadClaims books claims of an earlier run.
	LoadClaims struct{ Claims []claim.Signed }

	// LoadBans enforces bans of an earlier run.
	LoadBans struct{ Bans []core.SavedBan }

	// Ban bans a peer; with zero For as long as its earlier bans deserve.
	Ban struct {
		Peer   core.PeerID
		For    time.Duration
		Reason string
	}

	// Unban lifts a ban.
	Unban struct{ Peer core.PeerID }
)

func (m *Machine) command(ev core.Command, out *[]core.Effect) {
	switch c := ev.Body.(type) {
	case SetAddrs:
		m.setAddrs(c.Addrs, out)
	case SetMembers:
		m.admissions.setMembers(c.Peers)
		m.setValidators(out)
	case SetValidators:
		m.admissions.setValidators(c)
		m.setValidators(out)
	case LoadClaims:
		for _, s := range c.Claims {
			if m.tracker.Add(m.now, m.cfg.Claim.Self, s) == nil {
				m.discovered(s, "", false, out)
			}
		}
	case LoadBans:
		for _, b := range c.Bans {
			m.reputation.Restore(reputation.Ban(b)) // an ended one makes the next one longer
			if b.Until.After(m.now) {
				m.keepOut(b.Peer, b.Until, b.Reason, true, out)
			}
		}
	case Ban:
		m.banned(m.reputation.Ban(m.now, c.Peer, c.For, c.Reason), out)
	case Unban:
		m.unban(c.Peer, out)
	default:
		m.dialing.Handle(m.now, ev, out)
	}
}

// setValidators tells every part who the validators are, and ends the membership
// of those who lost it.
func (m *Machine) setValidators(out *[]core.Effect) {
	weights := m.admissions.validators()
	peers := sorted(weights)
	m.tracker.SetValidators(m.now, peers)
	m.uptime.SetValidators(m.now, weights)
	m.dialing.Handle(m.now, core.Command{Body: dialing.SetValidators{Peers: peers}}, out)
	m.handshake.SetMembers(m.admissions.members())
	if m.cfg.Handshake.Admission != handshake.Members {
		return
	}
	m.reconsider(out)
	for _, id := range sorted(m.peers) {
		if m.peers[id].member && !m.admissions.isMember(id) {
			m.handshake.Refuse(m.now, id, handshake.Membership, "the members changed", &m.actions)
		}
	}
}

// reconsider dials those again whom we refused as strangers and who may be members
// now: who is named, and, as nobody knows who holds a key, all while there are
// keys that nobody proved. The others are not told of the change.
func (m *Machine) reconsider(out *[]core.Effect) {
	unproven := len(m.admissions.keys) > len(m.admissions.proven)
	for _, r := range m.refusals.all() {
		if r.ByUs && r.Reason == handshake.Membership.String() && (unproven || m.admissions.isMember(r.Peer)) {
			m.dialing.Handle(m.now, core.Command{Body: dialing.Retry{Peer: r.Peer}}, out)
		}
	}
}

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
	if ban, ok := m.reputation.Penalize(m.now, peer, o, detail); ok {
		m.banned(ban, out)
	}
}

// banned enforces a new ban.
func (m *Machine) banned(b reputation.Ban, out *[]core.Effect) {
	m.handshake.Refuse(m.now, b.Peer, handshake.Banned, b.Reason, &m.actions)
	if n := m.peers[b.Peer]; n != nil && n.plain { // it would not understand
		*out = append(*out, core.Disconnect{Peer: b.Peer, Reason: handshake.Banned.String()})
	}
	m.keepOut(b.Peer, b.Until, b.Reason, true, out)
	*out = append(*out, core.Persist{Record: core.SavedBan(b)})
	notify(out, "peer.banned", b.Peer, "until "+b.Until.UTC().Format(time.RFC3339)+": "+b.Reason)
}

// keepOut refuses connections with a peer, either way, until a time.
func (m *Machine) keepOut(peer core.PeerID, until time.Time, reason string, banned bool, out *[]core.Effect) {
	m.dialing.Handle(m.now, core.Command{Body: dialing.CoolDown{Peer: peer, Until: until, Reason: reason, Banned: banned}}, out)
	*out = append(*out, core.Block{Peer: peer, Until: until, Reason: reason})
}

func (m *Machine) unban(peer core.PeerID, out *[]core.Effect) {
	if !m.reputation.Unban(m.now, peer) {
		return
	}
	m.refusals.forget(peer)
	m.keepOut(peer, time.Time{}, "", false, out)
	*out = append(*out, core.Persist{Record: core.SavedBan{Peer: peer}})
	notify(out, "peer.unbanned", peer, "the ban is lifted")
}
