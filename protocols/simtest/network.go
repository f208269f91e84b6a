package simtest

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid simulation")

// Latency is the one-way delay between two hosts, by their numbers. It must be
// the same in both directions.
type Latency func(a, b int) time.Duration

// Fixed is the same latency everywhere.
func Fixed(d time.Duration) Latency { return func(a, b int) time.Duration { return d } }

// Uniform gives each pair a latency of its own between two bounds.
func Uniform(seed uint64, least, most time.Duration) Latency {
	return func(a, b int) time.Duration {
		pair := rand.NewPCG(seed, uint64(min(a, b))<<32|uint64(max(a, b)))
		return least + time.Duration(pair.Uint64()%uint64(most-least+1))
	}
}

// Config is what a network is like.
type Config struct {
	Latency     Latency
	Jitter      time.Duration // added to each message: up to so much
	Loss        float64       // of messages; connections are set up all the same
	SetupTrips  int           // round trips until the dialler has a connection
	DialTimeout time.Duration // of a dial that nobody answers

	MaxSkew  time.Duration // between two clocks, beyond which messages are skipped; 0: no limit
	AnyClock string        // the one protocol for which that does not hold
}

// DefaultConfig is a network with a one-way latency of 50 ms and no loss.
func DefaultConfig() Config {
	return Config{
		Latency:     Fixed(50 * time.Millisecond),
		SetupTrips:  3,                // TCP, multistream-select, TLS 1.3 with early muxer negotiation
		DialTimeout: 10 * time.Second, // as in libp2phost
		MaxSkew:     time.Minute,      // as in libp2phost
		AnyClock:    "/weft/handshake/1.0.0",
	}
}

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	switch {
	case c.Latency == nil:
		return fmt.Errorf("%w: Latency is missing: set Fixed or Uniform", ErrConfig)
	case c.Loss < 0 || c.Loss > 1 || c.Jitter < 0:
		return fmt.Errorf("%w: Loss is %v, Jitter %v: set 0 to 1, and 0 or more", ErrConfig, c.Loss, c.Jitter)
	case c.SetupTrips < 1 || c.DialTimeout <= 0:
		return fmt.Errorf("%w: SetupTrips is %d, DialTimeout %v: set both above 0", ErrConfig, c.SetupTrips, c.DialTimeout)
	}
	return nil
}

// Network carries connections and messages between hosts.
type Network struct {
	sim    *Sim
	cfg    Config
	hosts  []*Host
	byAddr map[string]*Host
	lanes  []string // protocols, in the order in which they were first used
	spare  *message // delivered ones, to be used again
}

// NewNetwork makes a network without hosts.
func NewNetwork(s *Sim, cfg Config) (*Network, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Network{sim: s, cfg: cfg, byAddr: map[string]*Host{}}, nil
}

// Overhead is what the frame of a message takes beside its payload, in bytes.
const Overhead = frame.LengthSize + frame.HeaderSize

// latency of one message.
func (n *Network) latency(a, b *Host) time.Duration { return n.cfg.Latency(a.index, b.index) }

// reachable says whether anything gets from a to b.
func (n *Network) reachable(a, b *Host) bool { return b.up && a.side == b.side }

// lane numbers a protocol.
func (n *Network) lane(protocol string) int {
	for i, p := range n.lanes {
		if p == protocol {
			return i
		}
	}
	n.lanes = append(n.lanes, protocol)
	return len(n.lanes) - 1
}

// find returns who listens at one of the addresses.
func (n *Network) find(addrs []multiaddr.Multiaddr) *Host {
	for _, a := range addrs {
		if h := n.byAddr[string(a.Bytes())]; h != nil {
			return h
		}
	}
	return nil
}

// conn is a connection. Each end learns of its beginning and end at its own time.
type conn struct {
	dialler, listener *Host
	last              [2][]time.Duration // arrival of the newest message, by direction and lane
	up                [2]bool            // at the dialler, at the listener
}

// end numbers the two ends.
func (c *conn) end(h *Host) int {
	if h == c.dialler {
		return 0
	}
	return 1
}

func (c *conn) other(h *Host) *Host {
	if h == c.dialler {
		return c.listener
	}
	return c.dialler
}

// arrival is when a message sent now gets to the other end: not before the one
// that was sent before it.
func (c *conn) arrival(from *Host, lane int) time.Duration {
	n := from.net
	d := n.latency(c.dialler, c.listener)
	if n.cfg.Jitter > 0 {
		d += time.Duration(n.sim.rng.Int64N(int64(n.cfg.Jitter)))
	}
	last := c.lanesOf(from)
	for len(*last) <= lane {
		*last = append(*last, 0)
	}
	at := max(n.sim.now+d, (*last)[lane])
	(*last)[lane] = at
	return at
}

// lastArrival is when the newest message of an end gets to the other.
func (c *conn) lastArrival(from *Host) (last time.Duration) {
	for _, at := range *c.lanesOf(from) {
		last = max(last, at)
	}
	return last
}

func (c *conn) lanesOf(from *Host) *[]time.Duration { return &c.last[c.end(from)] }

// message is one on its way.
type message struct {
	conn    *conn
	to      *Host
	lane    int
	kind    frame.Type
	payload []byte
	next    *message
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (m *message) happen() {
	to, n := m.to, m.to.net
	from := m.conn.other(to)
	n.sim.note(uint64(to.index), uint64(m.lane)<<8|uint64(m.kind), uint64(crc32.Checksum(m.payload, castagnoli)))
	switch {
	case !n.reachable(from, to):
	case !m.conn.up[m.conn.end(to)]: // closed, or of an earlier life: it says so
		to.tellEnd(m.conn)
	case n.skewed(from, to, m.lane):
	default:
		to.traffic(m.lane).Received.add(len(m.payload))
		to.post(core.Received{Peer: from.cfg.ID, Protocol: n.lanes[m.lane], Type: m.kind, Payload: m.payload})
	}
	*m = message{next: n.spare}
	n.spare = m
}

// skewed says that the time in a message's header differs too much from the
// receiver's.
func (n *Network) skewed(from, to *Host, lane int) bool {
	if n.cfg.MaxSkew == 0 || n.lanes[lane] == n.cfg.AnyClock {
		return false
	}
	return from.now().Sub(to.now()).Abs() > n.cfg.MaxSkew
}

func (n *Network) newMessage() *message {
	m := n.spare
	if m == nil {
		return &message{}
	}
	n.spare = m.next
	return m
}
