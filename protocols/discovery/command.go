package discovery

import (
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/handshake"
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

	// Ban bans a peer or, without one, an IP group; with zero For as long as earlier
	// bans deserve. Nothing happens when there are too many bans by hand.
	Ban struct {
		Peer   core.PeerID
		Group  core.Group
		For    time.Duration
		Reason string
	}

	// Unban lifts the ban of a peer or, without one, of an IP group.
	Unban struct {
		Peer  core.PeerID
		Group core.Group
	}
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
		m.restoreBans(c.Bans, out)
	case Ban:
		m.banByHand(c, out)
	case Unban:
		m.unban(c, out)
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
