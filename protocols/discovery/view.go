package discovery

import (
	"cmp"
	"container/list"
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
	"github.com/weftnet/weft/protocols/reputation"
	"github.com/weftnet/weft/protocols/uptime"
)

// maxRefusals bounds the failed handshakes that are remembered. Chosen to show an
// operator everybody that knocked in the last minutes.
const maxRefusals = 1024

// Refusal says why a handshake failed last.
type Refusal struct {
	Peer   core.PeerID
	Reason string // stable, for programs
	Text   string // for people; may be a stranger's words
	ByUs   bool
	At     time.Time
}

// String tells who refused whom, and why.
func (r Refusal) String() string {
	who := "it refused us"
	if r.ByUs {
		who = "we refused it"
	}
	return fmt.Sprintf("%s: %s: %s", who, r.Reason, r.Text)
}

// refusals remembers the last failures, one of each peer. A peer that fails again
// and again costs no more than its turn in the list.
type refusals struct {
	of    map[core.PeerID]*list.Element
	order *list.List // of Refusal, the oldest first
}

func newRefusals() refusals { return refusals{map[core.PeerID]*list.Element{}, list.New()} }

func (r *refusals) add(f Refusal) {
	if at := r.of[f.Peer]; at != nil {
		at.Value = f
		r.order.MoveToBack(at)
		return
	}
	if len(r.of) >= maxRefusals {
		r.forget(r.order.Front().Value.(Refusal).Peer)
	}
	r.of[f.Peer] = r.order.PushBack(f)
}

// get is the last failure of a peer; the zero value: there was none.
func (r *refusals) get(peer core.PeerID) (f Refusal) {
	if at := r.of[peer]; at != nil {
		f = at.Value.(Refusal)
	}
	return f
}

func (r *refusals) forget(peer core.PeerID) {
	if at := r.of[peer]; at != nil {
		r.order.Remove(at)
		delete(r.of, peer)
	}
}

// all are the failures, the oldest first.
func (r *refusals) all() []Refusal {
	all := make([]Refusal, 0, len(r.of))
	for at := r.order.Front(); at != nil; at = at.Next() {
		all = append(all, at.Value.(Refusal))
	}
	return all
}

// Peer is one connected peer as the protocols see it.
type Peer struct {
	ID                core.PeerID
	Member            bool // both sides completed the handshake
	Plain             bool // a plain libp2p peer
	Guest             bool
	Validator         bool
	Inbound, Outbound bool // directions of its connections
	Version           handshake.Version
	Score             float64
	Terms             []reputation.Term // that explain the score

	uptime.View // of a member
}

// Peers are the connected peers, by ID.
func (m *Machine) Peers(now time.Time) []Peer {
	views := map[core.PeerID]uptime.View{}
	for _, v := range m.uptime.Members(now) {
		views[v.Peer] = v
	}
	validators := m.admissions.validators()
	all := make([]Peer, 0, len(m.peers))
	for _, id := range sorted(m.peers) {
		n := m.peers[id]
		_, validator := validators[id]
		all = append(all, Peer{
			ID: id, Member: n.member, Plain: n.plain, Guest: n.guest, Validator: validator,
			Inbound: n.inbound, Outbound: n.outbound, Version: n.version,
			Score: m.reputation.Score(now, id), Terms: m.reputation.Terms(now, id), View: views[id],
		})
	}
	return all
}

// Known are all peers that dialing knows, connected or not.
func (m *Machine) Known(now time.Time) []dialing.PeerState { return m.dialing.Peers(now) }

// Refusals are the handshakes that failed last, the oldest first; one of each peer.
func (m *Machine) Refusals(time.Time) []Refusal { return m.refusals.all() }

// ClaimState is a booked claim.
type ClaimState struct {
	claim.Claim
	Own       bool // ours
	Member    bool // its owner is connected and complete
	Validator bool
}

