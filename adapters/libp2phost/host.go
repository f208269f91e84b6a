package libp2phost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	ma "github.com/multiformats/go-multiaddr"
)

// ErrNotConnected is the answer about a peer that is not connected.
var ErrNotConnected = errors.New("peer is not connected")

// Host is a running libp2p host.
type Host struct {
	cfg      Config
	log      *slog.Logger
	base     host.Host
	overlay  *overlay
	book     *book
	refused  *refusals
	notifier *notifier
	dialer   *dialer
	messages *messenger // nil: no protocols of weft's own
	traffic  traffic
	mdns     mdns.Service // nil: off

	cancel context.CancelFunc
	tasks  sync.WaitGroup
	dials  sync.WaitGroup
	once   sync.Once
}

// New starts a host: when it returns, all of Listen can be dialled.
func New(cfg Config) (*Host, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	self, err := peer.IDFromPrivateKey(cfg.Key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &Host{cfg: cfg, log: cfg.Logger, cancel: cancel, refused: newRefusals(cfg.Logger)}
	h.book = newBook(self, cfg)
	h.notifier = newNotifier(ctx, h.book)
	if err := h.start(ctx); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// start opens the parts, the listeners last: whoever connects finds all of it.
func (h *Host) start(ctx context.Context) error {
	if err := h.openBase(); err != nil {
		return err
	}
	if err := h.openOverlay(ctx); err != nil {
		return err
	}
	h.dialer = &dialer{
		host: h.base, book: h.book, symmetry: h.cfg.Symmetry, timeout: h.cfg.DialTimeout,
		events: h.notifier.events, jobs: make(chan dialJob, dialQueue),
		running: make(map[peer.ID]*attempt, dialWorkers),
	}
	if err := h.openMessages(ctx); err != nil {
		return err
	}
	h.notifier.superseded = h.dialer.supersede
	h.base.Network().Notify(h.notifier)
	h.tasks.Go(func() { h.notifier.run(h.cfg.Post) })
	h.tasks.Go(func() { h.book.run(ctx) })
	h.tasks.Go(func() { h.overlay.bus.run(ctx) })
	h.tasks.Go(func() { h.overlay.metering.watch(ctx) })
	h.dials.Go(func() { h.dialer.run(ctx) })
	if err := listenAll(h.base.Network(), h.cfg.Listen, h.log); err != nil {
		return err
	}
	return h.openMDNS()
}

// maxAddresses bounds the addresses of peers that are not connected: of 512 bytes
// at most, so 25 MiB. Chosen for the candidates that the node may know, with a
// dozen addresses each; libp2p's own bound is a million.
const maxAddresses = 50_000

func (h *Host) openBase() error {
	limits, err := newLimits(h.cfg, h.refused)
	if err != nil {
		return err
	}
	peers, err := pstoremem.NewPeerstore(pstoremem.WithMaxAddresses(maxAddresses))
	if err != nil {
		return errors.Join(err, limits.Close())
	}
	opts := []libp2p.Option{
		libp2p.Identity(h.cfg.Key),
		libp2p.Peerstore(unsigned{peers}),
		libp2p.UserAgent(h.cfg.UserAgent),
		libp2p.NoListenAddrs, // listenAll does it, and tells what failed
		libp2p.AddrsFactory(h.announced),
		libp2p.Security(libp2ptls.ID, tlsConstructor(h.refused, func(p peer.ID) bool { return h.dialer.done(p) })),
		libp2p.Muxer(yamux.ID, coalescingYamux{yamux.DefaultTransport}),
		libp2p.ConnectionGater(&gater{h.book, newDialBudget(h.cfg), h.refused}),
		libp2p.ResourceManager(limits),
		libp2p.ConnectionManager(&connmgr.NullConnMgr{}), // the book bounds connections; none is trimmed
		libp2p.WithDialTimeout(h.cfg.DialTimeout),
		libp2p.BandwidthReporter(&h.traffic),
		libp2p.DisableRelay(),
		libp2p.ForceReachabilityPublic(), // AutoNAT v1 stays off: v2 tells each address apart
	}
	opts = append(opts, transports(h.cfg.Symmetry)...)
	opts = append(opts, h.optional()...)
	if h.base, err = libp2p.New(opts...); err != nil {
		return errors.Join(fmt.Errorf("starting libp2p: %w", err), limits.Close())
	}
	return nil
}

func (h *Host) optional() (opts []libp2p.Option) {
	if !h.cfg.TLSOnly {
		opts = append(opts, libp2p.Security(noise.ID, noise.New)) // second: TLS is preferred
	}
	if h.cfg.Resolver != nil {
		opts = append(opts, libp2p.MultiaddrResolver(swarm.ResolverFromMaDNS{Resolver: h.cfg.Resolver}))
	}
	if h.cfg.Scope == ScopePublic {
		opts = append(opts, libp2p.EnableAutoNATv2())
	}
	if h.cfg.Registerer == nil {
		return append(opts, libp2p.DisableMetrics())
	}
	return append(opts, libp2p.PrometheusRegisterer(h.cfg.Registerer))
}

func (h *Host) openOverlay(ctx context.Context) error {
	bus, err := newOverlayBus(h.base.EventBus(), h.base.Peerstore(), h.book)
	if err != nil {
		return err
	}
	h.overlay = &overlay{
		Host: h.base, ctx: ctx, book: h.book, symmetry: h.cfg.Symmetry, bus: bus,
		metering: newMetering(h.cfg.LargeMessage, h.cfg.MessageTimeout,
			newBudget(h.cfg.MessageBudget, max(h.cfg.MaxInboundMessage, maxDHTMessage))),
		wait: h.cfg.AdmissionTimeout, pubsubMax: h.cfg.MaxInboundMessage,
		close: h.Close,
	}
	h.overlay.network = &overlayNetwork{h.base.Network(), h.overlay}
	h.book.watch(bus.changes, h.notifier.events)
	return nil
}

func (h *Host) openMessages(ctx context.Context) (err error) {
	if len(h.cfg.Messages) == 0 {
		return nil
	}
	if h.messages, err = newMessenger(ctx, h.cfg, h.base, h.book, h.notifier.events); err != nil {
		return err
	}
	h.notifier.messages, h.book.messages = h.messages, h.messages
	return h.messages.start()
}

func (h *Host) openMDNS() error {
	if !h.cfg.MDNS {
		return nil
	}
	service := mdns.NewMdnsService(h.base, mdnsService, &mdnsFound{self: h.ID(), events: h.notifier.events})
	if err := service.Start(); err != nil {
		return fmt.Errorf("starting mDNS: %w: switch it off, or listen on an address of a local network", err)
	}
	h.mdns = service
	return nil
}

// announced is what others are told, given all addresses that libp2p knows for us.
func (h *Host) announced(own []ma.Multiaddr) []ma.Multiaddr {
	if len(h.cfg.Announce) > 0 {
		return h.cfg.Announce
	}
	return filter(own, h.cfg.Scope.Keep(own))
}

// Close stops listening, closes all connections and ends what the host started.
func (h *Host) Close() (err error) {
	h.once.Do(func() {
		h.cancel()
		if h.mdns != nil {
			err = h.mdns.Close()
		}
		h.dials.Wait() // a dial that meets a closed QUIC transport leaves a socket open
		if h.base != nil {
			err = errors.Join(err, h.base.Close())
		}
		if h.messages != nil {
			h.messages.close()
		}
		h.tasks.Wait()
	})
	return err
}

// ID is the host's peer ID.
func (h *Host) ID() peer.ID { return h.book.self }

// Base is the host without gate and meter, for identify, ping and tests.
func (h *Host) Base() host.Host { return h.base }

// Overlay is the host for pubsub and the DHT. It shows admitted peers only.
func (h *Host) Overlay() host.Host { return h.overlay }

// Admit makes a connected peer visible to the overlay until its last connection
// is gone. A guest is never admitted.
func (h *Host) Admit(p peer.ID) { h.book.admitPeer(p) }

// Dial connects to a peer without waiting. Connected or DialFailed answers. When
// there is a connection already, no answer follows: Connected told of it. With
// symmetry only a connection that we dialled counts, and Linked answers when the
// peer had dialled us.
func (h *Host) Dial(p peer.ID, addrs []ma.Multiaddr) { h.dialer.dial(dialJob{p, addrs}) }

// Connect connects to a peer and waits for it.
func (h *Host) Connect(ctx context.Context, info peer.AddrInfo) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.DialTimeout)
	defer cancel()
	return h.dialer.connect(ctx, info.ID, info.Addrs, false)
}

