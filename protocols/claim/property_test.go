package claim

import (
	"errors"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"pgregory.net/rapid"
)

// variants are claims of a few peers at a few times, each with two contents.
func variants(t testing.TB) (all []Signed) {
	for n := range uint64(6) {
		for _, d := range []time.Duration{-2 * time.Hour, -time.Hour, 0, time.Second, time.Hour} {
			for _, a := range []string{"/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1"} {
				all = append(all, newIdentity(t, n).sign(t, at(d), on(a)))
			}
		}
	}
	return all
}

func TestTheBookHoldsTheNewestOfWhatItAcceptedAndStaysBounded(t *testing.T) {
	claims := variants(t)
	rapid.Check(t, func(rt *rapid.T) {
		b := newBook(t, func(c *Config) { c.Capacity = rapid.IntRange(1, 5).Draw(rt, "capacity") })
		clock, held := now, map[core.PeerID]bool{}
		newest := map[core.PeerID]time.Time{} // of what was ever accepted
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			c := rapid.SampledFrom(claims).Draw(rt, "claim")
			from := rapid.SampledFrom([]core.PeerID{"a", "b", "c", "d", "e", "f", c.Peer}).Draw(rt, "from")
			switch rapid.IntRange(0, 9).Draw(rt, "action") {
			case 0:
				if len(held) < b.cfg.Capacity {
					b.Hold(c.Peer)
					held[c.Peer] = true
				}
			case 1:
				b.Release(c.Peer)
				delete(held, c.Peer)
			case 2:
				b.Expire(clock)
			case 3:
				clock = clock.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(6*time.Hour)).Draw(rt, "jump")))
			case 4:
				b.Forget(c.Peer)
			default:
				was, there := b.Get(c.Peer)
				pre := b.Precheck(clock, from, c.Bytes())
				err := b.Add(clock, from, c)
				if pre != nil && !errors.Is(err, reasonOf(pre)) {
					rt.Fatalf("Precheck says %v, Add says %v", pre, err)
				}
				if err == nil {
					if there && !c.Time.After(was.Time) {
						rt.Fatal("a claim that is not newer was accepted")
					}
					newest[c.Peer] = c.Time
				}
			}
			checkBook(rt, b, newest)
		}
	})
}

func checkBook(rt *rapid.T, b *Book, newest map[core.PeerID]time.Time) {
	if b.Len() > b.cfg.Capacity || len(b.byPeer) != b.Len() {
		rt.Fatalf("%d claims under %d keys, at most %d may be", b.Len(), len(b.byPeer), b.cfg.Capacity)
	}
	listed := 0
	for i, e := range b.all {
		_, held := b.held[e.Peer]
		by := 0
		for x := e.by; x != nil; x = x.also {
			by++
		}
		switch {
		case e.index != i || b.byPeer[e.Peer] != e:
			rt.Fatal("an entry is not where it says")
		case !e.Time.Equal(newest[e.Peer]):
			rt.Fatal("not the newest claim is held")
		case held && by > 0, !held && by == 0, by > maxIntroducers:
			rt.Fatalf("a claim, held %v, has %d introducers", held, by)
		}
		listed += by
	}
	for i, in := range b.intro.most {
		if in.pos != i || b.intro.byPeer[in.peer] != in || in.claims == 0 || in.claims > b.intro.most[0].claims {
			rt.Fatal("the introducers are out of order")
		}
		var before *introduction
		n := 0
		for x := in.first; x != nil; before, x = x, x.next {
			if x.by != in || x.prev != before || b.byPeer[x.of.Peer] != x.of {
				rt.Fatal("a list of claims is broken")
			}
			n++
		}
		if in.last != before || n != in.claims {
			rt.Fatalf("an introducer has %d claims, and counts %d", n, in.claims)
		}
		listed -= n
	}
	if listed != 0 || len(b.intro.byPeer) != len(b.intro.most) {
		rt.Fatal("claims and introducers do not agree")
	}
}
