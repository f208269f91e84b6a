package discovery

import (
	"bytes"
	"fmt"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/peerlist"
)

// greet sends our handshake: what we are, our claim, and what we know.
func (m *Machine) greet(a handshake.Greet, out *[]core.Effect) {
	h := a.Handshake
	h.Claim = m.signer.Current().Bytes()
	h.Query = m.tracker.Query().Append(nil)
	if m.cfg.ConsensusKey != nil {
		h.Proof = handshake.Prove(m.cfg.ConsensusKey, h, m.cfg.Handshake.Self, a.Peer)
	}
	*out = append(*out, core.Send{
		Peer: a.Peer, Protocol: handshake.Protocol, Type: handshake.TypeHandshake, Payload: h.Append(nil), Vital: true,
	})
}

// checkedHandshake is the answer to the check of a handshake.
type checkedHandshake struct {
	ticket  uint64
	verdict handshake.Verdict // Proven is the key of a good proof, whosoever it is
}

// checkHandshake has a handshake checked elsewhere. What is cheap is looked at
// first, and a claim that is booked already needs no second look.
func (m *Machine) checkHandshake(a handshake.Check, out *[]core.Effect) {
	h, self, verify := a.Handshake, m.cfg.Handshake.Self, m.cfg.VerifyClaim
	known, booked := m.tracker.Book().Get(a.Peer)
	booked = booked && bytes.Equal(known.Bytes(), h.Claim)
	if booked && h.Proof.None() {
		v := handshake.Verdict{Claim: known}
		if _, err := peerlist.ParseQuery(h.Query); err != nil {
			v = handshake.Verdict{Reason: handshake.Query, Text: err.Error()}
		}
		m.checked(a.Peer, checkedHandshake{a.Ticket, v}, out)
		return
	}
	*out = append(*out, core.Verify{Peer: a.Peer, Check: func() any {
		if !booked {
			known = claim.Signed{}
		}
		return checkedHandshake{a.Ticket, judge(h, a.Peer, self, known, verify)}
	}})
}

// judge checks the parts of a handshake that take long. known is the claim if it
// was verified before.
func judge(h handshake.Handshake, from, self core.PeerID, known claim.Signed, verify func([]byte) (claim.Signed, error)) handshake.Verdict {
	if known.Bytes() == nil {
		var err error
		if known, err = verify(h.Claim); err != nil {
			return handshake.Verdict{Reason: handshake.Claim, Text: err.Error()}
		}
	}
	if known.Peer != from {
		return handshake.Verdict{Reason: handshake.Claim, Text: fmt.Sprintf("it is the claim of %s", known.Peer)}
	}
	if _, err := peerlist.ParseQuery(h.Query); err != nil {
		return handshake.Verdict{Reason: handshake.Query, Text: err.Error()}
	}
	if h.Proof.None() {
		return handshake.Verdict{Claim: known}
	}
	if err := h.Proof.Verify(h, from, self); err != nil {
		return handshake.Verdict{Reason: handshake.Proof, Text: err.Error()}
	}
	return handshake.Verdict{Claim: known, Proven: h.Proof.Key}
}

// checked completes the verdict by what depends on our state.
func (m *Machine) checked(peer core.PeerID, c checkedHandshake, out *[]core.Effect) {
	v := c.verdict
	if v.Reason == handshake.Unspecified {
		v = m.current(v)
	}
	if v.Reason == handshake.Unspecified {
		if !m.admissions.isKey(v.Proven) {
			v.Proven = nil
		}
		m.discovered(v.Claim, "", false, out) // with symmetry it is dialled back at this address
	}
	m.handshake.Checked(m.now, peer, c.ticket, v, &m.actions)
}

// current refuses a claim of another network or time.
func (m *Machine) current(v handshake.Verdict) handshake.Verdict {
	switch s := v.Claim; {
	case s.Network() != m.cfg.Claim.Network:
		return handshake.Verdict{Reason: handshake.Claim, Text: fmt.Sprintf("it is for the network %q", s.Network())}
	case !s.Expiry.After(m.now):
		return handshake.Verdict{Reason: handshake.ClaimTime, Text: "it expired " + s.Expiry.UTC().Format("2006-01-02 15:04:05")}
	case s.Time.Sub(m.now) > m.cfg.Claim.Skew:
		return handshake.Verdict{Reason: handshake.ClaimTime, Text: "it is from the future: " + s.Time.UTC().Format("2006-01-02 15:04:05")}
	}
	return v
}

// reply draws the peer list with which we accept a peer.
func (m *Machine) reply(a handshake.Reply) {
	list, err := m.lists.Greet(m.now, a.Peer, a.Query)
	if err != nil { // it was parsed when it was checked
		panic("discovery: " + err.Error())
	}
	m.handshake.Replied(m.now, a.Peer, list, &m.actions)
}