// Disconnect closes all connections to a peer. Until that is done it may make no
// further one.
func (h *Host) Disconnect(p peer.ID) error {
	h.book.dismiss(p)
	return h.base.Network().ClosePeer(p)
}

// Ping measures the round trip to a connected peer.
func (h *Host) Ping(ctx context.Context, p peer.ID) (time.Duration, error) {
	if !h.Connected(p) {
		return 0, fmt.Errorf("%w: %s: connect to it first", ErrNotConnected, p)
	}
	ctx, cancel := context.WithCancel(network.WithNoDial(ctx, "ping"))
	defer cancel()
	select {
	case res := <-ping.Ping(ctx, h.base, p):
		return res.RTT, res.Error
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Addrs are the addresses that others are told, without /p2p.
func (h *Host) Addrs() []ma.Multiaddr { return h.base.Addrs() }

// Keep says whether an address of another peer is worth keeping: see Scope.
func (h *Host) Keep(a ma.Multiaddr) bool { return h.cfg.Scope.Keep(h.Addrs())(a) }

// Connected says whether a peer is connected.
func (h *Host) Connected(p peer.ID) bool { return h.book.connected(p) }

// NumPeers is the number of connected peers that are not guests.
func (h *Host) NumPeers() int {
	peers, _, _, _ := h.book.sizes()
	return peers
}
