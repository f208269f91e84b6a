package simtest

import (
	"fmt"
	"os"
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
	cfg := wide()
	cfg.Loss = s.loss
	c := newCrowd(t, 1, cfg)
	c.network(s.nodes)
	if s.churn > 0 {
		c.churn(int(float64(s.nodes)*s.churn), 30*time.Second)
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
func (c *crowd) churn(n int, over time.Duration) {
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
			c.add(bootstrap(c.members[0])).Start()
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
		for _, n := range []int{1000} {
			runs = append(runs, spreading{nodes: n, within: 10 * time.Minute},
				spreading{nodes: n, loss: 0.05, within: 20 * time.Minute}, spreading{nodes: n, churn: 0.2, within: 20 * time.Minute})
		}
	}
	for _, s := range runs {
		t.Run(fmt.Sprintf("%d nodes, loss %v, churn %v", s.nodes, s.loss, s.churn), s.run)
	}
}

// In a network in which all can gossip at once a twentieth of the nodes does, so
// that the run is a twentieth as long: claims spread independently of each other.
func TestClaimsReachFiveThousandNodes(t *testing.T) {
	if !complete {
		t.Skip("takes minutes: set WEFT_SIM=full")
	}
	const nodes, every = 5000, 20
	c := newCrowd(t, 1, wide())
	quiet := func(i int) setting {
		return func(cfg *discovery.Config, _ *NodeConfig) {
			if i%every != 0 {
				cfg.GossipFirst, cfg.GossipEvery = 24*time.Hour, 24*time.Hour
			}
			cfg.Dialing.MaxKnown = 2 * nodes
		}
	}
	c.add(quiet(0))
	for i := 1; i < nodes; i++ {
		c.add(quiet(i), bootstrap(c.members[0]))
	}
	for _, m := range c.members {
		m.Start()
	}
	joined := c.until("twelve members everywhere", func() bool { return c.least(members) >= 12 }, time.Second, 10*time.Minute)
	t.Logf("%d nodes: joined after %v, %d KB per node", nodes, joined, c.bytesPerNode()/1000)
	c.table("joined")
	spread := c.until("the claims of a twentieth known", func() bool { return c.lacking(every) <= nodes*nodes/every/1000 }, 10*time.Second, 30*time.Minute)
	gossip := c.net.Traffic()[infect.ClaimsProtocol].Sent.Bytes / nodes
	t.Logf("99.9 %% known %v later; gossip %d KB per node for %d claims, so %d KB for all", spread, gossip/1000, nodes/every, every*gossip/1000)
	c.table("spread")
}

// lacking is how many addresses the nodes lack of those that gossip.
func (c *crowd) lacking(every int) (sum int) {
	gossips := map[core.PeerID]bool{}
	for i := 0; i < len(c.members); i += every {
		gossips[c.members[i].ID()] = true
	}
	for _, m := range c.members {
		sum += len(gossips)
		if gossips[m.ID()] {
			sum--
		}
		for _, k := range m.machine().Known(m.Now()) {
			if gossips[k.ID] {
				sum--
			}
		}
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
