package node_test

import (
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	"github.com/quic-go/quic-go"
)

// roughNet is a simulated network with 100 to 300 ms one way, in which one of twenty
// packets is lost.
type roughNet struct {
	*simnet.Simnet
	mu    sync.Mutex
	rng   *rand.Rand
	sides map[string]int // of a cut, by address; nothing passes from one to another
}

const (
	leastDelay  = 100 * time.Millisecond
	delayRange  = 200 * time.Millisecond // that pairs differ by
	delayJitter = 5 * time.Millisecond   // of a packet: a path seldom overtakes itself by more
	packetLoss  = 0.05
	linkSpeed   = 50_000_000 // bits a second
)

func newRoughNet(seed uint64) *roughNet {
	n := &roughNet{rng: rand.New(rand.NewPCG(seed, 0)), sides: map[string]int{}}
	n.Simnet = &simnet.Simnet{LatencyFunc: n.delay, Logger: slog.New(slog.DiscardHandler)}
	return n
}

// delay is the same for all packets between two hosts, but for the jitter.
func (n *roughNet) delay(p *simnet.Packet) time.Duration {
	from, to := p.From.(*net.UDPAddr).IP.To4(), p.To.(*net.UDPAddr).IP.To4()
	n.mu.Lock()
	defer n.mu.Unlock()
	pair := rand.NewPCG(uint64(from[3])+uint64(to[3]), uint64(from[3])*uint64(to[3]))
	pair.Uint64() // the first is much alike
	return leastDelay + time.Duration(pair.Uint64()%uint64(delayRange)) + time.Duration(n.rng.Int64N(int64(delayJitter)))
}

// cut puts a host on a side.
func (n *roughNet) cut(ip net.IP, side int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sides[ip.String()] = side
}

func (n *roughNet) loses(from, to net.Addr) bool {
	a, b := from.(*net.UDPAddr).IP.String(), to.(*net.UDPAddr).IP.String()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sides[a] != n.sides[b] || n.rng.Float64() < packetLoss
}

// socket loses packets.
type socket struct {
	*simnet.SimConn
	net *roughNet
}

func (s socket) WriteTo(p []byte, to net.Addr) (int, error) {
	if s.net.loses(s.LocalAddr(), to) {
		return len(p), nil
	}
	return s.SimConn.WriteTo(p, to)
}

// sourceIP tells QUIC from which address to send.
type sourceIP net.IP

func (s sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return net.IP(s), nil
}

// host starts a libp2p host. Close the manager after it.
func (n *roughNet) host(t testing.TB, ip net.IP) (h host.Host, quicManager *quicreuse.ConnManager) {
	t.Helper()
	link := simnet.LinkSettings{BitsPerSecond: linkSpeed}
	reuse := func(reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (_ *quicreuse.ConnManager, err error) {
		quicManager, err = quicreuse.NewConnManager(reset, token, opts...)
		return quicManager, err
	}
	h, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/"+ip.String()+"/udp/30303/quic-v1"),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.QUICReuse(reuse,
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return sourceIP(ip), nil }),
			quicreuse.OverrideListenUDP(func(_ string, addr *net.UDPAddr) (net.PacketConn, error) {
				return socket{n.NewEndpoint(addr, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}), n}, nil
			})),
		libp2p.DisableIdentifyAddressDiscovery(), // it stalls virtual time
		libp2p.DisableRelay(), libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.ConnectionManager(connmgr.NullConnMgr{}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return h, quicManager
}
