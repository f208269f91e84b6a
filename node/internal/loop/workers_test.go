package loop

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/weftnet/weft/protocols/core"
)

func TestTheChecksOfOnePeerAreAnsweredInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan core.Verified, 1000)
		w := NewWorkers(func(ev core.Event) { answers <- ev.(core.Verified) })
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx)
		const each = 100
		peers := []core.PeerID{"a", "b", "c", "d"}
		for i := range each {
			for _, p := range peers {
				w.Do(core.Verify{Peer: p, Check: func() any { return i }})
			}
		}
		next := map[core.PeerID]int{}
		for range each * len(peers) {
			v := <-answers
			if v.Answer != next[v.Peer] {
				t.Fatalf("%s is answered %v, want %d", v.Peer, v.Answer, next[v.Peer])
			}
			next[v.Peer]++
		}
		cancel()
		synctest.Wait()
	})
}

func TestChecksThatFindNoRoomAreDroppedAndCounted(t *testing.T) {
	w := NewWorkers(func(core.Event) {})
	for range 2 * maxChecks {
		w.Do(core.Verify{Peer: "p"})
	}
	if w.Queued() == 0 || w.Queued() > maxChecks || w.Dropped() != uint64(2*maxChecks-w.Queued()) {
		t.Errorf("queued %d, dropped %d of %d", w.Queued(), w.Dropped(), 2*maxChecks)
	}
}