// Claims are our own claim and those in the book, by peer.
func (m *Machine) Claims(time.Time) []ClaimState {
	validators := m.admissions.validators()
	book := m.tracker.Book()
	all := make([]ClaimState, 0, book.Len()+1)
	add := func(s claim.Signed, own bool) {
		n := m.peers[s.Peer]
		_, validator := validators[s.Peer]
		all = append(all, ClaimState{Claim: s.Claim(), Own: own, Member: n != nil && n.member, Validator: validator})
	}
	if own := m.signer.Current(); own.Bytes() != nil {
		add(own, true)
	}
	for i := range book.Len() {
		add(book.At(i), false)
	}
	slices.SortFunc(all, func(a, b ClaimState) int { return cmp.Compare(a.Peer, b.Peer) })
	return all
}

// Validator is one place in the validator set.
type Validator struct {
	Peer      core.PeerID // empty: nobody proved Key yet
	Key       Key         // zero: the set names the peer itself
	Weight    uint64
	Own       bool // ours: it names us, or the key that we prove
	Connected bool
	Uptime    uptime.Percent // as we perceive it; of our own all
	Known     bool           // Uptime is set
}

// Validators are the validator set, by peer and key.
func (m *Machine) Validators(now time.Time) (all []Validator) {
	self, own := m.cfg.Handshake.Self, m.ownKey()
	add := func(v Validator) {
		if v.Peer == self || v.Key == own && own != (Key{}) {
			v.Peer, v.Own, v.Uptime, v.Known = self, true, uptime.All, true
		} else {
			n := m.peers[v.Peer]
			v.Connected = n != nil && n.member
			v.Uptime, v.Known = m.uptime.Uptime(now, v.Peer)
		}
		all = append(all, v)
	}
	for _, p := range sorted(m.admissions.peers) {
		add(Validator{Peer: p, Weight: m.admissions.peers[p]})
	}
	for key, weight := range m.admissions.keys {
		add(Validator{Peer: m.admissions.proven[key], Key: key, Weight: weight})
	}
	slices.SortStableFunc(all, func(a, b Validator) int {
		return cmp.Or(cmp.Compare(a.Peer, b.Peer), slices.Compare(a.Key[:], b.Key[:]))
	})
	return all
}

// ownKey is the key that we prove; zero: none.
func (m *Machine) ownKey() Key {
	if m.cfg.ConsensusKey == nil {
		return Key{}
	}
	return Key(m.cfg.ConsensusKey.Public().(ed25519.PublicKey))
}

// Bans are the bans in force.
func (m *Machine) Bans(now time.Time) []reputation.Ban { return m.reputation.Bans(now) }

// Signed is when our claim was signed; zero before the first.
func (m *Machine) Signed() time.Time { return m.signer.Current().Time }

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Asymmetric   uint64 // pairs that did not become symmetric in time
	PlainRefused uint64 // plain peers without a place
	Held         uint64 // messages that waited for the end of a handshake
	Gossiped     uint64 // claims that came by gossip and were good
	Hasty        uint64 // own claims that a member pushed too fast, left out

	Handshake  handshake.Stats
	PeerList   peerlist.Stats
	Claims     claim.Stats
	Gossip     infect.Stats
	Uptime     uptime.Stats
	Dialing    dialing.Stats
	Reputation reputation.Stats

	Connected, Members, Plain, Validators int
	Places                                int // in the validator set, proven or not

	Observed   uptime.Percent // what the others say of our uptime
	IsObserved bool           // false: nobody said anything
}

// Stats says how discovery fares.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Handshake, s.PeerList, s.Claims = m.handshake.Stats(), m.lists.Stats(), m.tracker.Book().Stats()
	s.Gossip, s.Uptime, s.Dialing, s.Reputation = m.gossip.Stats(), m.uptime.Stats(), m.dialing.Stats(), m.reputation.Stats()
	s.Observed, s.IsObserved = m.uptime.Observed()
	s.Connected, s.Members, s.Plain, s.Validators = len(m.peers), m.members, m.plain, len(m.admissions.validators())
	s.Places = len(m.admissions.peers) + len(m.admissions.keys)
	return s
}
