package discovery

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
)

// The offences that belong to no single protocol.
const (
	OffenceUnknownType core.Offence = "discovery.unknown-type" // a message type that its protocol does not have
	OffenceBadClaim    core.Offence = "discovery.bad-claim"    // a claim that an honest node would not have sent
)

// clockCheck is how often the signer looks whether the clock was set.
const clockCheck = time.Minute

// sign renews our claim when that is due, and tells everybody.
func (m *Machine) sign(out *[]core.Effect) {
	if !m.signAt.IsZero() && m.signAt.After(m.now) && m.signAt.Sub(m.now) <= clockCheck {
		return
	}
	own, renewed, err := m.signer.Update(m.now, m.addrs)
	m.signAt = core.Earliest(m.signer.Deadline(), m.now.Add(clockCheck))
	if !m.signAt.After(m.now) {
		m.signAt = m.now.Add(clockCheck)
	}
	if err != nil {
		notify(out, "claim.unsigned", "", "our own claim cannot be signed: "+err.Error())
		return
	}
	if !renewed {
		return
	}
	*out = append(*out, core.Persist{Record: core.OwnTimestamp{Highest: m.signer.Highest()}})
	for _, id := range sorted(m.peers) {
		if m.peers[id].member {
			*out = append(*out, core.Send{Peer: id, Protocol: peerlist.Protocol, Type: peerlist.TypeOwnClaim, Payload: own.Bytes()})
		}
	}
	if m.members > 0 {
		m.spread()
	}
}

// spread gossips our claim. The pause doubles with each time: who comes late hears
// of us after at most as long again as we have been there, and a network at rest is
// quiet. A new claim begins anew.
func (m *Machine) spread() {
	own := m.signer.Current()
	if !own.Time.Equal(m.gossiping) {
		m.gossiping, m.gossipPause = own.Time, m.cfg.GossipEvery
	}
	m.gossipAt = m.now.Add(m.gossipPause)
	if err := m.gossip.Gossip(m.now, infect.IDOf(own.Bytes()), own.Bytes(), &m.actions); err != nil {
		m.gossipAt = m.now.Add(m.cfg.GossipFirst) // no room: soon again
		return
	}
	m.gossipPause *= 2
}

// setAddrs takes in our own addresses.
func (m *Machine) setAddrs(addrs []multiaddr.Multiaddr, out *[]core.Effect) {
	m.addrs, m.signAt = addrs, time.Time{}
	m.sign(out)
}

// checkedList is the answer to the check of a peer list.
type checkedList struct {
	of   peerlist.Verify
	good []claim.Signed
	bad  []error
}

func (m *Machine) checkList(v peerlist.Verify, out *[]core.Effect) {
	verify := m.cfg.VerifyClaim
	*out = append(*out, core.Verify{Peer: v.From, Check: func() any {
		c := checkedList{of: v}
		for _, raw := range v.Envelopes {
			if s, err := verify(raw); err != nil {
				c.bad = append(c.bad, err)
			} else {
				c.good = append(c.good, s)
			}
		}
		return c
	}})
}

// learned takes in a claim that was told by somebody else and is booked now.
func (m *Machine) learned(a peerlist.Learned, out *[]core.Effect) {
	m.saveClaim(a.Claim, out)
	m.discovered(a.Claim, a.From, a.Greeting, out)
}

func (m *Machine) saveClaim(s claim.Signed, out *[]core.Effect) {
	*out = append(*out, core.Persist{Record: core.SavedClaim{Peer: s.Peer, Envelope: s.Bytes(), Expiry: s.Expiry}})
}

// discovered hands the addresses of a claim to dialing. by is empty when it came
// from its owner, or is ours from an earlier run.
func (m *Machine) discovered(s claim.Signed, by core.PeerID, unaware bool, out *[]core.Effect) {
	addrs := s.Claim().Addrs
	if m.cfg.Keep != nil {
		addrs = slices.DeleteFunc(addrs, func(a multiaddr.Multiaddr) bool { return !m.cfg.Keep(a) })
	}
	m.dialing.Handle(m.now, core.Discovered{Peer: s.Peer, Addrs: addrs, From: core.SourceClaim, By: by, Unaware: unaware}, out)
}

// held says whether a gossiped claim is of no use here: passed on lately, or older
// than what is booked, or nobody's fault. A bad one is not held, so that it is
// judged. Neither is one that is booked, but in a mesh, where its owner gives it to
// everyone itself.
func (m *Machine) held(from core.PeerID, id infect.ID, item []byte) bool {
	if m.relayed.lately(m.now, id) {
		return true
	}
	if item == nil {
		return false
	}
	var why claim.Reason
	if err := m.tracker.Book().Precheck(m.now, from, item); !errors.As(err, &why) {
		return false
	}
	if why == claim.Known {
		return m.cfg.Dialing.Topology == dialing.Mesh
	}
	return why.Blame() == claim.Nobody
}

// checkedGossip is the answer to the check of a gossiped claim.
type checkedGossip struct {
	check infect.Check
	claim claim.Signed
	err   error
}

