package peerlist

import (
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"pgregory.net/rapid"
)

// connected knows n members, all connected.
func connected(n int) *Tracker {
	b := openTracker()
	for i := range n {
		if err := b.Connected(start, claimOf(peerN(i), 1)); err != nil {
			panic(err)
		}
	}
	return b
}

func TestAnswerIsWhatTheAskerLacks(t *testing.T) {
	b, asker := connected(40), openTracker()
	for round := 0; ; round++ {
		claims, _ := b.Answer(start, peerN(0), asker.Query())
		if len(claims) == 0 {
			break
		}
		if want := min(MaxAnswer, 39-asker.book.Len()); len(claims) != want {
			t.Errorf("round %d: %d claims, want %d", round, len(claims), want)
		}
		for _, c := range claims {
			if c.Peer == peerN(0) || asker.Add(start, who("b"), c) != nil {
				t.Errorf("%s was told again, or to itself", c.Peer)
			}
		}
	}
	if asker.book.Len() != 39 {
		t.Errorf("the asker learned %d of 39", asker.book.Len())
	}
}

func TestTheExpiredAreNotTold(t *testing.T) {
	b := connected(3)
	if claims, _ := b.Answer(start.Add(24*time.Hour), "asker", openTracker().Query()); len(claims) != 0 {
		t.Errorf("told %d expired claims", len(claims))
	}
}

func TestAWrongSaltHidesNothing(t *testing.T) {
	b := connected(10)
	q := b.Query()
	q.Salt[0]++
	if claims, _ := b.Answer(start, "asker", q); len(claims) < 9 {
		t.Errorf("only %d of 10 told", len(claims))
	}
}

// Fresh identities do not crowd out those whom the network vouches for.
func TestTrustedAreToldFirst(t *testing.T) {
	b := connected(1000)
	b.SetValidators(start, []core.PeerID{peerN(3), peerN(700)})
	for range 50 {
		claims, _ := b.Answer(start, "asker", openTracker().Query())
		told := map[core.PeerID]bool{}
		for _, c := range claims {
			told[c.Peer] = true
		}
		if !told[peerN(3)] || !told[peerN(700)] || len(told) != MaxAnswer {
			t.Fatalf("validators are missing among %d claims", len(claims))
		}
	}
}

func TestEachIsToldAboutAsOften(t *testing.T) {
	const n, rounds = 60, 4000
	b, q, told := connected(n), openTracker().Query(), map[core.PeerID]int{}
	for range rounds {
		claims, _ := b.Answer(start, "asker", q)
		for _, c := range claims {
			told[c.Peer]++
		}
	}
	want := float64(rounds * MaxAnswer / n) // 1000, standard deviation 27
	for i := range n {
		if got := float64(told[peerN(i)]); got < 0.85*want || got > 1.15*want {
			t.Errorf("%s was told %v times, want about %v", peerN(i), got, want)
		}
	}
}

func TestAStrollVisitsEachPlaceOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "n")
		at, step := newTracker(DefaultConfig(), bookConfig(), rapid.Uint64().Draw(t, "seed")).stroll(n)
		seen := map[int]bool{}
		for range n {
			at = (at + step) % n
			seen[at] = true
		}
		if len(seen) != n {
			t.Fatalf("step %d visits %d of %d places", step, len(seen), n)
		}
	})
}
