package simtest

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/discovery"
	"github.com/weftnet/weft/protocols/handshake"
	"github.com/weftnet/weft/protocols/infect"
)

// complete says whether the large scenarios run: minutes each.
var complete = os.Getenv("WEFT_SIM") == "full"

// A mesh in which all start at once, through one bootstrapper.
func TestAMeshIsComplete(t *testing.T) {
	sizes := []int{10, 50}
	if complete {
		sizes = append(sizes, 100)
	}
	for _, tt := range []struct {
		oneWay time.Duration
		within []time.Duration // by size
	}{
		{500 * time.Microsecond, []time.Duration{200 * time.Millisecond, 250 * time.Millisecond, 300 * time.Millisecond}},
		{25 * time.Millisecond, []time.Duration{700 * time.Millisecond, 1300 * time.Millisecond, 2 * time.Second}},
		{50 * time.Millisecond, []time.Duration{1200 * time.Millisecond, 2300 * time.Millisecond, 3 * time.Second}},
	} {
		for i, n := range sizes {
			c := newCrowd(t, 1, fixed(tt.oneWay))
			c.network(n, mesh(n+10))
			took := c.until("a full mesh", c.full, 10*time.Millisecond, 30*time.Second)
			t.Logf("round trip %5v, %3d nodes: complete after %6v, %6d B per node, %d questions per node",
				2*tt.oneWay, n, took, c.bytesPerNode(), c.asked())
			if took > tt.within[i] {
				t.Errorf("complete after %v, want %v", took, tt.within[i])
			}
			c.noBans()
		}
	}
}

// spreading is a run until every running node has the address of every other.
type spreading struct {
	nodes  int
	loss   float64
	churn  float64 // of the nodes leave, half of them without a word, while others join
	within time.Duration
}

func (s spreading) run(t *testing.T) {
	collectAt(t, 200)
	cfg := wide()
	cfg.Loss = s.loss
	c := newCrowd(t, 1, cfg)
	c.network(s.nodes)
	if s.churn > 0 {
		c.churn(int(float64(s.nodes)*s.churn), 30*time.Second, func() { c.add(bootstrap(c.members[0])).Start() })
	}
	c.until("nearly every address known", func() bool {
		n := len(c.up())
		return c.Elapsed() > 30*time.Second*time.Duration(min(1, s.churn*10)) && c.unknown() <= n*(n-1)/1000
	}, time.Second, s.within)
	nearly, bytes, steps := c.Elapsed(), c.bytesPerNode(), c.Steps()
	t.Logf("99.9 %% known after %v, %d KB per node", nearly, bytes/1000)
	c.until("every address known", func() bool { return c.unknown() == 0 }, time.Second, s.within)
	t.Logf("%d nodes, loss %.0f %%, churn %.0f %%: 99.9 %% known after %v (%d KB per node, %d steps), all after %v (%d KB, %d steps), %d questions per node",
		s.nodes, 100*s.loss, 100*s.churn, nearly, bytes/1000, steps, c.Elapsed(), c.bytesPerNode()/1000, c.Steps(), c.asked())
	c.table("traffic")
	if s.loss > 0 {
		c.noBans(handshake.OffenceOrder) // the handshake before it was lost
	} else {
		c.noBans()
	}
}

// churn lets n nodes leave, every other one by crashing, and as many join, evenly
// over a time.
func (c *crowd) churn(n int, over time.Duration, join func()) {
	rng := c.NewRand(77)
	for i := range n {
		c.After(time.Duration(i+1)*over/time.Duration(n+1), func() {
			up := c.up()[1:] // the bootstrapper stays
			leaver := up[rng.IntN(len(up))]
			if i%2 == 0 {
				leaver.Crash()
			} else {
				leaver.Stop()
			}
			join()
		})
	}
}

func TestEveryoneLearnsEveryonesAddress(t *testing.T) {
	runs := []spreading{
		{nodes: 100, within: 3 * time.Minute},
		{nodes: 60, loss: 0.05, within: 10 * time.Minute},
		{nodes: 60, churn: 0.2, within: 10 * time.Minute},
	}
	if complete {
		runs = append(runs, spreading{nodes: 1000, within: 10 * time.Minute},
			spreading{nodes: 1000, loss: 0.05, churn: 0.2, within: 20 * time.Minute})
	}
	for _, s := range runs {
		t.Run(fmt.Sprintf("%d nodes, loss %v, churn %v", s.nodes, s.loss, s.churn), s.run)
	}
}

// Of 5,000 nodes a fiftieth gossips its claim. Were it all, a run would take hours and
// the 25 million claims that are known in the end 20 GB. Otherwise the nodes are whole:
// they join, ask for peer lists, dial and ping. Gossip of all would cost each node fifty
// times as much, and fill its table of 4,096 items for some seconds after the start,
// which this does not show.
func TestClaimsReachFiveThousandNodes(t *testing.T) {
	if !complete {
		t.Skip("takes minutes and 8 GB: set WEFT_SIM=full")
	}
	for _, s := range []sampled{{}, {loss: 0.05, churn: 0.2}} {
		t.Run(fmt.Sprintf("loss %v, churn %v", s.loss, s.churn), s.run)
	}
}

// sampled is a run until the claims of those that gossip are known to nearly all.
type sampled struct{ loss, churn float64 }

const (
	sampledNodes = 5000
	sampledEvery = 50 // one of so many gossips
	sampledDoors = 20 // bootstrappers; with one alone the others would wait for it for minutes
)

