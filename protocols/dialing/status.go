package dialing

import (
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Dials     uint64 // asked for
	Failed    uint64 // answered by a failure
	Swept     uint64 // never answered
	Forgotten uint64 // candidates that failed too often
	Evicted   uint64 // candidates that made room for others
	Refused   uint64 // newcomers for whom there was no room
	Self      uint64 // times that somebody named this node itself

	Known, Dialling, Inbound, Outbound int
	Bootstrappers, BootstrapConnected  int
}

// Stats says how dialing fares.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Known, s.Bootstrappers = len(m.book.all), len(m.book.pinned)
	s.Dialling, s.Inbound, s.Outbound = m.book.links[dialling], m.book.links[inbound], m.book.links[outbound]
	for _, k := range m.book.pinned {
		if k.link.connected() {
			s.BootstrapConnected++
		}
	}
	return s
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
	Source       string                // config, saved, claim, mdns or dht; inbound when it came by itself
	Bootstrapper bool
	Validator    bool
	State        State
	Inbound      bool      // connected, and the peer dialled us
	Outbound     bool      // connected, and we dialled
	Since        time.Time // when it was connected, or the dial began; else zero
	Failures     int       // in a row
	RetryAt      time.Time // in backoff and cool-down; else zero
	Reason       string    // why it failed last, or cools down
}

// Peers is a snapshot of everyone known, in the order in which they came.
func (m *Machine) Peers(now time.Time) []PeerState {
	all := make([]PeerState, 0, len(m.book.all))
	for _, k := range m.book.all {
		p := PeerState{
			ID: k.id, Addrs: k.addrs(m.cfg.MaxAddrs), Source: k.origin(), Bootstrapper: k.bootstrapper, Validator: k.validator,
			Inbound: k.link == inbound, Outbound: k.link == outbound, Failures: k.failures + k.refusals, Reason: k.reason, State: k.state(now),
		}
		switch p.State {
		case StateConnected, StateDialling:
			p.Since = k.since
		case StateBackoff, StateCoolDown, StateRejected, StateBanned:
			p.RetryAt = k.dialAt()
		}
		all = append(all, p)
	}
	return all
}

func (k *known) state(now time.Time) State {
	switch {
	case k.link.connected():
		return StateConnected
	case k.link == dialling:
		return StateDialling
	case k.banned && k.coolUntil.After(now):
		return StateBanned
	case k.coolUntil.After(now):
		return StateCoolDown
	case k.refused && k.due.After(now):
		return StateRejected
	case k.due.After(now):
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
	}
	return "inbound"
}
