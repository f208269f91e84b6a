package dialing

import (
	"math/rand/v2"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// Machine is the dialing policy as a core.Machine.
type Machine struct {
	cfg      Config
	rng      *rand.Rand
	book     *book
	rate     core.Bucket
	ips      ipBudgets
	dialTook time.Duration // of late, smoothed: what a dial that succeeds takes
	turn     lane          // served first when the rate does not do for all
	awaiting bool          // the first SetBootstrappers has not come yet
	fallback bool          // saved peers are being tried, and that was told
	stats    Stats
	deadline time.Time
}

// atOnce is a deadline that has passed whatever the time is; New is not told it.
var atOnce = time.Unix(1, 0)

// New makes a machine from a valid configuration. rng is the machine's own.
func New(cfg Config, rng *rand.Rand) *Machine {
	m := &Machine{
		cfg: cfg, rng: rng, book: newBook(&cfg), awaiting: cfg.AwaitBootstrappers, deadline: atOnce,
		rate: core.Bucket{PerSecond: float64(cfg.DialsPerSecond), Most: float64(cfg.DialBurst)}, ips: newIPBudgets(&cfg),
	}
	m.setBootstrappers(atOnce, cfg.Bootstrappers)
	for i, s := range cfg.Saved {
		if k := m.candidate(s.Peer, uint32(i), 2); k != nil {
			k.saved = true
			m.book.assign(k, m.book.saved)
			k.proven = pack(addAddrs(k.proven.addrs(), s.Addrs, cfg.MaxAddrs))
			m.book.file(k)
		}
	}
	m.cfg.Bootstrappers, m.cfg.Saved = nil, nil // the book has them
	return m
}

// Handle takes in what happened to connections and what was heard of peers.
func (m *Machine) Handle(now time.Time, ev core.Event, out *[]core.Effect) {
	switch ev := ev.(type) {
	case core.Connected:
		m.connected(now, ev, out)
	case core.Linked:
		m.linked(now, ev)
	case core.Disconnected:
		m.disconnected(now, ev.Peer, out)
	case core.DialFailed:
		m.dialFailed(now, ev, out)
	case core.Discovered:
		if !m.discovered(now, ev, out) {
			return
		}
	case core.Command:
		if !m.command(now, ev.Body, out) {
			return
		}
	default:
		return
	}
	m.plan(now, out)
}

// Tick gives up dials that were never answered and dials whoever is due.
func (m *Machine) Tick(now time.Time, out *[]core.Effect) { m.plan(now, out) }

// Deadline is when the next peer is due, or a dial is given up.
func (m *Machine) Deadline() time.Time { return m.deadline }

// candidate returns the entry of a peer, made if need be. It is nil for the node
// itself and when the book is full of better candidates.
func (m *Machine) candidate(id core.PeerID, rank uint32, trust int) *known {
	if m.isSelf(id) || id == "" {
		return nil
	}
	if k := m.book.get(id); k != nil {
		return k
	}
	if m.book.full() {
		worst := m.book.victim(trust)
		if worst == nil {
			m.stats.Refused++
			return nil
		}
		m.book.remove(worst)
		m.stats.Evicted++
	}
	return m.book.always(id, rank)
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