func (s sampled) run(t *testing.T) {
	collectAt(t, 60)
	cfg := wide()
	cfg.Loss = s.loss
	c := newCrowd(t, 1, cfg)
	join := func() {
		i := len(c.members)
		c.add(bootstrap(c.members[:min(i, sampledDoors)]...), func(cfg *discovery.Config, _ *NodeConfig) {
			if i%sampledEvery != 0 {
				cfg.GossipFirst, cfg.GossipEvery = 24*time.Hour, 24*time.Hour
			}
			cfg.Dialing.MaxKnown = 2 * sampledNodes
		}).Start()
	}
	for range sampledNodes {
		join()
	}
	if s.churn > 0 {
		c.churn(int(sampledNodes*s.churn), 30*time.Second, join)
		c.Run(31 * time.Second)
	}
	c.until("twelve members everywhere", func() bool { return c.least(members) >= 12 }, time.Second, 10*time.Minute)
	t.Logf("%d nodes, loss %.0f %%, churn %.0f %%: twelve members each after %v, %d KB per node",
		len(c.up()), 100*s.loss, 100*s.churn, c.Elapsed(), c.bytesPerNode()/1000)
	c.table("joined")
	var of []*member
	c.until("the claims of those that gossip known to 99.9 %", func() bool {
		of = slices.DeleteFunc(c.up(), func(m *member) bool { return m.Index()%sampledEvery != 0 })
		return c.lacking(of) <= len(c.up())*len(of)/1000
	}, 5*time.Second, 30*time.Minute)
	gossip := int(c.net.Traffic()[infect.ClaimsProtocol].Sent.Bytes) / len(c.up())
	t.Logf("99.9 %% of them known after %v; %d KB per node, of which gossip %d KB for %d claims: %d B for each; %d questions and %d known peers per node",
		c.Elapsed(), c.bytesPerNode()/1000, gossip/1000, len(of), gossip/len(of), c.asked(), c.mean(knownPeers))
	c.table("spread")
	if s.loss > 0 {
		c.noBans(handshake.OffenceOrder) // the handshake before it was lost
	} else {
		c.noBans()
	}
}

// collectAt sets how much of the heap may be garbage, in percent of what lives.
func collectAt(t *testing.T, percent int) {
	before := debug.SetGCPercent(percent)
	t.Cleanup(func() { debug.SetGCPercent(before) })
}

// lacking is how many addresses the running nodes lack of some, in all. While these are
// many it is an estimate, from a fiftieth of the nodes.
func (c *crowd) lacking(of []*member) int {
	wanted := map[core.PeerID]bool{}
	for _, m := range of {
		wanted[m.ID()] = true
	}
	lackedBy := func(m *member) int {
		lacks := len(wanted)
		for _, k := range m.machine().Known(m.Now()) {
			if wanted[k.ID] && len(k.Addrs) > 0 {
				lacks--
			}
		}
		if wanted[m.ID()] {
			lacks--
		}
		return lacks
	}
	sum := 0
	for i, m := range c.up() {
		if i%50 == 1 {
			sum += 50 * lackedBy(m)
		}
	}
	if sum > len(c.up())*len(of)/500 {
		return sum
	}
	sum = 0
	for _, m := range c.up() {
		sum += lackedBy(m)
	}
	return sum
}

// A bootstrapper with 50 places sends on those for whom it has none.
func TestNewcomersJoinThroughOneNodeWithFewerPlaces(t *testing.T) {
	for _, topology := range []setting{places(50), mesh(50)} {
		c := newCrowd(t, 1, wide())
		c.network(121, topology)
		took := c.until("twelve members everywhere", func() bool { return c.least(members) >= 12 }, 100*time.Millisecond, time.Minute)
		t.Logf("120 nodes joined through 50 places after %v, %d B per node", took, c.bytesPerNode())
		for _, m := range c.members {
			if n := m.machine().Stats().Connected; n > 50+16 {
				t.Errorf("node %d is connected to %d, want at most 50 and 16 guests", m.Index(), n)
			}
		}
		c.noBans()
	}
}

// A node whose bootstrappers are all down rejoins through those whom it knew.
func TestARestartedNodeRejoinsWithoutBootstrappers(t *testing.T) {
	c := newCrowd(t, 1, wide())
	c.network(20, keep)
	c.Run(time.Minute)
	c.members[7].Crash()
	c.members[0].Crash()
	c.Run(2 * time.Minute)
	c.members[7].Start()
	took := c.until("a member", func() bool { return members(c.members[7]) > 0 }, 100*time.Millisecond, time.Minute)
	t.Logf("rejoined after %v", took)
	if took > 10*time.Second {
		t.Errorf("rejoined after %v, want at most 10 s", took)
	}
	c.noBans()
}

// Beside pings there are questions for peer lists, and where the topology is not a
// mesh now and then all claims by gossip: 2, 6, 14 ... minutes after the start. The
// time in which this counts lies between two of those; over the 12 h of a claim's
// life they are 0.7 B/s for each node of the network.
func TestAtRestANetworkIsQuiet(t *testing.T) {
	nodes := 30
	if complete {
		nodes = 100
	}
	for name, topology := range map[string]setting{"mesh": mesh(nodes), "bounded": places(50)} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd(t, 1, wide())
			c.network(nodes, topology)
			c.Run(2*time.Minute + 30*time.Second)
			before, links := c.bytesPerNode(), 0
			for _, m := range c.members {
				links += members(m)
			}
			c.Run(3 * time.Minute)
			perSecond := (c.bytesPerNode() - before) / 180
			// A ping and a pong of about 57 B each way in 30 s are 3.8 B/s for each link.
			pings := 4 * links / nodes
			t.Logf("%s of %d: %d B/s per node, of which pings %d", name, nodes, perSecond, pings)
			if perSecond > pings+150 {
				t.Errorf("%d B/s per node at rest, want at most 150 beside the %d of the pings", perSecond, pings)
			}
			c.noBans()
		})
	}
}
