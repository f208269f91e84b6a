package kaddht

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	kb "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	ma "github.com/multiformats/go-multiaddr"
)

// Buckets of half the usual size make lookups go further.
func TestEveryOneOf64IsFoundInLogarithmicHopsAndByAFreshJoiner(t *testing.T) {
	nodes := overlay(t, 64, DefaultBucketSize/2, newHost)
	most, mean := findAll(t, nodes, 2)
	t.Logf("hops: %d at most, %.2f on average", most, mean)
	joinAndFindAll(t, nodes)
}

// BenchmarkLookup256 finds every peer of a larger overlay from four: the hops are
// the result; one operation is all 1,020 lookups.
func BenchmarkLookup256(b *testing.B) {
	if os.Getenv("WEFT_BENCH_LARGE") == "" {
		b.Skip("takes minutes and gigabytes: set WEFT_BENCH_LARGE=1")
	}
	nodes := overlay(b, 256, DefaultBucketSize, newFrugalHost)
	for b.Loop() {
		most, mean := findAll(b, nodes, 4)
		b.ReportMetric(float64(most), "hops-max")
		b.ReportMetric(mean, "hops-mean")
	}
}

// overlay is nodes of which each joined through an earlier one, by a lookup of itself.
func overlay(t testing.TB, n, bucket int, open func(testing.TB, ...libp2p.Option) host.Host) []*DHT {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	nodes := []*DHT{newQuietNode(t, open(t, identity(0)), bucket)}
	for i := 1; i < n; i++ {
		d := newQuietNode(t, open(t, identity(i)), bucket)
		if err := d.host.Connect(soon(t), info(nodes[rng.IntN(i)].host)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the joiner knows a peer", func() bool { return d.Size() > 0 })
		if _, err := d.Closest(soon(t), d.host.ID().String()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, d)
	}
	for i, d := range nodes {
		near := nearest(nodes, d)
		eventually(t, fmt.Sprintf("the nearest neighbour of node %d knows it", i), func() bool { return near.holds(d) })
	}
	return nodes
}

// nearest is the node next to another, in whose table there is always room for it.
func nearest(nodes []*DHT, d *DHT) (near *DHT) {
	for _, o := range nodes {
		if o != d && (near == nil || kb.Closer(o.host.ID(), near.host.ID(), string(d.host.ID()))) {
			near = o
		}
	}
	return near
}

// newFrugalHost closes connections beyond a few dozen, as real hosts do: without
// that, 256 hosts in one process would need more sockets than it may open.
func newFrugalHost(t testing.TB, opts ...libp2p.Option) host.Host {
	t.Helper()
	m, err := connmgr.NewConnManager(32, 56, connmgr.WithGracePeriod(5*time.Second), connmgr.WithSilencePeriod(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return newHost(t, append(opts, libp2p.ConnectionManager(m))...)
}

// findAll has the first nodes find all others, and returns the most hops that it
// took and the mean.
func findAll(t testing.TB, nodes []*DHT, seekers int) (most int, mean float64) {
	t.Helper()
	limit := bits.Len(uint(len(nodes)-1)) + 2 // log2 N + 2
	sum, lookups := 0, 0
	for i, d := range nodes[:seekers] {
		for j, target := range nodes {
			if i == j {
				continue
			}
			got := hopsTo(t, d, target.host.ID())
			if got < 1 || got > limit {
				t.Errorf("from node %d to %d: %d hops, want 1 to %d", i, j, got, limit)
			}
			most, sum, lookups = max(most, got), sum+got, lookups+1
		}
	}
	return most, float64(sum) / float64(lookups)
}

// joinAndFindAll has a newcomer that knows one node find all. The library's
// diversity filter lets 3 peers of the loopback network into a table.
func joinAndFindAll(t testing.TB, nodes []*DHT) {
	t.Helper()
	joiner := newNodeOn(t, newHost(t, identity(len(nodes))), func(c *Config) {
		c.BucketSize = nodes[0].cfg.BucketSize
		c.Bootstrap = func() []peer.AddrInfo { return []peer.AddrInfo{info(nodes[0].host)} }
	})
	eventually(t, "the joiner is in", func() bool { return joiner.Size() > 0 })
	for i, d := range nodes {
		found, err := joiner.FindPeer(soon(t), d.host.ID())
		if err != nil {
			t.Errorf("node %d: %v", i, err)
			continue
		}
		if !slices.ContainsFunc(d.host.Addrs(), func(a ma.Multiaddr) bool { return ma.Contains(found.Addrs, a) }) {
			t.Errorf("node %d: found at %v, it is at %v", i, found.Addrs, d.host.Addrs())
		}
	}
	if s := joiner.Stats(); s.Lookups["find_peer"].OK != uint64(len(nodes)) {
		t.Errorf("stats are %+v", s)
	}
	eventually(t, "many are in its table", func() bool { return joiner.Stats().TableSize >= 20 })
}

// hopsTo finds a peer and returns how many peers one after the other led to it,
// itself included: 1 when it is in our own table. A connection with it, which
// would answer at once, is closed before; the peer may have dialled us anew since.
func hopsTo(t testing.TB, d *DHT, target peer.ID) (hops int) {
	for tries := 0; hops == 0 && tries < 5; tries++ {
		hops = hopsToStranger(t, d, target)
	}
	return hops
}

func hopsToStranger(t testing.TB, d *DHT, target peer.ID) int {
	t.Helper()
	if err := d.host.Network().ClosePeer(target); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(soon(t))
	ctx, events := dht.RegisterForLookupEvents(ctx)
	hops := make(chan map[peer.ID]int)
	go func() { hops <- trace(d.host.ID(), events) }()
	found, err := d.FindPeer(ctx, target)
	cancel() // closes events
	path := <-hops
	if err != nil || found.ID != target || len(found.Addrs) == 0 {
		t.Fatalf("%s found %v: %v", d.host.ID(), found, err)
	}
	return path[target]
}

// trace says how far each peer is that a lookup heard of, by who told first.
func trace(self peer.ID, events <-chan *dht.LookupEvent) map[peer.ID]int {
	hops := map[peer.ID]int{self: 0}
	for e := range events {
		if e.Response == nil {
			continue
		}
		for _, p := range e.Response.Heard {
			if _, known := hops[p.Peer]; !known {
				hops[p.Peer] = hops[e.Response.Cause.Peer] + 1
			}
		}
	}
	return hops
}
