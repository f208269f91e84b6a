//go:build slow

package node_test

import (
	"testing"
	"time"

	"github.com/weftnet/weft/node"
)

const (
	guests = 16 // of a full node: libp2phost's default

	joinLimit = 4 * time.Minute // chosen well above what a machine takes that does other things too
	lookEvery = 50 * time.Millisecond
)

// lean leaves out what 120 nodes in one process would spend most of its time on.
func lean(c *node.Config) {
	c.NoDHT, c.NoPubSub = true, true
	c.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
}

// A whole network joins through one node that has no place for most of it. That
// node tells each newcomer of others, so that nobody stays alone, and never has
// more peers than places.
func TestANetworkJoinsThroughOneNodeOfFiftyPlaces(t *testing.T) {
	const newcomers = 120
	door := start(t, lean)
	places := node.DefaultConfig().MaxPeers
	most, stop := watchPeers(t, door)
	begun := time.Now()
	nodes := make([]*node.Node, 0, newcomers)
	for range newcomers {
		nodes = append(nodes, start(t, joining(door), lean))
	}
	for _, n := range nodes {
		for members(t, n) < 2 {
			if time.Since(begun) > joinLimit {
				t.Fatalf("%s has %d members after %v", n.ID(), members(t, n), joinLimit)
			}
			time.Sleep(lookEvery)
		}
	}
	t.Logf("%d nodes have members %v after the first began", newcomers, time.Since(begun).Round(time.Millisecond))
	close(stop)
	peers, withGuests := <-most, <-most
	if peers > places || withGuests > places+guests {
		t.Errorf("the door had %d peers, %d with guests, and has %d places and %d for guests", peers, withGuests, places, guests)
	}
	if withGuests <= places {
		t.Errorf("the door had %d peers with guests: it was never full, so that nothing is shown", withGuests)
	}
	t.Logf("the door had at most %d peers, %d with guests", peers, withGuests)
}

func TestGossipFlowsAfterAHundredSimultaneousDials(t *testing.T) { collisions(t, 100) }

// watchPeers looks all the time how many peers a node has, without and with guests.
func watchPeers(t testing.TB, n *node.Node) (most <-chan int, stop chan struct{}) {
	found, stop := make(chan int, 2), make(chan struct{})
	go func() {
		var peers, all int
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			now, held := n.Peers(), 0
			for _, p := range now {
				if !p.Guest {
					held++
				}
			}
			peers, all = max(peers, held), max(all, len(now))
			select {
			case <-tick.C:
			case <-stop:
				found <- peers
				found <- all
				return
			}
		}
	}()
	return found, stop
}
