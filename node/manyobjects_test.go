//go:build slow

package node_test

import (
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weftnet/weft/node"
)

// A node holds an index of what is stored, 20 MiB, and for two minutes what pubsub and
// the tiers remember of each message, 60 MiB. The payloads are 100 MiB: pubsub holds
// those of the last five seconds, which are all when they are put in less.
const (
	manyObjects = 100_000
	manySize    = 1 << 10 // bytes of each payload

	writingMiB = 256 // one node that puts as fast as it can
	calmMiB    = 112 // the same when pubsub has let go of the payloads
	restingMiB = 48  // one node that was started again
	givingMiB  = 320 // two nodes, while one gives the other everything
)

// A topic of 100,000 objects of 1 KiB is stored, read again after a restart, and given
// to another node, in bounded memory.
func TestAHundredThousandObjectsAreServedInBoundedMemory(t *testing.T) {
	dir := t.TempDir()
	t.Run("put", func(t *testing.T) {
		n := start(t, carrying("votes"), inDir(dir))
		w := watchHeap()
		begun := time.Now()
		putHundredThousand(t, n)
		t.Logf("put in %v", since(begun))
		w.told(t, writingMiB)
		eventually(t, "memory of the payloads", func() bool { return heap() <= calmMiB })
	})
	t.Run("start again", func(t *testing.T) {
		w := watchHeap()
		begun := time.Now()
		start(t, carrying("votes"), inDir(dir))
		t.Logf("started in %v", since(begun))
		w.told(t, restingMiB)
	})
	t.Run("give", func(t *testing.T) {
		n := start(t, carrying("votes"), inDir(dir))
		w := watchHeap()
		begun := time.Now()
		late := start(t, carrying("votes"), inDir(t.TempDir()), joining(n))
		log := reads(t, late, "votes", 0)
		for i := range manyObjects {
			d, err := log.Next(t.Context())
			if err != nil || d.Seq != uint64(i+1) || len(d.Payload) != manySize {
				t.Fatalf("delivery %d is number %d, of %d bytes, %v", i, d.Seq, len(d.Payload), err)
			}
		}
		t.Logf("given in %v", since(begun))
		w.told(t, givingMiB)
	})
}

// putHundredThousand puts from so many goroutines that each write to the disk takes a batch.
func putHundredThousand(t *testing.T, n *node.Node) {
	t.Helper()
	var left atomic.Int64
	left.Store(manyObjects)
	var all sync.WaitGroup
	for range manyUnderway {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := n.PutObject(t.Context(), "votes", node.Draft{Payload: numbered(manySize), Unsigned: true}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// heapWatch finds the most that was in use at the end of any garbage collection.
type heapWatch struct {
	before uint64
	stop   chan struct{}
	most   chan uint64
}

func watchHeap() heapWatch {
	w := heapWatch{heap(), make(chan struct{}), make(chan uint64)}
	go func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for most := uint64(0); ; {
			metrics.Read(live)
			most = max(most, live[0].Value.Uint64()>>20)
			select {
			case <-time.After(20 * time.Millisecond):
			case <-w.stop:
				w.most <- most
				return
			}
		}
	}()
	return w
}

// told ends the watch, and holds what it saw to a limit.
func (w heapWatch) told(t *testing.T, limitMiB uint64) {
	t.Helper()
	now := heap()
	w.stop <- struct{}{}
	most := max(now, <-w.most)
	t.Logf("heap: %d MiB before, %d MiB at most, %d MiB after", w.before, most, now)
	if most > limitMiB {
		t.Errorf("the limit is %d MiB", limitMiB)
	}
}
