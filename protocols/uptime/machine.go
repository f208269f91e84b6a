package uptime

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

const (
	// pingBurst and pingEvery bound what a peer may ask of us. Chosen so that an
	// honest peer, at one ping in 27 s, stays far below, also when pings that
	// waited while we were stopped arrive together.
	pingBurst = 10
	pingEvery = time.Second
)

// Machine pings members and keeps the ledger of uptimes.
type Machine struct {
	cfg    Config
	rng    *rand.Rand
	ledger ledger
	peers  map[core.PeerID]*peer // members, bounded by the peer limit
	order  []*peer               // the members again, in a repeatable order
	open   int                   // pings that wait for their pong
	watch  time.Time             // when the next tick should come while a ping is open; zero: none is
	next   time.Time             // nothing is due before
	stats  Stats
}

// peer is a member with its ping.
type peer struct {
	id     core.PeerID
	pingAt time.Time // of the next ping; zero: the peer is silent and about to be disconnected

	ping      uint64    // ID of the last ping
	late      []uint64  // IDs of earlier ones without a pong, at most MaxMissed
	sent, due time.Time // sent is zero once the pong is here
	open      bool
	heard     time.Time // when anything last came
	missed    int       // in a row

	rtt, smooth time.Duration
	says        Percent // of us
	told        bool    // says is set

	mayPing core.Bucket // pings it may send
}

// New makes a machine from a valid configuration. Ping IDs are drawn from rng:
// where it is unpredictable no peer can answer before it was asked.
func New(cfg Config, rng *rand.Rand) *Machine {
	return &Machine{cfg: cfg, rng: rng, ledger: newLedger(cfg.Remember), peers: map[core.PeerID]*peer{}}
}

// SetValidators replaces the validator set; weights of zero count as one.
func (m *Machine) SetValidators(now time.Time, weights map[core.PeerID]uint64) {
	m.ledger.setValidators(now, weights)
}

// Joined takes in a new member. It has just proved that it lives: its first ping
// waits for a while.
func (m *Machine) Joined(now time.Time, id core.PeerID) {
	if m.peers[id] != nil {
		return
	}
	m.ledger.joined(now, id)
	p := &peer{id: id, heard: now, mayPing: core.Bucket{PerSecond: 1 / pingEvery.Seconds(), Most: pingBurst}}
	m.peers[id] = p
	m.order = append(m.order, p)
	p.pingAt = now.Add(m.firstPing())
	m.next = core.Earliest(m.next, p.pingAt)
}

// firstPing is how long the first ping of a peer waits. A node that joins makes all
// its connections at a time, and would ping them at a time for ever.
func (m *Machine) firstPing() time.Duration {
	least := m.cfg.First / 3
	return least + time.Duration(m.rng.Int64N(int64(m.cfg.First-least)+1))
}

// Left forgets a member that disconnected, but not its uptime.
func (m *Machine) Left(now time.Time, id core.PeerID) {
	p := m.peers[id]
	if p == nil {
		return
	}
	m.close(p)
	delete(m.peers, id)
	for i, q := range m.order {
		if q == p {
			m.order = append(m.order[:i], m.order[i+1:]...)
			break
		}
	}
	m.ledger.left(now, id)
}

// Heard notes that any message came from a member.
func (m *Machine) Heard(now time.Time, from core.PeerID) {
	if p := m.peers[from]; p != nil {
		p.heard = now
	}
}

// Receive takes in a message of this protocol.
func (m *Machine) Receive(now time.Time, from core.PeerID, kind frame.Type, payload []byte, out *[]core.Action) {
	p := m.peers[from]
	if p == nil {
		return
	}
	p.heard = now
	var err error
	switch kind {
	case TypePing:
		err = m.onPing(now, p, payload, out)
	case TypePong:
		err = m.onPong(now, p, payload, out)
	default:
		err = fmt.Errorf("%w: type %d", ErrMalformed, kind)
	}
	if err != nil {
		m.blame(p, OffenceMalformed, err.Error(), out)
	}
}

func (m *Machine) onPing(now time.Time, p *peer, payload []byte, out *[]core.Action) error {
	ping, err := ParsePing(payload)
	if err != nil {
		return err
	}
	if !p.mayPing.Take(now) {
		m.blame(p, OffenceTooOften, fmt.Sprintf("more than %d pings at once and one in %v", pingBurst, pingEvery), out)
		return nil
	}
	p.says, p.told = ping.Uptime, true
	*out = append(*out, send(p.id, TypePong, Pong{ping.ID}.Append(nil)))
	return nil
}