// complete makes a peer a member, unless the members changed since we accepted it.
func (m *Machine) complete(a handshake.Complete, out *[]core.Effect) {
	if m.admissions.prove(a.Peer, a.Proven) {
		m.setValidators(out)
	}
	if m.cfg.Handshake.Admission == handshake.Members && !m.admissions.isMember(a.Peer) {
		m.handshake.Refuse(m.now, a.Peer, handshake.Membership, "the members changed", &m.actions)
		return
	}
	n := m.peers[a.Peer]
	n.member, n.version = true, a.Version
	m.members++
	m.reputation.Settled(a.Peer)
	m.refusals.forget(a.Peer)
	if m.cfg.Symmetry {
		m.awaitSymmetry(n)
	}
	m.lists.Ready(m.now, a.Claim)
	m.saveClaim(a.Claim, out)
	m.gossip.PeerUp(a.Peer)
	if m.gossipAt.IsZero() {
		m.gossipAt = m.now.Add(m.cfg.GossipFirst)
	}
	m.uptime.Joined(m.now, a.Peer)
	*out = append(*out, core.Admit{Peer: a.Peer}, core.Relay{Event: core.Joined{Peer: a.Peer}})
	m.dialing.Handle(m.now, core.Command{Body: dialing.Joined{Peer: a.Peer}}, out)
	notify(out, "peer.member", a.Peer, fmt.Sprintf("the handshake is complete, weft %v", a.Version))
	for _, ev := range n.held {
		m.deliver(ev, out)
	}
	n.held = nil
}

// letStay gives a plain libp2p peer one of their places. Those that the operator
// named need none, as anybody may have taken all.
func (m *Machine) letStay(peer core.PeerID, out *[]core.Effect) {
	n, named := m.peers[peer], m.dialing.Pinned(peer)
	if n.guest || !named && m.placed >= m.cfg.PlainPeers {
		m.stats.PlainRefused++
		text := fmt.Sprintf("all %d places for plain libp2p peers are taken", m.cfg.PlainPeers)
		m.refusals.add(Refusal{Peer: peer, Reason: "plain-full", Text: text, ByUs: true, At: m.now})
		m.dialing.Handle(m.now, core.Command{Body: dialing.Rejected{Peer: peer, Reason: text}}, out)
		*out = append(*out, core.Disconnect{Peer: peer, Reason: text})
		return
	}
	n.plain, n.placed = true, !named
	m.plain++
	m.reputation.Settled(peer)
	if n.placed {
		m.placed++
	}
	*out = append(*out, core.Admit{Peer: peer})
	m.dialing.Handle(m.now, core.Command{Body: dialing.Joined{Peer: peer}}, out)
	notify(out, "peer.plain", peer, "speaks no weft handshake: taken as a plain libp2p peer")
}

// failed shows why a handshake failed.
func (m *Machine) failed(a handshake.Failed, out *[]core.Effect) {
	refusal := Refusal{Peer: a.Peer, Reason: a.Reason.String(), Text: a.Text, ByUs: a.ByUs, At: m.now}
	m.refuse(refusal, out)
	cmd := core.Command{Body: dialing.Rejected{
		Peer: a.Peer, Reason: refusal.String(), Lasting: a.Reason.Lasting(), Full: a.Reason == handshake.Full,
	}}
	switch {
	case a.ByUs && a.Reason == handshake.Banned: // a ban keeps it out by itself, and may be lifted
	case m.unheard(a):
		m.dialToTell(a, cmd, out)
	default:
		m.dialing.Handle(m.now, cmd, out)
	}
}

func (m *Machine) refuse(r Refusal, out *[]core.Effect) {
	m.refusals.add(r)
	notify(out, "peer.rejected", r.Peer, r.String())
}

// unheard says that a peer cannot hear why we refuse it: with symmetry we speak on a
// connection of our own only, and there is none.
func (m *Machine) unheard(a handshake.Failed) bool {
	l := m.peers[a.Peer]
	return m.cfg.Symmetry && a.ByUs && a.Claim != nil && l != nil && !l.outbound
}

// farewell is the answer to the check of the claim of a peer that we refused.
type farewell struct {
	claim    claim.Signed
	err      error
	rejected core.Command // for dialing, once the dial is under way
}

// dialToTell dials back whom we refused, where it claims to be, so that it learns why.
func (m *Machine) dialToTell(a handshake.Failed, cmd core.Command, out *[]core.Effect) {
	verify := m.cfg.VerifyClaim
	*out = append(*out, core.Verify{Peer: a.Peer, Check: func() any {
		s, err := verify(a.Claim)
		return farewell{s, err, cmd}
	}})
}

func (m *Machine) bid(peer core.PeerID, f farewell, out *[]core.Effect) {
	if f.err == nil && f.claim.Peer == peer && m.peers[peer] != nil {
		m.discovered(f.claim, "", false, out)
	}
	m.dialing.Handle(m.now, f.rejected, out)
}
