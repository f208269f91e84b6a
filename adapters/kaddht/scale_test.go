package kaddht

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"golang.org/x/sync/errgroup"
)

func TestEveryPeerIsFoundInLogarithmicHops(t *testing.T) {
	for _, c := range []struct{ nodes, bucket, seekers int }{{16, 20, 4}, {64, 20, 2}, {32, 4, 2}} {
		t.Run(fmt.Sprintf("%d nodes, buckets of %d", c.nodes, c.bucket), func(t *testing.T) {
			if c.nodes > 32 && testing.Short() {
				t.Skip("takes 10 s of processor time or more")
			}
			most, mean := findAll(t, overlay(t, c.nodes, c.bucket, newHost), c.seekers)
			t.Logf("hops: %d at most, %.2f on average", most, mean)
		})
	}
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

// overlay is nodes of which each joined through an earlier one.
func overlay(t testing.TB, n, bucket int, open func(testing.TB, ...libp2p.Option) host.Host) []*DHT {
	t.Helper()
	set := func(c *Config) { c.BucketSize = bucket }
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	nodes := []*DHT{newNodeOn(t, open(t), set)}
	for len(nodes) < n {
		d := newNodeOn(t, open(t), set)
		ctx, through := soon(t), nodes[rng.IntN(len(nodes))]
		eventually(t, "the joiner knows a peer", func() bool {
			if err := d.host.Connect(ctx, info(through.host)); err != nil {
				t.Fatal(err)
			}
			return d.Size() > 0
		})
		nodes = append(nodes, d)
	}
	var g errgroup.Group
	g.SetLimit(8) // chosen to keep two cores busy without starving dials
	for _, d := range nodes {
		g.Go(func() error { return d.Refresh(soon(t)) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return nodes
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

// hopsTo finds a peer and returns how many peers one after the other led to it,
// itself included: 1 when it is in our own table. A connection with it, which
// would answer at once, is closed before.
func hopsTo(t testing.TB, d *DHT, target peer.ID) int {
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
