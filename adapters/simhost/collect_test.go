package simhost

import (
	"testing"
	"time"
)

// TestARestartedNodeMayHaveAMessageAgain tells that from a message that comes twice.
func TestARestartedNodeMayHaveAMessageAgain(t *testing.T) {
	w := newTestWorld(t, nil)
	c := newCollector(w)
	node := (w.sends[0].by + 1) % w.Config.Nodes
	now := time.Now()
	c.since[node] = now
	data := c.message(0)
	c.deliver(node, data, now.Add(1))
	if c.started(node); c.twice != 0 {
		t.Error("the first delivery counts as a second one")
	}
	c.deliver(node, data, time.Now().Add(time.Second))
	if c.twice != 0 || !c.got[0][node].Equal(now.Add(1)) {
		t.Errorf("after a restart: %d twice, first at %s", c.twice, c.got[0][node])
	}
	c.got[0][node] = time.Now().Add(time.Second)
	if c.deliver(node, data, time.Now()); c.twice != 1 {
		t.Error("a second delivery to the same start does not count")
	}
}
