//go:build slow

package node_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/weftnet/weft/node"
)

const (
	burst     = 20_000 // objects, above every limit of what may wait
	burstSize = 1 << 10
	burstTime = 5 * time.Minute // for all to have it, where the machine does other things
)

// A burst reaches every node, whether or not its objects depend on each other.
func TestABurstAboveEveryLimitIsHeldByAll(t *testing.T) {
	for name, write := range map[string]func(testing.TB, *node.Node) []node.ObjectID{"independent": putMany, "chained": putChain} {
		t.Run(name, func(t *testing.T) {
			nodes := follow(t, 3, carrying("blocks"))
			ids := write(t, nodes[0])
			for i, n := range nodes[1:] {
				awaitHeld(t, n, burst)
				held := heldBy(t, n)
				for _, id := range ids {
					if !held[id] {
						t.Fatalf("node %d lacks %s", i+1, id)
					}
				}
			}
		})
	}
}

// Who follows a chain of which everybody keeps little never loses its thread, and
// ends with what the writer has.
func TestABurstOfWhichLittleIsKeptIsFollowed(t *testing.T) {
	const kept = 1000
	nodes := follow(t, 3, carrying("blocks", func(o *node.ObjectTopic) { o.KeepObjects = kept }))
	ids := putChain(t, nodes[0])
	for i, n := range nodes[1:] {
		awaitHeld(t, n, burst)
		log, err := n.ListObjects(soon(t), "blocks", 0, burst)
		if err != nil || len(log) != kept {
			t.Fatalf("node %d keeps %d, %v", i+1, len(log), err)
		}
		for k, e := range log {
			if e.ID != ids[burst-kept+k] {
				t.Fatalf("node %d has %s as number %d", i+1, e.ID, e.Seq)
			}
		}
	}
}

// follow starts nodes that carry the topic, all connected with each other.
func follow(t testing.TB, n int, topic func(*node.Config)) []*node.Node {
	nodes := []*node.Node{start(t, topic)}
	for len(nodes) < n {
		nodes = append(nodes, start(t, topic, joining(nodes[0])))
	}
	for _, each := range nodes {
		awaitCarriers(t, each, "blocks", n-1)
	}
	return nodes
}

func putChain(t testing.TB, n *node.Node) []node.ObjectID {
	ids := make([]node.ObjectID, burst)
	for i := range ids {
		ids[i] = putNumbered(t, n, i, ids[max(0, i-1):i]...)
	}
	return ids
}

// putMany puts as fast as the node takes it.
func putMany(t testing.TB, n *node.Node) []node.ObjectID {
	const writers = 100
	ids := make([]node.ObjectID, burst)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := w; i < burst; i += writers {
				ids[i] = putNumbered(t, n, i)
			}
		})
	}
	all.Wait()
	return ids
}

func putNumbered(t testing.TB, n *node.Node, i int, deps ...node.ObjectID) node.ObjectID {
	id, err := n.PutObject(t.Context(), "blocks", node.Draft{Payload: fmt.Appendf(nil, "%*d", burstSize, i), Deps: deps})
	if err != nil {
		t.Errorf("put %d: %v", i, err)
	}
	return id
}

// awaitHeld waits until a node has taken in so many objects.
func awaitHeld(t testing.TB, n *node.Node, want uint64) {
	t.Helper()
	begun := time.Now()
	for since(begun) < burstTime {
		if s := theTopic(t, n); s.Last == want {
			t.Logf("all are there %v after the last put", since(begun))
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("after %v the node has %+v", burstTime, theTopic(t, n))
}

func theTopic(t testing.TB, n *node.Node) node.ObjectTopicState {
	t.Helper()
	all, err := n.ObjectTopics(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0]
}

func heldBy(t testing.TB, n *node.Node) map[node.ObjectID]bool {
	t.Helper()
	log, err := n.ListObjects(soon(t), "blocks", 0, 2*burst)
	if err != nil {
		t.Fatal(err)
	}
	held := map[node.ObjectID]bool{}
	for _, e := range log {
		held[e.ID] = true
	}
	return held
}