// Other bytes than those that the ID names say nothing of the claim with that ID,
// which others may hold.
func (m *Machine) checkGossip(c infect.Check, out *[]core.Effect) {
	if infect.IDOf(c.Item) != c.ID {
		m.penalize(c.From, OffenceBadClaim, "it gives other bytes than the ID names", out)
		m.gossip.Retry(m.now, c.ID, &m.actions)
		return
	}
	if err := m.tracker.Book().Precheck(m.now, c.From, c.Item); err != nil {
		m.gossiped(checkedGossip{check: c, err: err}, out)
		return
	}
	verify := m.cfg.VerifyClaim
	*out = append(*out, core.Verify{Peer: c.From, Check: func() any {
		g := checkedGossip{check: c}
		g.claim, g.err = verify(c.Item)
		return g
	}})
}

// gossiped passes a good claim on and dials its owner. Only an owner that is
// booked already is booked anew: others prove themselves by a connection first.
func (m *Machine) gossiped(g checkedGossip, out *[]core.Effect) {
	s, err := g.claim, g.err
	if _, booked := m.tracker.Book().Get(s.Peer); err == nil && booked {
		err = m.tracker.Add(m.now, g.check.From, s)
	}
	if booked, ok := m.tracker.Book().Holds(g.check.Item); ok {
		s, err = booked, nil // that it came in another way is no reason not to pass it on
	}
	if err != nil {
		m.blame(g.check.From, s.Peer, err, out)
		m.end(g.check.ID, err)
		return
	}
	m.stats.Gossiped++
	m.relayed.add(m.now, g.check.ID, s)
	m.discovered(s, g.check.From, false, out)
	_ = m.gossip.Gossip(m.now, g.check.ID, g.check.Item, &m.actions) // its entry exists: there is room
}

// end ends the gossip of a claim that was refused. Others are to blame for offering
// it only if they should have refused it too: not when it came in another way
// meanwhile, is outdated, or when its owner signed two.
func (m *Machine) end(id infect.ID, refusal error) {
	var why claim.Reason
	if errors.As(refusal, &why) && why.Blame() == claim.Bearer {
		m.gossip.Reject(m.now, id)
		return
	}
	m.gossip.Drop(m.now, id)
}

// checkedOwn is the answer to the check of a claim that its owner pushed.
type checkedOwn struct {
	claim claim.Signed
	err   error
}

// What comes faster than addresses change is left out before it costs a check.
func (m *Machine) checkOwn(ev core.Received, out *[]core.Effect) {
	if !m.peers[ev.Peer].mayRenew.Take(m.now) {
		m.stats.Hasty++
		return
	}
	if err := m.tracker.Book().Precheck(m.now, ev.Peer, ev.Payload); err != nil && !errors.Is(err, claim.Unwanted) {
		m.blame(ev.Peer, ev.Peer, err, out)
		return
	}
	verify := m.cfg.VerifyClaim
	*out = append(*out, core.Verify{Peer: ev.Peer, Check: func() any {
		s, err := verify(ev.Payload)
		return checkedOwn{s, err}
	}})
}

// renewed replaces the claim of a member's handshake.
func (m *Machine) renewed(from core.PeerID, c checkedOwn, out *[]core.Effect) {
	if c.err == nil && c.claim.Peer != from {
		m.penalize(from, OffenceBadClaim, fmt.Sprintf("it pushes the claim of %s as its own", c.claim.Peer), out)
		return
	}
	if c.err != nil {
		m.blame(from, from, c.err, out)
		return
	}
	if m.lists.Renewed(m.now, c.claim, &m.actions) == nil {
		m.saveClaim(c.claim, out)
		m.discovered(c.claim, "", false, out)
	}
}

// blame penalises whoever is to blame for a refused claim.
func (m *Machine) blame(bearer, author core.PeerID, refusal error, out *[]core.Effect) {
	var why claim.Reason
	if !errors.As(refusal, &why) {
		return
	}
	switch why.Blame() {
	case claim.Bearer:
		m.penalize(bearer, OffenceBadClaim, refusal.Error(), out)
	case claim.Author:
		m.blameAuthor(core.Penalize{Peer: author, Offence: OffenceBadClaim, Detail: refusal.Error()}, out)
	}
}

// blameAuthor penalises who signed a claim, wherever it came from, while that peer
// is connected. Otherwise one member could make up thousands who sign two claims
// each, and the bans of these would displace the bans of peers that were here.
func (m *Machine) blameAuthor(p core.Penalize, out *[]core.Effect) {
	if m.peers[p.Peer] != nil {
		m.penalize(p.Peer, p.Offence, p.Detail, out)
	}
}

// verified takes in the answer to a check.
func (m *Machine) verified(ev core.Verified, out *[]core.Effect) {
	switch a := ev.Answer.(type) {
	case checkedHandshake:
		m.checked(ev.Peer, a, out)
	case checkedList:
		m.lists.Verified(m.now, a.of, a.good, a.bad, &m.actions)
	case checkedGossip:
		if a.err != nil {
			_ = m.tracker.Book().Count(a.err)
		}
		m.gossiped(a, out)
	case farewell:
		m.bid(ev.Peer, a, out)
	case checkedOwn:
		m.renewed(ev.Peer, a, out)
	}
}
