package kaddht

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/prometheus/client_golang/prometheus"
)

// Stats are totals since the start, but for the sizes, which are as of now.
type Stats struct {
	TableSize       int
	NetworkSize     int // estimated by the library; 0: not known yet
	ProviderRecords int // held for others

	Lookups  map[string]LookupStats // by kind: "find_peer", "closest", "provide", "find_providers"
	Requests uint64                 // sent by those lookups
	Answers  uint64                 // received to them
	Inbound  map[string]uint64      // requests of others, by kad-dht's message type
	Found    uint64                 // times that Config.Found was told of a peer
}

// LookupStats are the totals of one kind of lookup.
type LookupStats struct{ OK, NotFound, NoPeers, Failed uint64 }

const (
	findPeer      = "find_peer"
	closest       = "closest"
	provide       = "provide"
	findProviders = "find_providers"
)

// durations are the bounds of the histogram, in seconds: from one hop on a LAN to
// the 60 s after which a caller has given up; each about 3 times the one before.
var durations = []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30, 60}

type lookupCounters struct{ ok, notFound, noPeers, failed atomic.Uint64 }

// inboundTypes is how many message types kad-dht has; one more counts unknown ones.
const inboundTypes = int(pb.Message_PING) + 1

type counters struct {
	lookups           map[string]*lookupCounters // by kind
	requests, answers atomic.Uint64
	found             atomic.Uint64
	inbound           [inboundTypes + 1]atomic.Uint64
	duration          *prometheus.HistogramVec
}

func newCounters() counters {
	lookups := make(map[string]*lookupCounters)
	for _, kind := range []string{findPeer, closest, provide, findProviders} {
		lookups[kind] = new(lookupCounters)
	}
	return counters{lookups: lookups, duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "weft_dht_lookup_duration_seconds", Help: "Duration of DHT lookups asked for on this node, by kind.", Buckets: durations,
	}, []string{"kind"})}
}

func (c *counters) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	if err := r.Register(c.duration); err != nil {
		return fmt.Errorf("register the DHT's metrics: %w: give each node a registry of its own", err)
	}
	return nil
}

func (c *counters) unregister(r prometheus.Registerer) {
	if r != nil {
		r.Unregister(c.duration)
	}
}

func (c *counters) countInbound(t pb.Message_MessageType) {
	i := int(t)
	if i < 0 || i >= inboundTypes {
		i = inboundTypes
	}
	c.inbound[i].Add(1)
}

// lookup runs a lookup and counts it.
func (c *counters) lookup(ctx context.Context, kind string, run func(context.Context) error) error {
	start := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	ctx, events := routing.RegisterForQueryEvents(ctx)
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		for ev := range events {
			c.countEvent(ev)
		}
	}()
	err := run(ctx)
	cancel() // ends the events
	<-counted
	c.lookups[kind].count(err)
	c.duration.WithLabelValues(kind).Observe(time.Since(start).Seconds())
	return err
}

func (c *counters) countEvent(ev *routing.QueryEvent) {
	switch ev.Type {
	case routing.SendingQuery:
		c.requests.Add(1)
	case routing.PeerResponse:
		c.answers.Add(1)
	}
}

func (c *lookupCounters) count(err error) {
	switch {
	case err == nil:
		c.ok.Add(1)
	case errors.Is(err, ErrNotFound):
		c.notFound.Add(1)
	case errors.Is(err, ErrNoPeers):
		c.noPeers.Add(1)
	default:
		c.failed.Add(1)
	}
}

func (c *lookupCounters) read() LookupStats {
	return LookupStats{OK: c.ok.Load(), NotFound: c.notFound.Load(), NoPeers: c.noPeers.Load(), Failed: c.failed.Load()}
}

// Stats reads the counters.
func (d *DHT) Stats() Stats {
	s := Stats{
		TableSize: d.Size(), ProviderRecords: d.providers.size(),
		Lookups:  make(map[string]LookupStats, len(d.lookups)),
		Requests: d.requests.Load(), Answers: d.answers.Load(), Found: d.found.Load(),
		Inbound: make(map[string]uint64, len(d.inbound)),
	}
	for kind, c := range d.lookups {
		s.Lookups[kind] = c.read()
	}
	if n, err := d.dht.NetworkSize(); err == nil {
		s.NetworkSize = int(n)
	}
	for i := range d.inbound {
		name := "unknown"
		if i < inboundTypes {
			name = pb.Message_MessageType(i).String()
		}
		s.Inbound[name] = d.inbound[i].Load()
	}
	return s
}
