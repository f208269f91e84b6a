//go:build slow

package node_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/weftnet/weft/node"
)

// Of a log of 100,000 objects, each of which depends on the one before, everybody
// keeps the newest 1,000. Who comes late joins it from an anchor: the last object that
// nobody has any more. Others then join from the late one as well.
func TestALongLogIsJoinedLateFromAnAnchor(t *testing.T) {
	const length, kept = 100_000, 1000
	topic := carrying("blocks", func(o *node.ObjectTopic) { o.KeepObjects = kept })
	first := start(t, topic)
	begun := time.Now()
	chain := make([]node.ObjectID, length)
	for i := range chain {
		var err error
		// t's context: soon would leave 100,000 timers behind, and heap count them
		chain[i], err = first.PutObject(t.Context(), "blocks", node.Draft{Payload: fmt.Append(nil, "block ", i), Deps: chain[max(0, i-1):i]})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d objects put in %v; heap %d MiB", length, since(begun), heap())

	late := joinsLongLog(t, first, topic, chain[length-kept-1:])
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	later := joinsLongLog(t, late, topic, chain[length-kept-1:])
	own := put(t, later, "blocks", "its own", chain[length-1])
	if d := delivered(t, reads(t, late, "blocks", kept)); d.ID != own || d.Seq != kept+1 {
		t.Errorf("the log goes on with number %d, %s, want %s", d.Seq, d.ID, own)
	}
}

// joinsLongLog starts a node, and wants all that follows the anchor, in order.
func joinsLongLog(t *testing.T, via *node.Node, topic func(*node.Config), chain []node.ObjectID) *node.Node {
	t.Helper()
	begun := time.Now()
	n := start(t, topic, joining(via))
	if err := n.AnchorObject(soon(t), "blocks", chain[0]); err != nil {
		t.Fatal(err)
	}
	log := reads(t, n, "blocks", 0)
	for i, want := range chain[1:] {
		if d := delivered(t, log); d.ID != want || d.Seq != uint64(i+1) {
			t.Fatalf("delivery %d is number %d, %s, want %s", i, d.Seq, d.ID, want)
		}
	}
	t.Logf("a node that joins has the %d that are kept after %v; heap %d MiB", len(chain)-1, since(begun), heap())
	return n
}

func since(begun time.Time) time.Duration { return time.Since(begun).Round(time.Millisecond) }

// heap is what the process uses of it, in MiB.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc >> 20
}
