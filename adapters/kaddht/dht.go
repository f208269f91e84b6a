package kaddht

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// providerSweep is how often expired provider records are removed: the library's
// default, named because the bound on records counts on it.
const providerSweep = time.Hour

// DHT is one node's part in the table of its network.
type DHT struct {
	cfg       Config
	host      host.Host
	dht       *dht.IpfsDHT
	providers *providers
	tending   sync.WaitGroup
	rest      context.CancelFunc // ends tending
	counters
}

// New starts the DHT on a host. Close ends it; the host stays open.
func New(h host.Host, cfg Config) (*DHT, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	ctx, rest := context.WithCancel(context.Background())
	d := &DHT{cfg: cfg, host: h, providers: newProviders(), rest: rest, counters: newCounters()}
	if err := d.register(cfg.Registerer); err != nil {
		return nil, err
	}
	var err error
	if d.dht, err = dht.New(h, d.options()...); err != nil {
		d.unregister(cfg.Registerer)
		return nil, fmt.Errorf("start the DHT: %w", err)
	}
	t, err := d.tend()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the DHT: %w", err), d.Close())
	}
	d.tending.Go(func() { t.run(ctx) })
	return d, nil
}

func (d *DHT) options() []dht.Option {
	return []dht.Option{
		dht.Mode(dht.ModeServer),
		dht.DisableAutoRefresh(),      // see tender
		dht.LookupCheckConcurrency(0), // no check, and no entry by the library
		dht.ProtocolPrefix(d.cfg.prefix()),
		dht.BucketSize(d.cfg.BucketSize),
		dht.Concurrency(d.cfg.Concurrency),
		dht.AddressFilter(d.cfg.keep),
		dht.RoutingTablePeerDiversityFilter(newDiversity(d.addrsOf)),
		dht.QueryFilter(d.heard),
		dht.BootstrapPeersFunc(d.bootstrap),
		dht.Validator(record.NamespacedValidator{}),
		dht.DisableValues(),
		dht.ProviderDatastore(d.providers),
		dht.ProviderManagerOpts(records.CleanupInterval(providerSweep)),
		dht.OnRequestHook(func(_ context.Context, _ network.Stream, req *pb.Message) { d.countInbound(req.GetType()) }),
	}
}

func (d *DHT) bootstrap() []peer.AddrInfo {
	if d.cfg.Bootstrap == nil {
		return nil
	}
	return d.cfg.Bootstrap()
}

// heard is told of every peer that a lookup hears of, and says whether the lookup
// may go there: it may when we are connected or know a usable address.
func (d *DHT) heard(_ any, info peer.AddrInfo) bool {
	if d.host.Network().Connectedness(info.ID) == network.Connected {
		return true
	}
	info.Addrs = d.cfg.keep(info.Addrs)
	if len(info.Addrs) == 0 {
		return false
	}
	if d.cfg.Found != nil {
		d.found.Add(1)
		d.cfg.Found(info)
	}
	return true
}

// Close leaves the DHT and stops answering.
func (d *DHT) Close() error {
	d.rest()
	d.tending.Wait()
	err := d.dht.Close()
	d.host.RemoveStreamHandler(d.cfg.Protocol())
	for _, c := range d.host.Network().Conns() {
		for _, s := range c.GetStreams() {
			if s.Protocol() == d.cfg.Protocol() {
				_ = s.Reset() // its handler waits for as long as the peer likes
			}
		}
	}
	d.unregister(d.cfg.Registerer)
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("close the DHT: %w", err)
	}
	return nil
}

// Table is the routing table: the peers whom a lookup asks first.
func (d *DHT) Table() []peer.AddrInfo { return d.infos(d.dht.RoutingTable().ListPeers()) }

// Size is how many peers the routing table holds.
func (d *DHT) Size() int { return d.dht.RoutingTable().Size() }

// infos adds the known usable addresses to peers.
func (d *DHT) infos(ids []peer.ID) []peer.AddrInfo {
	infos := make([]peer.AddrInfo, len(ids))
	for i, id := range ids {
		infos[i] = peer.AddrInfo{ID: id, Addrs: d.cfg.keep(d.host.Peerstore().Addrs(id))}
	}
	return infos
}
