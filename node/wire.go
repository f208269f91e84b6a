package node

import (
	"context"
	crand "crypto/rand"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	p2pevent "github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/admin"
	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/adapters/kaddht"
	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/adapters/store"
	"github.com/weftnet/weft/adapters/validators"
	"github.com/weftnet/weft/node/internal/loop"
	"github.com/weftnet/weft/protocols/broadcast"
	"github.com/weftnet/weft/protocols/catchup"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
	"github.com/weftnet/weft/protocols/discovery"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/peerlist"
	"github.com/weftnet/weft/protocols/uptime"
)

// parts are what a running node is made of, in the order in which they open.
type parts struct {
	store         *store.Store
	host          *libp2phost.Host
	dht           *kaddht.DHT
	pubsub        *gossipsub.PubSub
	discovery     *discovery.Machine     // owned by the loop: read it through loop.Ask
	dissemination *dissemination.Machine // likewise
	objects       *desk
	loop          *loop.Loop
	workers       *loop.Workers
	members       *validators.Watcher // nil: no such file
	validators    *validators.Watcher // nil: no such file
	trusted       trustedPeers
	api           *admin.Server

	started      time.Time
	saves        chan core.Record
	vitalSaves   chan core.Record
	savesDropped atomic.Uint64
	storeErr     atomic.Pointer[error] // the last write's failure; nil when it succeeded
	closing      sync.Map              // peers being disconnected
	gate         chan struct{}         // closed when the machine may see the host's events
	open         func()                // closes gate
	ctx          context.Context       // ends when the node closes
	cancel       context.CancelFunc
	tasks        sync.WaitGroup
	closers      []func() error // run last to first
	deciders     sync.WaitGroup // who read the decisions of API streams
}

// quiet is how long a stream that is seldom used stays open. Chosen because opening
// it anew costs no round trip, and an open one costs a few KiB at both ends; the
// stream of the pings stays.
const quiet = 5 * time.Second

// messages are the weft protocols that the host carries, the handshake first. It
// judges the other clock itself.
var messages = []libp2phost.MessageProtocol{
	{ID: handshake.Protocol, MaxPayload: handshake.MaxPayload, AnyClock: true, Idle: quiet},
	{ID: peerlist.Protocol, MaxPayload: peerlist.MaxPayload, Idle: quiet},
	{ID: uptime.Protocol, MaxPayload: uptime.MaxPayload},
	{ID: infect.ClaimsProtocol, MaxPayload: infect.MaxPayload, Idle: quiet},
	{ID: infect.ObjectsProtocol, MaxPayload: infect.ObjectsMaxPayload},
	{ID: catchup.Protocol, MaxPayload: catchup.MaxPayload},
	{ID: fetch.Protocol, MaxPayload: fetch.MaxPayload},
	{ID: fetch.BulkProtocol, MaxPayload: fetch.MaxBulkPayload},
	{ID: broadcast.Protocol, MaxPayload: broadcast.MaxPayload},
}

// wire opens the adapters, connects them to the loop and starts it. Whatever
// fails closes what was opened before.
func (n *Node) wire(ctx context.Context) (_ *parts, err error) {
	p := &parts{
		started: time.Now(), gate: make(chan struct{}),
		saves: make(chan core.Record, savesWaiting), vitalSaves: make(chan core.Record, vitalSavesWaiting),
	}
	p.open = sync.OnceFunc(func() { close(p.gate) })
	p.ctx, p.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	key, err := n.identity()
	if err != nil {
		return nil, err
	}
	if err := n.openStore(p); err != nil {
		return nil, err
	}
	if err := n.openMachines(p, key); err != nil {
		return nil, err
	}
	if err := n.prepare(p); err != nil {
		return nil, err
	}
	if err := n.openHost(p, key); err != nil {
		return nil, err
	}
	if err := n.openOverlay(p); err != nil {
		return nil, err
	}
	if err := n.run(ctx, p); err != nil {
		return nil, err
	}
	return p, n.openAPI(p)
}