func (m *Machine) onPong(now time.Time, p *peer, payload []byte, out *[]core.Action) error {
	pong, err := ParsePong(payload)
	if err != nil {
		return err
	}
	late := slices.Index(p.late, pong.ID)
	switch {
	case pong.ID == p.ping && !p.sent.IsZero(): // in time, or late: either way it lives
		m.close(p)
		m.measure(p, now.Sub(p.sent))
		p.sent, p.missed = time.Time{}, 0
	case late >= 0:
		p.late = slices.Delete(p.late, late, late+1)
		p.missed = 0
	default:
		m.blame(p, OffenceUnsolicited, "a pong without a ping", out)
	}
	return nil
}

// measure takes in a round trip; the smoothing is TCP's (RFC 6298).
func (m *Machine) measure(p *peer, rtt time.Duration) {
	p.rtt = rtt
	if p.smooth == 0 {
		p.smooth = rtt
	}
	p.smooth += (rtt - p.smooth) / 8
}

// Tick sends the pings that are due and judges those that waited too long.
func (m *Machine) Tick(now time.Time, out *[]core.Action) {
	m.excuse(now)
	for _, p := range m.order {
		if p.open && !p.due.After(now) {
			m.miss(now, p, out)
		}
		if !p.open && !p.pingAt.IsZero() && !p.pingAt.After(now) {
			m.send(now, p, out)
		}
	}
	m.arm(now)
}

// excuse grants every open ping the time during which we were away ourselves.
func (m *Machine) excuse(now time.Time) {
	if m.open == 0 || m.watch.IsZero() {
		return
	}
	late := now.Sub(m.watch)
	if late <= m.cfg.Pause {
		return
	}
	m.stats.Pauses++
	for _, p := range m.order {
		if p.open {
			p.due = p.due.Add(late)
		}
	}
}

// miss gives up on a ping, and on the peer where nothing came since, or where it
// has left too many unanswered.
func (m *Machine) miss(now time.Time, p *peer, out *[]core.Action) {
	m.close(p)
	m.stats.Missed++
	p.missed++
	if p.heard.After(p.sent) && p.missed < m.cfg.MaxMissed {
		return
	}
	m.stats.Silent++
	p.pingAt = time.Time{}
	*out = append(*out, Silent{Peer: p.id, For: now.Sub(p.heard)})
}

// send pings a peer, telling it how we perceive it.
func (m *Machine) send(now time.Time, p *peer, out *[]core.Action) {
	if !p.sent.IsZero() {
		p.late = append(p.late, p.ping)
		p.late = p.late[max(0, len(p.late)-m.cfg.MaxMissed):]
	}
	p.ping = m.rng.Uint64()
	p.sent, p.due, p.open = now, now.Add(m.cfg.Within), true
	jitter := time.Duration(m.rng.Int64N(int64(m.cfg.Every)/5)) - m.cfg.Every/10
	p.pingAt = now.Add(m.cfg.Every + jitter)
	m.open++
	m.stats.Pings++
	if m.watch.IsZero() {
		m.watch = now.Add(m.cfg.Pause)
	}
	m.next = core.Earliest(m.next, m.watch)
	uptime, _ := m.ledger.uptime(now, p.id)
	*out = append(*out, send(p.id, TypePing, Ping{p.ping, uptime}.Append(nil)))
}

func (m *Machine) close(p *peer) {
	if p.open {
		p.open = false
		m.open--
	}
}

// arm works out when the next tick is due.
func (m *Machine) arm(now time.Time) {
	m.watch, m.next = time.Time{}, time.Time{}
	if m.open > 0 {
		m.watch = now.Add(m.cfg.Pause)
		m.next = m.watch
	}
	for _, p := range m.order {
		if p.open {
			m.next = core.Earliest(m.next, p.due)
		} else {
			m.next = core.Earliest(m.next, p.pingAt)
		}
	}
}

// Deadline is when Tick has something to do.
func (m *Machine) Deadline() time.Time { return m.next }

func (m *Machine) blame(p *peer, f core.Offence, detail string, out *[]core.Action) {
	m.stats.Faults++
	*out = append(*out, core.Penalize{Peer: p.id, Offence: f, Detail: detail})
}
