package libp2phost

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/sys/unix"
)

const (
	// memoryShare is libp2p's part of the memory, and the bounds on it, as in
	// libp2p's own automatic scaling (go-libp2p limit_defaults.go), which looks
	// at the host alone and not at the cgroup.
	memoryShare    = 8
	minMemoryBytes = 128 << 20
	maxMemoryBytes = 1 << 30

	// reservedPlaces is how many peers beyond MaxPeers the limits leave room
	// for; chosen because networks have few bootstrappers.
	reservedPlaces = 32
	// streamsPerPeer is what the limits leave room for at least; chosen because
	// pubsub, identify and concurrent DHT queries need about ten.
	streamsPerPeer = 32

	// streamWindow is what yamux reserves for each stream, in bytes, used or not
	// (go-yamux const.go); a connection for whose new stream it cannot is closed.
	// windowsPerPeer is how many streams of each peer must have theirs: those of
	// four protocols of weft's own and of pubsub, both ways, and two of the DHT or
	// identify.
	streamWindow   = 256 << 10
	windowsPerPeer = 12

	// An IPv6 /56 is what one customer gets, and counts as one address; a /48
	// counts as eight (go-libp2p conn_limiter.go).
	siteBits, regionBits, regionSites = 56, 48, 8

	// rateMemory is how long an address is remembered at least once its rate is
	// back to normal (libp2p's own value).
	rateMemory = time.Minute
)

var (
	loopback4 = netip.MustParsePrefix("127.0.0.0/8")
	loopback6 = netip.MustParsePrefix("::1/128")
)

// memoryLimit is the memory that we may count on: the least of what is
// configured, the cgroup's limit and the machine's memory.
func memoryLimit(configured uint64) (uint64, error) {
	if configured > 0 {
		return configured, nil
	}
	machine, err := memlimit.FromSystem()
	if err != nil {
		return 0, fmt.Errorf("cannot tell how much memory there is: %w: set the memory limit", err)
	}
	if group, err := memlimit.FromCgroup(); err == nil && group > 0 {
		return min(group, machine), nil
	}
	return machine, nil
}

// concreteLimits scales libp2p's default limits to the memory, and raises those
// that so many peers would meet.
func concreteLimits(memory uint64, maxPeers int) rcmgr.ConcreteLimitConfig {
	scaling := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&scaling)
	share := min(max(memory/memoryShare, minMemoryBytes), maxMemoryBytes)
	base := scaling.Scale(int64(share), maxOpenFiles())

	peers := maxPeers + reservedPlaces
	sys := base.ToPartialLimitConfig()
	raise(&sys.System, peers*connsPerPeer, peers*streamsPerPeer)
	if sys.System.Memory != rcmgr.Unlimited64 {
		sys.System.Memory = max(sys.System.Memory, rcmgr.LimitVal64(peers*windowsPerPeer*streamWindow))
	}
	raise(&sys.Transient, peers, peers*streamsPerPeer) // all may join in the same moment
	raise(&sys.ProtocolDefault, 0, peers*streamsPerPeer)
	for _, id := range []protocol.ID{identify.ID, identify.IDPush} {
		limit := sys.Protocol[id]
		raise(&limit, 0, 2*peers*connsPerPeer)
		sys.Protocol[id] = limit
	}
	ids := sys.Service[identify.ServiceName]
	raise(&ids, 0, 4*peers*connsPerPeer)
	sys.Service[identify.ServiceName] = ids
	return sys.Build(base)
}

// raise lifts the connection and stream limits to at least those given.
func raise(l *rcmgr.ResourceLimits, conns, streams int) {
	up := func(v *rcmgr.LimitVal, n int) {
		if *v != rcmgr.Unlimited {
			*v = max(*v, rcmgr.LimitVal(n))
		}
	}
	if conns > 0 {
		up(&l.ConnsInbound, conns)
		up(&l.ConnsOutbound, conns)
		up(&l.Conns, 2*conns)
	}
	up(&l.StreamsInbound, streams)
	up(&l.StreamsOutbound, streams)
	up(&l.Streams, 2*streams)
}

func maxOpenFiles() int {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil || lim.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(lim.Cur)
}

// countedLimits is a resource manager that counts what it refuses.
type countedLimits struct {
	network.ResourceManager
	refused *refusals
}

func newLimits(cfg Config, refused *refusals) (network.ResourceManager, error) {
	memory, err := memoryLimit(cfg.MemoryLimit)
	if err != nil {
		return nil, err
	}
	opts := []rcmgr.Option{
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: cfg.ConnsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{
				{PrefixLength: siteBits, ConnCount: cfg.ConnsPerIP},
				{PrefixLength: regionBits, ConnCount: regionSites * cfg.ConnsPerIP},
			}),
		rcmgr.WithNetworkPrefixLimit(loopbackConns(cfg)),
		rcmgr.WithConnRateLimiters(connRate(cfg)), // never nil: libp2p would panic
		// Its metrics trace every change of every scope, a twentieth of what a
		// connection costs; what is refused is counted here.
		rcmgr.WithMetricsDisabled(),
	}
	inner, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(concreteLimits(memory, cfg.MaxPeers+cfg.Guests)), opts...)
	if err != nil {
		return nil, err
	}
	return &countedLimits{inner, refused}, nil
}

// loopbackConns exempts loopback from the per-IP limit, as libp2p does, unless
// it is to count. Not nil: nil would mean libp2p's default.
func loopbackConns(cfg Config) (v4, v6 []rcmgr.NetworkPrefixLimit) {
	if cfg.LimitLoopback {
		return []rcmgr.NetworkPrefixLimit{}, []rcmgr.NetworkPrefixLimit{}
	}
	return []rcmgr.NetworkPrefixLimit{{Network: loopback4, ConnCount: math.MaxInt}},
		[]rcmgr.NetworkPrefixLimit{{Network: loopback6, ConnCount: math.MaxInt}}
}

// connRate limits new connections per address. A zero rate.Limit is no limit.
func connRate(cfg Config) *rate.Limiter {
	if cfg.ConnRatePerIP == 0 {
		return &rate.Limiter{}
	}
	limit := rate.Limit{RPS: cfg.ConnRatePerIP, Burst: 2 * cfg.ConnsPerIP}
	r := &rate.Limiter{SubnetRateLimiter: rate.SubnetLimiter{
		IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: limit}},
		IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: siteBits, Limit: limit}},
		GracePeriod:      rateMemory,
	}}
	if !cfg.LimitLoopback {
		r.NetworkPrefixLimits = []rate.PrefixLimit{{Prefix: loopback4}, {Prefix: loopback6}}
	}
	return r
}

func (l *countedLimits) OpenConnection(dir network.Direction, usefd bool, addr ma.Multiaddr) (network.ConnManagementScope, error) {
	scope, err := l.ResourceManager.OpenConnection(dir, usefd, addr)
	if err != nil {
		why := &refusal{ReasonResources, "resource limit: " + err.Error()}
		l.refused.add(why, "addr", addr, "direction", dir.String())
		return nil, why
	}
	return scope, nil
}