// identity is the given key, the one in the data directory, or a fresh one.
func (n *Node) identity() (crypto.PrivKey, error) {
	if !n.cfg.ephemeral() {
		if err := CheckDataDir(n.cfg.DataDir); err != nil {
			return nil, err
		}
	}
	switch {
	case n.cfg.Key != nil:
		return n.cfg.Key, nil
	case n.cfg.ephemeral():
		return libp2phost.NewKey()
	}
	return libp2phost.LoadOrCreateKey(filepath.Join(n.cfg.DataDir, KeyFile))
}

func (n *Node) openStore(p *parts) (err error) {
	if n.cfg.ephemeral() {
		p.store, err = store.OpenMemory(n.cfg.Logger)
	} else {
		p.store, err = store.Open(filepath.Join(n.cfg.DataDir, storeDir), n.cfg.Logger)
	}
	if err == nil {
		p.onClose(p.store.Close)
	}
	return err
}

// openMachines makes the protocol machines and the loop that will own them.
func (n *Node) openMachines(p *parts, key crypto.PrivKey) error {
	cfg, err := n.discoveryConfig(p, key)
	if err != nil {
		return err
	}
	var seeds [2][32]byte
	for i := range seeds {
		if _, err := crand.Read(seeds[i][:]); err != nil {
			return err
		}
	}
	if p.discovery, err = discovery.New(cfg, rand.New(rand.NewChaCha8(seeds[0]))); err != nil {
		return err
	}
	objects := dissemination.DefaultConfig(cfg.Handshake.Self, n.cfg.Network)
	if p.dissemination, err = dissemination.New(objects, rand.New(rand.NewChaCha8(seeds[1])), time.Now()); err != nil {
		return err
	}
	own, err := privateKey(key)
	if err != nil {
		return err
	}
	p.objects = n.newDesk(p, own)
	p.loop = loop.New(p.effector(n), p.discovery, p.dissemination, watcher{n.events})
	p.workers = loop.NewWorkers(p.loop.Post)
	return nil
}

func (n *Node) discoveryConfig(p *parts, key crypto.PrivKey) (cfg discovery.Config, err error) {
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return cfg, err
	}
	cfg = discovery.DefaultConfig(key, self, n.cfg.Network, protocolVersion)
	cfg.ConsensusKey = n.cfg.ConsensusKey
	cfg.Handshake.Genesis = n.cfg.Genesis
	if n.cfg.Admission == "members" {
		cfg.Handshake.Admission = handshake.Members
		cfg.PeerList.Open = n.cfg.ValidatorsFile == "" // without validators every member may be told of
	}
	cfg.Symmetry, cfg.SymmetryWithin = n.cfg.Symmetry == "required", n.cfg.SymmetryWithin
	cfg.Keep = func(a multiaddr.Multiaddr) bool { return p.host.Keep(a) }
	cfg.Dialing.AwaitBootstrappers = len(n.cfg.bootstrapSettings()) > 0
	cfg.Dialing.TargetDegree, cfg.Dialing.MaxPeers = n.cfg.TargetDegree, n.cfg.MaxPeers
	if n.cfg.Topology == "mesh" {
		cfg.Dialing.Topology = dialing.Mesh
	}
	if cfg.Dialing.Saved, err = p.store.SavedPeers(store.MaxSavedPeers); err != nil {
		return cfg, err
	}
	cfg.Highest, err = p.store.OwnTimestamp()
	return cfg, err
}

