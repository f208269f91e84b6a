package dialing

import (
	"cmp"
	"slices"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Dials     uint64 // asked for
	DialBacks uint64 // of them, to peers that had dialled us
	Failed    uint64 // answered by a failure
	Swept     uint64 // never answered
	Rejected  uint64 // handshakes that failed
	Forgotten uint64 // candidates that failed too often
	Evicted   uint64 // candidates that made room for others
	Refused   uint64 // newcomers for whom there was no room
	LeftOut   uint64 // addresses not dialled because their IP was over budget
	Postponed uint64 // dials put off because that was so of every address
	Self      uint64 // times that somebody named this node itself

	Known, Dialling, Inbound, Outbound, Both int // Inbound and Outbound: in that direction only
	Guests                                   int // connected without a place
	Bootstrappers, BootstrapConnected        int
	Validators, ValidatorsConnected          int
}

// Pinned says whether the operator named a peer: as a bootstrapper or validator.
func (m *Machine) Pinned(id core.PeerID) bool {
	k := m.book.get(id)
	return k != nil && k.pinned()
}

// Stats says how dialing fares.
func (m *Machine) Stats() Stats {
	s, b := m.stats, m.book
	s.Known, s.Dialling, s.Guests = len(b.byID), len(b.dials), b.guests
	s.Inbound, s.Outbound, s.Both = b.links[inbound], b.links[outbound], b.links[both]
	s.Bootstrappers, s.BootstrapConnected = len(b.bootstrappers), countConnected(b.bootstrappers)
	s.Validators, s.ValidatorsConnected = len(b.validators), countConnected(b.validators)
	return s
}

func countConnected(peers []*known) (n int) {
	for _, k := range peers {
		if k.connected() {
			n++
		}
	}
	return n
}

// State is what the node means to do about a peer.
type State uint8

// The states of a known peer.
const (
	StateWaiting   State = iota // may be dialled, when one more is wanted
	StateDialling               // a dial has no answer yet
	StateConnected              // by either side
	StateBackoff                // it failed: not dialled before RetryAt
	StateCoolDown               // by order: not dialled before RetryAt
	StateRejected               // the handshake failed: not dialled before RetryAt
	StateBanned                 // not dialled before RetryAt
)

func (s State) String() string {
	return [...]string{"waiting", "dialling", "connected", "backoff", "cool-down", "rejected", "banned"}[s]
}

// PeerState is one known peer.
type PeerState struct {
	ID           core.PeerID
	Addrs        []multiaddr.Multiaddr // those that would be dialled
	Source       string                // config, saved, claim, mdns, dht, validators, or inbound when it came by itself
	Bootstrapper bool
	Validator    bool
	State        State
	Inbound      bool      // connected, and the peer dialled us
	Outbound     bool      // connected, and we dialled
	Since        time.Time // when it was connected, or the dial began; else zero
	Failures     int       // dials, short connections and handshakes, in a row
	RetryAt      time.Time // in backoff, cool-down, rejected and banned; else zero
	Reason       string    // why it failed last, was rejected, or cools down
}

// Peers is a snapshot of everyone known, in the order in which they came.
func (m *Machine) Peers(now time.Time) []PeerState {
	peers := make([]*known, 0, len(m.book.byID))
	for _, k := range m.book.byID {
		peers = append(peers, k)
	}
	slices.SortFunc(peers, func(a, b *known) int { return cmp.Compare(a.seq, b.seq) })
	all := make([]PeerState, 0, len(peers))
	for _, k := range peers {
		all = append(all, k.show(now, &m.cfg))
	}
	return all
}

func (k *known) show(now time.Time, cfg *Config) PeerState {
	p := PeerState{
		ID: k.id, Addrs: k.addrs(cfg), Source: k.origin(), Bootstrapper: k.bootstrapper, Validator: k.validator,
		Inbound: k.direction.in(), Outbound: k.direction.out(), Failures: k.tries(), Reason: k.reason, State: k.state(now),
	}
	switch p.State {
	case StateConnected:
		p.Since = k.since
	case StateDialling:
		p.Since = k.dial.at
	case StateBackoff, StateCoolDown, StateRejected, StateBanned:
		p.RetryAt = k.dialAt()
	}
	return p
}

func (k *known) state(now time.Time) State {
	switch {
	case k.connected():
		return StateConnected
	case k.dial != nil:
		return StateDialling
	case k.banned && k.coolUntil.After(now):
		return StateBanned
	case k.coolUntil.After(now):
		return StateCoolDown
	case k.held(now):
		return StateRejected
	case k.due.After(now) && (k.tries() > 0 || k.postponed > 0):
		return StateBackoff
	}
	return StateWaiting
}

func (k *known) origin() string {
	switch {
	case k.bootstrapper:
		return core.SourceConfig.String()
	case k.saved:
		return core.SourceSaved.String()
	case k.heard:
		return k.source.String()
	case k.validator:
		return "validators"
	}
	return "inbound"
}
