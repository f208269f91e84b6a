package simhost

import (
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/marcopolo/simnet"
)

// port is the UDP port of every host.
const port = 30303

// simnetwork is the simulated network. One goroutine adds endpoints.
type simnetwork struct {
	world *World
	net   *simnet.Simnet
	index map[string]int // IP address, as bytes, to place
	mu    sync.RWMutex   // guards index: hosts of an attack come later
	wire  wire
}

// wire counts packets, of all hosts together.
type wire struct{ packets, bytes, lost atomic.Uint64 }

func newNetwork(w *World) *simnetwork {
	n := &simnetwork{world: w, index: make(map[string]int)}
	n.net = &simnet.Simnet{LatencyFunc: n.delay, Logger: slog.New(slog.DiscardHandler)}
	return n
}

// address gives each host an address in a public /16 of its own: addresses of one
// group are trusted less.
func address(i int) net.IP { return net.IPv4(byte(20+i/250), byte(1+i%250), 0, 1).To4() }

func (n *simnetwork) delay(p *simnet.Packet) time.Duration {
	n.mu.RLock()
	defer n.mu.RUnlock()
	from, to := p.From.(*net.UDPAddr), p.To.(*net.UDPAddr)
	return n.world.delay(n.index[string(from.IP.To4())], n.index[string(to.IP.To4())])
}

// listen attaches a host at an address, in the place of the i-th node.
func (n *simnetwork) listen(addr *net.UDPAddr, i int) *endpoint {
	n.mu.Lock()
	n.index[string(addr.IP.To4())] = i
	n.mu.Unlock()
	link := simnet.LinkSettings{BitsPerSecond: int(n.world.Config.Mbps * 1e6)}
	c := n.net.NewEndpoint(addr, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link})
	return &endpoint{
		SimConn: c, wire: &n.wire, loss: n.world.Config.Loss,
		rng: rand.New(rand.NewPCG(uint64(n.world.Config.Seed), uint64(i))),
	}
}

// endpoint is a host's socket. It counts what it sends and loses some of it.
type endpoint struct {
	*simnet.SimConn
	wire *wire
	cut  atomic.Bool // the host has vanished: nothing leaves it any more

	mu   sync.Mutex
	loss float64
	rng  *rand.Rand
}

// WriteTo implements net.PacketConn.
func (e *endpoint) WriteTo(p []byte, to net.Addr) (int, error) {
	if e.cut.Load() {
		return len(p), nil
	}
	e.wire.packets.Add(1)
	e.wire.bytes.Add(uint64(len(p)))
	if e.lose() {
		e.wire.lost.Add(1)
		return len(p), nil
	}
	return e.SimConn.WriteTo(p, to)
}

func (e *endpoint) lose() bool {
	if e.loss == 0 {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rng.Float64() < e.loss
}

// source tells QUIC from which address to send.
type source net.IP

// PreferredSourceIPForDestination implements quicreuse.SourceIPSelector.
func (s source) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) { return net.IP(s), nil }
