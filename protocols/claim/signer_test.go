package claim

import (
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"
	"pgregory.net/rapid"
)

var home, away = addrs("/ip4/192.0.2.1/tcp/30303"), addrs("/ip4/192.0.2.2/tcp/30303")

func newSigner(t testing.TB, highest time.Time) *Signer {
	t.Helper()
	s, err := NewSigner("weft", newIdentity(t, 1).key, testSkew, highest)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAClaimIsSignedAnewOnlyWhenItMustBe(t *testing.T) {
	type step struct {
		after   time.Duration // since the start
		addrs   []multiaddr.Multiaddr
		renewed bool
		time    time.Duration // the claim's, since the start
	}
	const ms, hour = time.Millisecond, time.Hour
	for name, c := range map[string]struct {
		highest time.Time
		steps   []step
	}{
		"while nothing changes":             {time.Time{}, []step{{0, home, true, 0}, {0, home, false, 0}, {12*hour - ms, home, false, 0}, {12 * hour, home, true, 12 * hour}}},
		"when an address changes":           {time.Time{}, []step{{0, home, true, 0}, {hour, away, true, hour}, {2 * hour, away, false, hour}}},
		"when two change at once":           {time.Time{}, []step{{0, home, true, 0}, {0, away, true, ms}, {0, home, true, 2 * ms}}},
		"when the order changes":            {time.Time{}, []step{{0, append(home, away...), true, 0}, {hour, append(away, home...), false, 0}}},
		"when all addresses go":             {time.Time{}, []step{{0, home, true, 0}, {hour, nil, true, hour}, {hour, nil, false, hour}}},
		"after a restart":                   {now.Add(-hour), []step{{0, home, true, 0}}},
		"after a restart, clock a bit back": {now.Add(30 * time.Second), []step{{0, home, true, 30*time.Second + ms}}},
		"after a restart, clock far back":   {now.Add(hour), []step{{0, home, true, 0}, {59*time.Minute + ms, home, true, hour + ms}, {hour, home, false, hour + ms}}},
		"clock far forth, then back": {time.Time{}, []step{{0, home, true, 0}, {hour, away, true, hour}, {ms, away, true, ms},
			{30 * time.Minute, home, true, 30 * time.Minute}, {hour, home, true, hour + ms}, {2 * hour, home, false, hour + ms}}},
		"clock far back, then forth": {time.Time{}, []step{{0, home, true, 0}, {-hour, home, true, -hour}, {-hour + ms, away, true, ms - hour}, {ms, away, true, ms}}},
		"clock a bit back":           {time.Time{}, []step{{0, home, true, 0}, {-time.Second, home, false, 0}, {-time.Second, away, true, ms}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSigner(t, c.highest)
			for i, st := range c.steps {
				got, renewed, err := s.Update(now.Add(st.after), st.addrs)
				if err != nil || renewed != st.renewed || !got.Time.Equal(now.Add(st.time)) {
					t.Fatalf("step %d: renewed %v with time %v, %v; want %v, %v", i, renewed, got.Time.Sub(now), err, st.renewed, st.time)
				}
				if !got.Expiry.Equal(got.Time.Add(Lifetime)) {
					t.Fatalf("step %d: expires after %v", i, got.Expiry.Sub(got.Time))
				}
			}
		})
	}
}

func TestOnlyUsableAddressesAreClaimed(t *testing.T) {
	s := newSigner(t, time.Time{})
	given := addrs("/ip4/0.0.0.0/tcp/1", "/dns4/example.org/tcp/1", "/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/tcp/1",
		"/ip4/192.0.2.2/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN")
	for _, b := range manyAddrs(20) {
		a, _ := multiaddr.NewMultiaddrBytes(b)
		given = append(given, a)
	}
	c, _, err := s.Update(now, given)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Claim().Addrs; len(got) != MaxAddrs || !got[0].Equal(given[2]) || got[1].String() != "/ip4/192.0.2.2/tcp/1" {
		t.Errorf("claimed %v", got)
	}
}

func TestAWrongNetworkNameIsToldAtTheFirstSigning(t *testing.T) {
	s, err := NewSigner("", newIdentity(t, 1).key, testSkew, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, renewed, err := s.Update(now, home); err == nil || renewed {
		t.Error("a claim without a network was signed")
	}
}

// Whatever the clock does, others accept each claim that they should: no two
// claims have one timestamp, and whoever saw them all while our clock was right
// always has the newest.
func TestOthersAlwaysGetTheNewestClaimOnceTheClockIsRight(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, b := newSigner(t, time.Time{}), newBook(t)
		seen := map[int64]bool{}
		real := now
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			real = real.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(rt, "passes")))
			off := time.Duration(rapid.SampledFrom([]int64{0, 0, 0, 1, -1, 59, -59, 61, -61, 3600, -3600}).Draw(rt, "off")) * time.Second
			given := rapid.SampledFrom([][]multiaddr.Multiaddr{home, away, nil}).Draw(rt, "addrs")
			c, renewed, err := s.Update(real.Add(off), given)
			if err != nil {
				rt.Fatal(err)
			}
			if t := c.Time.UnixMilli(); renewed && seen[t] {
				rt.Fatalf("two claims have the timestamp %d", t)
			}
			seen[c.Time.UnixMilli()] = true
			if d := s.Deadline(); !d.After(real.Add(off)) {
				rt.Fatalf("after Update the deadline is %v in the past", real.Add(off).Sub(d))
			}
			_ = b.Add(real, "a", c)
			if off != 0 {
				continue
			}
			// Beside a timestamp at the very edge of the skew limit there is no room in
			// the same millisecond. The odd step keeps edges from meeting again.
			real = real.Add(137 * time.Millisecond)
			if c, _, err = s.Update(real, given); err != nil {
				rt.Fatal(err)
			}
			seen[c.Time.UnixMilli()] = true
			_ = b.Add(real, "a", c)
			if held, there := b.Get(c.Peer); !there || !sameAddrs(held.Claim().Addrs, claimable(given)) {
				rt.Fatalf("the clock is right, but others hold %v, there %v", held.Claim(), there)
			}
		}
	})
}
