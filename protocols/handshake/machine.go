package handshake

import (
	"fmt"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// maxEarly is how many messages of other protocols a peer may send before its
// handshake. Chosen because none is right, and a few may be a race.
const maxEarly = 16

// Machine runs the handshakes with all connected peers.
//
// Error contract: a message that breaks a bound is skipped, counted and
// penalised, and the handshake goes on until its deadline; nothing that a peer
// sends extends it. A message that parses and that we cannot accept ends the
// handshake for good: Reject is sent, Failed shown, and the link cut after Linger.
// What comes on that link later is ignored. An error of our own cannot happen:
// what the machine asks of the loop has no failure but a Verdict.
type Machine struct {
	cfg     Config
	links   map[core.PeerID]*link // bounded by the connections of the host
	pending []*link               // those with a deadline, in order of arrival
	members map[core.PeerID]bool
	tickets uint64
	stats   Stats
}

// link is the handshake with one connected peer, over all its connections.
type link struct {
	peer     core.PeerID
	guest    bool      // no place is left: it gets a peer list, not a membership
	state    state     // how far their half is
	accepted bool      // they accept us
	list     []byte    // came with that, held until their half is done
	deadline time.Time // zero: none
	early    int       // messages of other protocols before the handshake
	spoke    bool      // sent anything of a weft protocol
	ticket   uint64    // of the open Check
	theirs   Handshake
	verdict  Verdict
	reason   Reason // while closing
}

// state is how far we are with what a peer says of itself.
type state uint8

const (
	waiting  state = iota // for their Handshake
	checking              // Check is open
	replying              // Reply is open
	welcome               // we accepted them
	plain                 // they are a plain libp2p peer
	closing               // one of us refused
)

// Verdict is what the check of a handshake found.
type Verdict struct {
	Reason Reason       // Unspecified: all is good
	Text   string       // for people, beside Reason
	Claim  claim.Signed // of the peer itself
	Proven []byte       // the validator's key, when the proof is good and the key is one of the set
}

// New makes a machine from a valid configuration.
func New(cfg Config) *Machine {
	return &Machine{cfg: cfg, links: map[core.PeerID]*link{}, members: map[core.PeerID]bool{}}
}

// SetMembers replaces the member list. It holds for handshakes from now on.
func (m *Machine) SetMembers(peers []core.PeerID) {
	clear(m.members)
	for _, p := range peers {
		m.members[p] = true
	}
}

// LinkUp starts the handshake with a peer that is newly connected. A guest has no
// place of its own: it gets a peer list and the reason Full.
func (m *Machine) LinkUp(now time.Time, peer core.PeerID, guest bool, out *[]core.Action) {
	if m.links[peer] != nil {
		return
	}
	l := &link{peer: peer, guest: guest, deadline: now.Add(m.cfg.Within)}
	m.links[peer] = l
	m.pending = append(m.pending, l)
	if _, err := frame.SenderOf(peer); err != nil {
		m.strange(now, l, err, out)
		return
	}
	*out = append(*out, Greet{peer, Handshake{
		Network: m.cfg.Network, Genesis: m.cfg.Genesis, Version: m.cfg.Version, Time: now,
	}})
}

// strange deals with a peer whose key makes a membership impossible.
func (m *Machine) strange(now time.Time, l *link, err error, out *[]core.Action) {
	if m.cfg.Admission == Open {
		m.letStay(l, out)
		return
	}
	m.refuse(now, l, KeyType, err.Error(), out)
}

// NotSpoken takes in that a peer does not speak this protocol, as libp2p's
// negotiation says: there is nothing to wait for.
func (m *Machine) NotSpoken(now time.Time, peer core.PeerID, out *[]core.Action) {
	l := m.links[peer]
	switch {
	case l == nil || l.state != waiting || l.spoke:
	case m.cfg.Admission == Open:
		m.letStay(l, out)
	default:
		m.refuse(now, l, Membership, "it does not speak "+Protocol, out)
	}
}

// LinkDown forgets a peer whose last connection is gone.
func (m *Machine) LinkDown(peer core.PeerID) {
	if l := m.links[peer]; l != nil {
		m.settle(l)
		delete(m.links, peer)
	}
}

// Receive takes in a message of this protocol.
func (m *Machine) Receive(now time.Time, from core.PeerID, kind frame.Type, payload []byte, out *[]core.Action) {
	l := m.links[from]
	if l == nil {
		return
	}
	if l.state == closing {
		m.parting(l, kind, out)
		return
	}
	l.spoke = true
	switch kind {
	case TypeHandshake:
		m.onHandshake(now, l, payload, out)
	case TypeAccept:
		m.onAccept(l, payload, out)
	case TypeReject:
		m.onReject(l, payload, out)
	default:
		m.skip(l, OffenceUnknownType, fmt.Sprintf("type %d", kind), out)
	}
}

// May says whether a message of another weft protocol may be processed: only
// after the sender's handshake was accepted. Otherwise it is counted, and too
// many end the handshake.
func (m *Machine) May(now time.Time, from core.PeerID, out *[]core.Action) bool {
	l := m.links[from]
	if l == nil || l.state == closing {
		return false
	}
	if l.state == welcome {
		return true
	}
	l.spoke = true
	m.stats.TooEarly++
	if l.early++; l.early > maxEarly {
		m.refuse(now, l, Early, fmt.Sprintf("%d messages before the handshake", l.early), out)
	}
	return false
}

// Refuse ends the link to a peer for a reason that lies outside the handshake:
// Banned, Asymmetric, Membership.
func (m *Machine) Refuse(now time.Time, peer core.PeerID, why Reason, text string, out *[]core.Action) {
	if l := m.links[peer]; l != nil && l.state != closing {
		m.refuse(now, l, why, text, out)
	}
}

// Tick does what is due: handshakes that are late, and links whose Reject has had
// its time.
func (m *Machine) Tick(now time.Time, out *[]core.Action) {
	for _, l := range slices.Clone(m.pending) {
		if l.deadline.After(now) {
			continue
		}
		switch {
		case l.state == closing:
			m.cut(l, out)
		case !l.spoke && m.cfg.Admission == Open:
			m.letStay(l, out)
		default:
			m.refuse(now, l, Timeout, fmt.Sprintf("not complete %v after the link", m.cfg.Within), out)
		}
	}
}

// Deadline is when Tick has something to do.
func (m *Machine) Deadline() (next time.Time) {
	for _, l := range m.pending {
		next = core.Earliest(next, l.deadline)
	}
	return next
}

// IsMember says whether both sides accepted.
func (m *Machine) IsMember(peer core.PeerID) bool {
	l := m.links[peer]
	return l != nil && l.state == welcome && l.accepted
}

// Stats returns counters and gauges.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Links, s.Undecided = len(m.links), len(m.pending)
	return s
}

// settle ends the waiting on a link.
func (m *Machine) settle(l *link) {
	l.deadline = time.Time{}
	m.pending = slices.DeleteFunc(m.pending, func(p *link) bool { return p == l })
}
