package uptime

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
)

func TestUptimeIsThePartOfTheKnownTime(t *testing.T) {
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	weights := map[core.PeerID]uint64{"v": 1}
	for _, tc := range []struct {
		name string
		do   func(l *ledger)
		now  int
		want Percent
	}{
		{"just connected", func(l *ledger) { l.joined(at(0), "v") }, 0, All},
		{"connected all the time", func(l *ledger) { l.joined(at(0), "v") }, 100, All},
		{"gone half of the time", func(l *ledger) { l.joined(at(0), "v"); l.left(at(50), "v") }, 100, 5000},
		{"gone and back", func(l *ledger) { l.joined(at(0), "v"); l.left(at(50), "v"); l.joined(at(75), "v") }, 100, 7500},
		{"a third, rounded", func(l *ledger) { l.joined(at(0), "v"); l.left(at(1), "v") }, 3, 3333},
		{"a validator that never comes", func(l *ledger) { l.setValidators(at(0), weights) }, 100, 0},
		{"a validator that comes late", func(l *ledger) { l.setValidators(at(0), weights); l.joined(at(90), "v") }, 100, 1000},
		{"joined twice", func(l *ledger) { l.joined(at(0), "v"); l.joined(at(50), "v") }, 100, All},
		{"left twice", func(l *ledger) { l.joined(at(0), "v"); l.left(at(50), "v"); l.left(at(90), "v") }, 100, 5000},
		{"known before it validated", func(l *ledger) { l.joined(at(0), "v"); l.left(at(50), "v"); l.setValidators(at(50), weights) }, 100, 5000},
		{"a clock that went back", func(l *ledger) { l.joined(at(100), "v") }, 50, All},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLedger(10)
			tc.do(&l)
			if got, ok := l.uptime(at(tc.now), "v"); !ok || got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	l := newLedger(10)
	if _, ok := l.uptime(at(0), "v"); ok {
		t.Error("an unknown node has an uptime")
	}
}

// The ledger against a twin that keeps every second, and its bound.
func TestLedgerAgreesWithADumbTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLedger(rapid.IntRange(0, 4).Draw(t, "remember"))
		ups, live, known := map[core.PeerID]int{}, map[core.PeerID]bool{}, map[core.PeerID]int{}
		peers := rapid.Map(rapid.IntRange(0, 9), func(i int) core.PeerID { return core.PeerID(rune('a' + i)) })
		for s := range rapid.IntRange(1, 100).Draw(t, "seconds") {
			now := start.Add(time.Duration(s) * time.Second)
			switch p := peers.Draw(t, "peer"); rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				l.joined(now, p)
				live[p] = true
			case 1:
				l.left(now, p)
				live[p] = false
			case 2:
				l.setValidators(now, map[core.PeerID]uint64{p: rapid.Uint64Range(0, 9).Draw(t, "weight")})
			}
			others := 0
			for p, r := range l.nodes {
				if _, again := known[p]; !again {
					known[p], ups[p] = s, 0
				}
				if !r.live && l.validators[p] == 0 {
					others++
				}
				want, all := 10_000.0, s-known[p]
				if all > 0 {
					want = 10_000 * float64(ups[p]) / float64(all)
				} else if !live[p] {
					want = 0
				}
				if got, _ := l.uptime(now, p); math.Abs(float64(got)-want) > 0.51 {
					t.Fatalf("%s after %d s: %v, want %.1f", p, s, got, want)
				}
			}
			for p := range known {
				if l.nodes[p] == nil {
					delete(known, p)
				}
				if live[p] {
					ups[p]++
				}
			}
			if others != l.others || others > l.remember {
				t.Fatalf("%d others, counted %d, at most %d", others, l.others, l.remember)
			}
		}
	})
}

func TestTheLongestGoneIsForgottenFirst(t *testing.T) {
	l := newLedger(2)
	for i, p := range []core.PeerID{"a", "b", "c"} {
		l.joined(start, p)
		l.left(start.Add(time.Duration(i)*time.Second), p)
	}
	if l.nodes["a"] != nil || l.nodes["b"] == nil || l.nodes["c"] == nil {
		t.Errorf("remembered: %v", l.nodes)
	}
}