func (n *Node) openHost(p *parts, key crypto.PrivKey) (err error) {
	cfg := libp2phost.DefaultConfig()
	cfg.Key = key
	if cfg.Listen, err = parseAddrs(n.cfg.Listen); err != nil {
		return err
	}
	if cfg.Announce, err = parseAddrs(n.cfg.Announce); err != nil {
		return err
	}
	if cfg.Scope, err = libp2phost.ParseScope(n.cfg.Scope); err != nil {
		return err
	}
	cfg.TLSOnly, cfg.MDNS = n.cfg.TLSOnly, n.cfg.MDNS
	cfg.MaxPeers, cfg.ConnsPerIP = n.cfg.MaxPeers, n.cfg.ConnsPerIP
	cfg.Reserved = func(id peer.ID) bool { return n.bootstrap.has(id) || p.trusted.has(id) }
	cfg.Symmetry = n.cfg.Symmetry == "required"
	cfg.Messages, cfg.Deliver, cfg.Trusted = messages, p.loop.Deliver, p.trusted.has
	if n.cfg.Topology == "bounded" { // in a mesh whoever is first dials
		cfg.KeepOutbound = min(n.cfg.TargetDegree, n.cfg.MaxPeers/2)
	}
	cfg.DialTimeout, cfg.MemoryLimit = n.cfg.DialTimeout, n.cfg.MemoryLimit
	cfg.MaxInboundMessage = gossipsub.WireLimit(n.cfg.MaxMessageBytes)
	cfg.UserAgent, cfg.Resolver = UserAgent(), n.cfg.Resolver
	cfg.Logger, cfg.Registerer = n.cfg.Logger, n.cfg.Registry
	cfg.Post = p.postWhenOpen
	if p.host, err = libp2phost.New(cfg); err == nil {
		p.onClose(p.host.Close)
	}
	return err
}

// openOverlay opens what lives on top of the host: DHT and pubsub. Both get the
// overlay host, which shows them admitted peers only.
func (n *Node) openOverlay(p *parts) error {
	if !n.cfg.NoDHT {
		var err error
		if p.dht, err = kaddht.New(p.host.Overlay(), n.dhtConfig(p)); err != nil {
			return err
		}
		p.onClose(p.dht.Close)
	}
	if !n.cfg.NoPubSub {
		if err := n.openPubSub(p); err != nil {
			return err
		}
	}
	if err := p.objects.join(n.cfg.ObjectTopics...); err != nil {
		return err
	}
	return n.registerMetrics(p)
}

func (n *Node) openPubSub(p *parts) (err error) {
	cfg := gossipsub.DefaultConfig()
	cfg.MaxMessage, cfg.Logger = n.cfg.MaxMessageBytes, n.cfg.Logger
	cfg.Report = p.loop.Post
	cfg.Episub, cfg.OnTier = n.cfg.Gossip == gossipEpisub, n.tierChanged
	if p.pubsub, err = gossipsub.New(p.host.Overlay(), cfg); err != nil {
		return err
	}
	p.onClose(p.pubsub.Close)
	for _, t := range n.cfg.Topics {
		if err := p.pubsub.Join(t); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) dhtConfig(p *parts) kaddht.Config {
	cfg := kaddht.DefaultConfig()
	cfg.Network, cfg.Logger, cfg.Registerer = n.cfg.Network, n.cfg.Logger, n.cfg.Registry
	cfg.Keep = p.host.Keep
	cfg.Bootstrap = n.bootstrap.list
	cfg.Found = func(info peer.AddrInfo) {
		p.loop.Offer(core.Discovered{Peer: info.ID, Addrs: info.Addrs, From: core.SourceDHT})
	}
	return cfg
}

// run starts the goroutines of the node; close ends them. Peers that came first
// wait until the machine knows our addresses, as it greets them with these.
func (n *Node) run(start context.Context, p *parts) error {
	updates, err := p.host.Base().EventBus().Subscribe(new(p2pevent.EvtLocalAddressesUpdated))
	if err != nil {
		return err
	}
	p.command(discovery.SetAddrs{Addrs: n.resolved(start, p.host.Addrs())})
	p.open()
	ctx := p.ctx
	p.objects.run()
	p.tasks.Go(func() { p.loop.Run(ctx) })
	p.tasks.Go(func() { p.workers.Run(ctx) })
	p.tasks.Go(func() { n.keepAddrs(ctx, p, updates) })
	p.tasks.Go(func() { n.loadClaims(ctx, p) })
	p.tasks.Go(func() { p.keepSaving(ctx, n.cfg.Logger) })
	p.tasks.Go(func() { n.keepBootstrapping(ctx, p) })
	return nil
}

// postWhenOpen holds back the host's events until the machine may see them.
func (p *parts) postWhenOpen(ev core.Event) {
	<-p.gate
	p.loop.Post(ev)
}

func (p *parts) onClose(f func() error) { p.closers = append(p.closers, f) }

func (p *parts) close() error {
	p.open()
	p.cancel()
	p.tasks.Wait()
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i]())
	}
	return errors.Join(errs...)
}
