package simtest

import (
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

func TestHonestNodesAreSymmetricWellBeforeTheTimeIsUp(t *testing.T) {
	for _, oneWay := range []time.Duration{time.Millisecond, 100 * time.Millisecond} {
		for _, n := range []int{2, 20} {
			c := newCrowd(t, 1, fixed(oneWay))
			c.network(n, mesh(n+4), symmetric)
			took := c.until("a full mesh", c.full, 10*time.Millisecond, time.Minute)
			c.Run(time.Minute) // nobody is dropped later
			t.Logf("one way %v, %d nodes: complete after %v", oneWay, n, took)
			if took > 5*time.Second || !c.full() {
				t.Errorf("complete after %v, want 5 s, and for good", took)
			}
			for i, m := range c.members {
				if s := m.machine().Stats(); s.Asymmetric != 0 {
					t.Errorf("node %d dropped %d pairs", i, s.Asymmetric)
				}
			}
			c.noBans()
		}
	}
}

// One whose port is closed can dial others, but nobody can dial it back.
func TestANodeThatCannotBeDialledIsDroppedInTimeAndRefused(t *testing.T) {
	c := newCrowd(t, 1, wide())
	c.network(6, mesh(10), symmetric)
	c.until("a full mesh", c.full, 10*time.Millisecond, time.Minute)
	closed := c.add(mesh(10), symmetric, bootstrap(c.members[0]))
	closed.SetOpen(false)
	var connected, dropped, again time.Duration
	c.members[0].Spy = func(ev core.Event) {
		switch ev := ev.(type) {
		case core.Connected:
			if ev.Peer == closed.ID() && connected == 0 {
				connected = c.Elapsed()
			} else if ev.Peer == closed.ID() && again == 0 {
				again = c.Elapsed()
			}
		case core.Disconnected:
			if ev.Peer == closed.ID() && dropped == 0 {
				dropped = c.Elapsed()
			}
		}
	}
	closed.Start()
	c.Run(9 * time.Minute)
	held := dropped - connected
	t.Logf("connected for %v", held)
	if held < 13500*time.Millisecond || held > 16500*time.Millisecond {
		t.Errorf("dropped after %v, want 15 s, 10 %% either way", held)
	}
	if again != 0 {
		t.Errorf("connected again %v after it was dropped, want not before 10 min", again-dropped)
	}
	if members(closed) != 0 {
		t.Errorf("it has %d members, want none", members(closed))
	}
	closed.SetOpen(true)
	took := c.until("a full mesh with it", c.full, time.Second, 20*time.Minute)
	t.Logf("its port opened 9 min later: complete after %v", took)
	c.noBans()
}
