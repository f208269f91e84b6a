package broadcast

import (
	"errors"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// ErrTooOften means that an object of ours was not broadcast.
var ErrTooOften = errors.New("too many objects are being broadcast: wait a second, or leave it to the periodic pull, which brings it to everybody")

// The offences. Reputation decides what each costs.
const (
	OffenceMalformed core.Offence = "broadcast.malformed" // another type, or no object
	OffenceTooOften  core.Offence = "broadcast.too-often" // objects beyond the bound
)

// Carries says whether a member carries a topic. It must not do IO.
type Carries func(peer core.PeerID, topic string) bool

// Heard hands over an object that a member broadcast. Whether it is one, is known, and
// may be broadcast by that author, is the composer's to say.
type Heard struct {
	From   core.PeerID
	Object []byte
}

func (Heard) Action() {}

// Stats are counters since the start and, at the end, a gauge.
type Stats struct {
	Broadcasts, Sent, Held uint64 // objects of ours, messages of them, objects over our own bound
	Heard, TooOften        uint64
	Faults                 uint64

	Peers int
}

// Machine broadcasts objects.
type Machine struct {
	cfg     Config
	carries Carries
	may     core.Bucket // what we may broadcast
	peers   []core.PeerID
	mayTake map[core.PeerID]*core.Bucket
	stats   Stats
}

// New makes a machine from a valid configuration.
func New(cfg Config, carries Carries) *Machine {
	return &Machine{
		cfg: cfg, carries: carries, mayTake: map[core.PeerID]*core.Bucket{},
		may: core.Bucket{PerSecond: float64(cfg.PerSecond), Most: float64(cfg.Burst)},
	}
}

// PeerUp takes in a new member.
func (m *Machine) PeerUp(peer core.PeerID) {
	if m.mayTake[peer] == nil {
		m.mayTake[peer] = &core.Bucket{PerSecond: float64(m.cfg.TakePerSecond), Most: float64(m.cfg.TakeBurst)}
		m.peers = append(m.peers, peer)
	}
}

// PeerDown forgets a member that disconnected.
func (m *Machine) PeerDown(peer core.PeerID) {
	delete(m.mayTake, peer)
	m.peers = slices.DeleteFunc(m.peers, func(p core.PeerID) bool { return p == peer })
}

// Broadcast sends a valid object to all members that carry its topic, and says to how
// many. All messages share its bytes.
func (m *Machine) Broadcast(now time.Time, topic string, encoded []byte, out *[]core.Action) (int, error) {
	if err := Check(TypeObject, encoded); err != nil {
		return 0, err
	}
	if !m.may.Take(now) {
		m.stats.Held++
		return 0, ErrTooOften
	}
	sent := 0
	for _, p := range m.peers {
		if m.carries(p, topic) {
			*out = append(*out, core.Send{Peer: p, Protocol: Protocol, Type: TypeObject, Payload: encoded})
			sent++
		}
	}
	m.stats.Broadcasts++
	m.stats.Sent += uint64(sent)
	return sent, nil
}

// Receive takes in a message of this protocol from a member.
func (m *Machine) Receive(now time.Time, from core.PeerID, kind frame.Type, payload []byte, out *[]core.Action) {
	may := m.mayTake[from]
	if may == nil {
		return
	}
	if err := Check(kind, payload); err != nil {
		m.stats.Faults++
		*out = append(*out, core.Penalize{Peer: from, Offence: OffenceMalformed, Detail: err.Error()})
		return
	}
	if !may.Take(now) {
		m.stats.TooOften++
		*out = append(*out, core.Penalize{Peer: from, Offence: OffenceTooOften, Detail: "it broadcasts more objects than it may"})
		return
	}
	m.stats.Heard++
	*out = append(*out, Heard{from, payload})
}

// Stats returns counters and a gauge.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Peers = len(m.peers)
	return s
}
