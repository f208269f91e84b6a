package kaddht

import (
	"testing"
	"time"
)

func TestAJoinerLooksAroundByItself(t *testing.T) {
	a, _, c := chain(t)
	eventually(t, "the ends of the chain know each other", func() bool { return a.holds(c) && c.holds(a) })
}

// With the library's own rules each side would have asked the other at once.
func TestAPeerEntersTheTableUnasked(t *testing.T) {
	a, b := newNode(t), newNode(t)
	began := time.Now()
	connect(t, a, b)
	asked := a.Stats().Inbound["FIND_NODE"] + b.Stats().Inbound["FIND_NODE"]
	if took := time.Since(began); took >= steadyFor {
		t.Skipf("connecting took %v: they refresh their tables by now", took)
	}
	if asked > 0 {
		t.Errorf("%d requests", asked)
	}
}

func TestPeersOfEarlierEnterTheTable(t *testing.T) {
	ha, hb := newHost(t), newHost(t)
	b := newNodeOn(t, hb)
	if err := ha.Connect(soon(t), info(hb)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "identify is over", func() bool {
		protos, _ := ha.Peerstore().GetProtocols(hb.ID())
		return len(protos) > 0
	})
	a := newNodeOn(t, ha)
	eventually(t, "the peer is in the table", func() bool { return a.holds(b) })
}

func TestWhenTheTableIsRefreshed(t *testing.T) {
	a, b := newNode(t), newNode(t)
	connect(t, a, b)
	now := time.Now()
	for _, c := range []struct {
		name    string
		joining time.Time
		after   time.Duration // since the last refresh
		alone   bool
		want    bool
	}{
		{name: "few peers", after: lookEvery, want: true},
		{name: "somebody joined", joining: now, after: time.Second, want: true},
		{name: "nobody to ask", joining: now, after: time.Hour, alone: true},
	} {
		tn := &tender{d: a, timer: time.NewTimer(time.Hour), joining: c.joining, refreshed: now.Add(-c.after)}
		if c.alone {
			tn.d = newNode(t)
		}
		if tn.look(now); tn.refreshed.Equal(now) != c.want || c.want && !tn.joining.IsZero() {
			t.Errorf("%s: refreshed %v, joining %v", c.name, tn.refreshed.Equal(now), tn.joining)
		}
	}
}

// Peers that keep coming do not put the first refresh off for ever.
func TestTheFirstRefreshComesInTime(t *testing.T) {
	a, b := newNode(t), newNode(t)
	connect(t, a, b)
	a.dht.RoutingTable().RemovePeer(b.host.ID())
	tn := &tender{d: a, timer: time.NewTimer(time.Hour), joining: time.Now().Add(-2 * joinFor)}
	tn.met(b.host.ID(), time.Now())
	select {
	case <-tn.timer.C:
	case <-time.After(patience):
		t.Error("it is still put off")
	}
}
