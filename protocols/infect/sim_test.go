package infect

import (
	"fmt"
	"os"
	"testing"
	"time"
)

const (
	everyone = 1 << 30 // peers: a full mesh
	places   = 50      // peers: as many as a node has by default
)

// The model of Casper's gossip with k = L = 3: how far an item gets, and at what
// cost, is set by S.
var model = []struct {
	s, attempts      int
	coverage, silent float64 // at least, on average over all items; and with 30 % silent peers
	offers           float64 // per node, within 10 %; fewer where there are hardly more peers than S
}{
	{3, 20, .98, .93, 4.7},
	{6, 20, .997, .99, 7.3},
	{12, 20, 1, 1, 12.3},
	{99, 15, 1, .998, 13.2},
}

// A run is many items in one network.
type outcome struct {
	coverage, worst, offers float64
	last                    time.Duration
}

func (o outcome) String() string {
	return fmt.Sprintf("%8.3f %% %8.3f %% %8.2f %8.2f s", 100*o.coverage, 100*o.worst, o.offers, o.last.Seconds())
}

// simulate lets items of a size be gossiped one after the other. A silent peer is
// connected and neither answers nor passes anything on.
func simulate(cfg Config, n, peers, items int, silent float64) (o outcome) {
	sim, live := newSim(n, peers, 7, cfg), n
	for _, n := range sim.order[1 : 1+int(silent*float64(n))] {
		n.dead = true
		live--
	}
	o.worst = 1
	for i := range items {
		coverage, last := sim.gossip(fmt.Append(nil, "item ", i))
		o.coverage += coverage
		o.worst, o.last = min(o.worst, coverage), max(o.last, last)
	}
	o.coverage /= float64(items)
	o.offers = float64(sim.offers) / float64(items*live)
	return o
}

type network struct{ n, peers, items int }

// networks are those of a run for some S: by default the largest is only for the S
// that is used, with WEFT_SIM=full there are more, and more items.
func networks(s int) []network {
	if os.Getenv("WEFT_SIM") == "full" {
		return []network{{20, everyone, 2000}, {100, everyone, 400}, {1000, everyone, 20}, {1000, places, 40}, {5000, places, 10}}
	}
	some := []network{{20, everyone, 50}, {100, everyone, 10}, {1000, places, 1}}
	if s == DefaultConfig().Saturate {
		some = append(some, network{5000, places, 1})
	}
	return some
}

func TestCoverageAndCostAreThoseOfTheModel(t *testing.T) {
	t.Log("   S tries      N peers silent     mean      worst   offers/node  last after")
	for _, m := range model {
		cfg := ObjectsConfig()
		cfg.Saturate, cfg.MaxAttempts = m.s, m.attempts
		for _, net := range networks(m.s) {
			row := fmt.Sprintf("%4d %5d %6d %5d", m.s, m.attempts, net.n, min(net.peers, net.n-1))
			all := simulate(cfg, net.n, net.peers, net.items, 0)
			t.Logf("%s    0 %% %v", row, all)
			if all.coverage < m.coverage || all.offers > 1.1*m.offers || net.n > 20 && all.offers < .9*m.offers {
				t.Errorf("want %.3f %% at %.1f offers per node", 100*m.coverage, m.offers)
			}
			living := simulate(cfg, net.n, net.peers, net.items, .3)
			t.Logf("%s   30 %% %v", row, living)
			if living.coverage < m.silent || living.offers > float64(m.attempts) {
				t.Errorf("want %.3f %% of the living at no more than %d offers per node", 100*m.silent, m.attempts)
			}
		}
	}
}

// A large item is announced to many and sent to each node once.
func TestALargeItemReachesEveryNodeOnce(t *testing.T) {
	const n = 100
	sim := newSim(n, everyone, 3, ObjectsConfig())
	item := make([]byte, 64<<10)
	if got, _ := sim.gossip(item); got != 1 {
		t.Errorf("coverage %.3f", got)
	}
	if sim.items != n-1 || sim.bytes > (n-1)*(len(item)+64) {
		t.Errorf("%d items in %d bytes, want %d", sim.items, sim.bytes, n-1)
	}
}

// With messages lost and nodes dead without anybody's knowledge, the others still
// get it.
func TestLossAndDeadNodesAreSurvived(t *testing.T) {
	const n = 300
	for name, item := range map[string][]byte{"small": []byte("item"), "large": make([]byte, MaxInline+1)} {
		sim := newSim(n, everyone, 5, ObjectsConfig())
		sim.loss = 0.05
		for _, n := range sim.order[1:] {
			n.dead = sim.rng.Float64() < 0.2
		}
		if got, _ := sim.gossip(item); got != 1 {
			t.Errorf("%s: coverage %.4f", name, got)
		}
		t.Logf("%s: %.1f offers per node", name, float64(sim.offers)/n)
	}
}

// In the end nothing is left in any table.
func TestTablesAreEmptyInTheEnd(t *testing.T) {
	sim := newSim(30, everyone, 1, DefaultConfig())
	for i := range 20 {
		sim.gossip([]byte(fmt.Sprint(i)))
	}
	sim.run(5 * time.Minute)
	for _, n := range sim.order {
		if s := n.Stats(); s.Entries != 0 || s.Pending != 0 || !n.Deadline().IsZero() {
			t.Fatalf("%s: %+v", n.id, s)
		}
	}
}

func BenchmarkGossip100Nodes(b *testing.B) {
	sim, i := newSim(100, everyone, 1, ObjectsConfig()), 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		sim.gossip([]byte(fmt.Sprint(i)))
	}
	b.ReportMetric(float64(sim.offers)/float64(i*100), "offers/node")
}
