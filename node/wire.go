package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/admin"
	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/adapters/kaddht"
	"github.com/weftnet/weft/adapters/libp2phost"
	"github.com/weftnet/weft/adapters/store"
	"github.com/weftnet/weft/node/internal/loop"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dialing"
)

// parts are what a running node is made of, in the order in which they open.
type parts struct {
	store   *store.Store
	host    *libp2phost.Host
	dht     *kaddht.DHT
	pubsub  *gossipsub.PubSub
	dialing *dialing.Machine // owned by the loop: read it through loop.Call
	loop    *loop.Loop
	api     *admin.Server

	started      time.Time
	saves        chan core.Record
	savesDropped atomic.Uint64
	storeErr     atomic.Pointer[error] // the last write's failure; nil when it succeeded
	cancel       context.CancelFunc
	tasks        sync.WaitGroup
	closers      []func() error // run last to first
}

// wire opens the adapters, connects them to the loop and starts it. Whatever
// fails closes what was opened before.
func (n *Node) wire(ctx context.Context) (_ *parts, err error) {
	p := &parts{started: time.Now(), saves: make(chan core.Record, savesWaiting)}
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
	if err := n.openHost(p, key); err != nil {
		return nil, err
	}
	if err := n.openOverlay(p); err != nil {
		return nil, err
	}
	n.run(p)
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
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return err
	}
	saved, err := p.store.SavedPeers(store.MaxSavedPeers)
	if err != nil {
		return err
	}
	cfg := dialing.DefaultConfig()
	cfg.Self, cfg.Saved, cfg.AwaitBootstrappers = self, saved, len(n.cfg.Bootstrap) > 0
	cfg.TargetDegree, cfg.MaxPeers = n.cfg.TargetDegree, n.cfg.MaxPeers
	p.dialing = dialing.New(cfg, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	p.loop = loop.New(p.effector(n), openAdmission{}, p.dialing, watcher{n.events})
	return nil
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
	cfg.Reserved = n.bootstrap.has
	cfg.KeepOutbound = min(n.cfg.TargetDegree, n.cfg.MaxPeers/2)
	cfg.DialTimeout, cfg.MemoryLimit = n.cfg.DialTimeout, n.cfg.MemoryLimit
	cfg.MaxInboundMessage = gossipsub.WireLimit(n.cfg.MaxMessageBytes)
	cfg.UserAgent, cfg.Resolver = UserAgent(), n.cfg.Resolver
	cfg.Logger, cfg.Registerer = n.cfg.Logger, n.cfg.Registry
	cfg.Post = p.loop.Post
	if p.host, err = libp2phost.New(cfg); err == nil {
		p.onClose(p.host.Close)
	}
	return err
}

// openOverlay opens what lives on top of the host: DHT and pubsub. Both get the
// overlay host, which shows them admitted peers only.
func (n *Node) openOverlay(p *parts) (err error) {
	p.dht, err = kaddht.New(p.host.Overlay(), n.dhtConfig(p))
	if err != nil {
		return err
	}
	p.onClose(p.dht.Close)
	cfg := gossipsub.DefaultConfig()
	cfg.MaxMessage, cfg.Logger = n.cfg.MaxMessageBytes, n.cfg.Logger
	if p.pubsub, err = gossipsub.New(p.host.Overlay(), cfg); err != nil {
		return err
	}
	p.onClose(p.pubsub.Close)
	for _, t := range n.cfg.Topics {
		if err := p.pubsub.Join(t); err != nil {
			return err
		}
	}
	return n.registerMetrics(p)
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

// run starts the goroutines of the node; close ends them.
func (n *Node) run(p *parts) {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.tasks.Go(func() { p.loop.Run(ctx) })
	p.tasks.Go(func() { p.keepSaving(ctx, n.cfg.Logger) })
	p.tasks.Go(func() { n.keepBootstrapping(ctx, p) })
}

func (p *parts) onClose(f func() error) { p.closers = append(p.closers, f) }

func (p *parts) close() error {
	if p.cancel != nil {
		p.cancel()
		p.tasks.Wait()
	}
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i]())
	}
	return errors.Join(errs...)
}
