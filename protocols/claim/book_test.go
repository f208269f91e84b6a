package claim

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// deliver is what the node does with an envelope that a peer sent.
func deliver(b *Book, at time.Time, from core.PeerID, raw []byte) (verified bool, err error) {
	if err := b.Precheck(at, from, raw); err != nil {
		return false, err
	}
	s, err := Verify(raw)
	if err != nil {
		return true, b.Count(err)
	}
	return true, b.Add(at, from, s)
}

func TestWhichClaimsAreTaken(t *testing.T) {
	who := newIdentity(t, 1)
	held := who.sign(t)
	for _, c := range []struct {
		name     string
		raw      []byte
		want     error
		verified bool // a signature was checked
		blame    Blame
	}{
		{"newer", who.sign(t, at(time.Millisecond)).Bytes(), nil, true, Nobody},
		{"newer, no address", who.sign(t, at(1*time.Second), on()).Bytes(), nil, true, Nobody},
		{"at the skew limit", who.sign(t, at(testSkew)).Bytes(), nil, true, Nobody},
		{"beyond the skew limit", who.sign(t, at(testSkew+time.Millisecond)).Bytes(), Future, false, Nobody},
		{"the same again", held.Bytes(), Known, false, Nobody},
		{"older", who.sign(t, at(-time.Millisecond)).Bytes(), Stale, false, Nobody},
		{"same time, other addresses", who.sign(t, on("/ip4/192.0.2.9/tcp/1")).Bytes(), Equivocation, true, Author},
		{"same time, other expiry", who.sign(t, func(c *Claim) { c.Expiry = c.Time.Add(time.Hour) }).Bytes(), Equivocation, true, Author},
		{"same time, other addresses, forged", forge(with(who.claim(), on("/ip4/192.0.2.9/tcp/1"))), Forged, true, Bearer},
		{"newer, forged", forge(with(who.claim(), at(time.Second))), Forged, true, Bearer},
		{"older, forged", forge(with(who.claim(), at(-time.Second))), Stale, false, Nobody},
		{"another network", who.sign(t, func(c *Claim) { c.Network = "other" }).Bytes(), Network, false, Bearer},
		{"expired", newIdentity(t, 2).sign(t, at(-Lifetime)).Bytes(), Expired, false, Nobody},
		{"about to expire", newIdentity(t, 2).sign(t, at(time.Millisecond-Lifetime)).Bytes(), nil, true, Nobody},
		{"our own", newIdentity(t, 0).sign(t).Bytes(), Own, false, Nobody},
		{"garbage", []byte("garbage"), Malformed, false, Bearer},
	} {
		b := newBook(t)
		if _, err := deliver(b, now, "a", held.Bytes()); err != nil {
			t.Fatal(err)
		}
		verified, err := deliver(b, now, "b", c.raw)
		if !errors.Is(err, c.want) || verified != c.verified {
			t.Errorf("%s: %v, signature checked %v; want %v, %v", c.name, err, verified, c.want, c.verified)
		}
		var r Reason
		if errors.As(err, &r) && (r.Blame() != c.blame || b.Stats().Refused[r] != 1) {
			t.Errorf("%s: blame %v, counted %d times; want %v, once", c.name, r.Blame(), b.Stats().Refused[r], c.blame)
		}
		if s, _ := b.Get(who.id); err != nil && !bytes.Equal(s.Bytes(), held.Bytes()) {
			t.Errorf("%s: it was refused, but the book holds it", c.name)
		}
	}
}

func with(c Claim, change func(*Claim)) Claim {
	change(&c)
	return c
}

func TestAProvenEquivocationCostsOneSignatureCheckOnly(t *testing.T) {
	b, who := newBook(t), newIdentity(t, 1)
	deliver(b, now, "a", who.sign(t).Bytes())
	deliver(b, now, "a", who.sign(t, on("/ip4/192.0.2.8/tcp/1")).Bytes())
	if verified, err := deliver(b, now, "a", who.sign(t, on("/ip4/192.0.2.9/tcp/1")).Bytes()); verified || !errors.Is(err, Stale) {
		t.Errorf("%v, signature checked %v; want it unchecked and stale", err, verified)
	}
	if _, err := deliver(b, now, "a", who.sign(t, at(1*time.Second)).Bytes()); err != nil {
		t.Errorf("a newer claim after an equivocation: %v", err)
	}
}

func TestClaimsOfUnwantedPeersAreNotChecked(t *testing.T) {
	wanted, other := newIdentity(t, 1), newIdentity(t, 2)
	b := newBook(t, func(c *Config) { c.Want = func(id core.PeerID) bool { return id == wanted.id } })
	if _, err := deliver(b, now, "a", wanted.sign(t).Bytes()); err != nil {
		t.Error(err)
	}
	if verified, err := deliver(b, now, "a", other.sign(t).Bytes()); verified || !errors.Is(err, Unwanted) {
		t.Errorf("%v, signature checked %v", err, verified)
	}
}

func TestClaimsEndWithTheirLife(t *testing.T) {
	b := newBook(t)
	for n := range uint64(5) {
		b.Add(now, "a", newIdentity(t, n+1).sign(t, at(-time.Duration(n)*time.Hour)))
	}
	b.Hold(newIdentity(t, 5).id)
	b.Expire(now.Add(Lifetime - 2*time.Hour))
	if s := b.Stats(); s.Known != 2 || s.Expired != 3 || s.Introducers != 1 {
		t.Errorf("stats %+v, want the two youngest left", s)
	}
	b.Expire(now.Add(Lifetime))
	if s := b.Stats(); s.Known != 0 || s.Introducers != 0 {
		t.Errorf("stats %+v, want nothing left", s)
	}
}

func TestAJumpOfTheClockLocksNobodyOut(t *testing.T) {
	b, who := newBook(t), newIdentity(t, 1)
	deliver(b, now, "a", who.sign(t).Bytes())
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		clock := now.Add(jump)
		b.Expire(clock)
		_, err := deliver(b, clock, "a", who.sign(t, at(time.Minute)).Bytes())
		var r Reason
		if errors.As(err, &r) && r.Blame() != Nobody {
			t.Errorf("jump of %v: %v is blamed on somebody", jump, err)
		}
	}
	if _, err := deliver(b, now.Add(2*time.Minute), "a", who.sign(t, at(2*time.Minute)).Bytes()); err != nil {
		t.Errorf("after the jumps: %v", err)
	}
}

func TestHeldClaimsAreNeverDisplaced(t *testing.T) {
	b := newBook(t, func(c *Config) { c.Capacity = 2 })
	early, late := unsigned(t, 1), unsigned(t, 2)
	b.Hold(late.Peer) // before it comes
	b.Add(now, "a", early)
	b.Hold(early.Peer)
	b.Add(now, "a", late)
	if err := b.Add(now, "a", unsigned(t, 3)); !errors.Is(err, Full) {
		t.Errorf("%v, want %v", err, Full)
	}
	b.Release(early.Peer)
	if err := b.Add(now, "a", unsigned(t, 3)); err != nil {
		t.Error(err)
	}
	if _, there := b.Get(early.Peer); there {
		t.Error("the released claim should have made room")
	}
	if _, there := b.Get(late.Peer); !there {
		t.Error("the held claim is gone")
	}
}

func TestAForgottenClaimLeavesNothingBehind(t *testing.T) {
	b := newBook(t)
	s := unsigned(t, 1)
	b.Add(now, "a", s)
	b.Forget(s.Peer)
	b.Forget(s.Peer)
	if st := b.Stats(); st.Known != 0 || st.Introducers != 0 {
		t.Errorf("stats %+v", st)
	}
}

// A million valid claims from fresh IDs through one peer: the book stays bounded
// and keeps at least 90 % of the honest claims, whoever came first.
func TestAFloodThroughOnePeerDoesNotDisplaceHonestClaims(t *testing.T) {
	if testing.Short() {
		t.Skip("half a million claims take 2 s")
	}
	const honest = 5000 // through 3 relays
	cfg := DefaultConfig()
	for name, c := range map[string]struct {
		flood         uint64 // identities that the flooder invents
		before, vouch bool
	}{
		"honest claims first":                          {100_000, true, false},
		"the flood first":                              {100_000, false, false},
		"the flooder brings the honest claims as well": {300_000, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			bring := func() {
				for n := range uint64(honest) {
					if err := b.Add(now, relay(int(n%3)), unsigned(t, n)); err != nil {
						t.Fatal(err)
					}
					if c.vouch {
						b.Precheck(now, "flooder", unsigned(t, n).Bytes())
					}
				}
			}
			if c.before {
				bring()
			}
			for n := range c.flood {
				b.Add(now, "flooder", unsigned(t, 1<<32+n))
			}
			if !c.before {
				bring()
			}
			kept := 0
			for n := range uint64(honest) {
				if _, there := b.Get(unsigned(t, n).Peer); there {
					kept++
				}
			}
			if kept < honest*9/10 || b.Len() > cfg.Capacity {
				t.Errorf("kept %d of %d honest claims in a book of %d, want 90 %% in %d", kept, honest, b.Len(), cfg.Capacity)
			}
		})
	}
}

func TestAFullBookIsUnder16MiB(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	b := newBook(t)
	for n := range uint64(b.cfg.Capacity) + 10 {
		s := unsigned(t, n)
		s.raw = append(make([]byte, 0, largest), s.raw...) // as if it were of the largest
		b.Add(now, relay(int(n%100)), s)
	}
	if used := heap() - before; used > 16<<20 {
		t.Errorf("%d claims take %d KiB", b.Len(), used>>10)
	}
	runtime.KeepAlive(b)
}

func TestPrecheckAllocatesNothing(t *testing.T) {
	b, who := newBook(t), newIdentity(t, 1)
	held := who.sign(t).Bytes()
	deliver(b, now, "a", held)
	for name, raw := range map[string][]byte{
		"known": held, "stale": who.sign(t, at(-time.Second)).Bytes(), "newer": who.sign(t, at(time.Second)).Bytes(),
		"new peer": newIdentity(t, 2).sign(t).Bytes(), "malformed": held[1:],
	} {
		if n := testing.AllocsPerRun(100, func() { _ = b.Precheck(now, "a", raw) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	good := newBook(t).cfg
	for name, change := range map[string]func(*Config){
		"Network": func(c *Config) { c.Network = "" }, "Self": func(c *Config) { c.Self = "" },
		"Capacity": func(c *Config) { c.Capacity = 0 }, "Skew": func(c *Config) { c.Skew = -1 },
	} {
		c := good
		change(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkPrecheck(b *testing.B) {
	book, who := newBook(b), newIdentity(b, 1)
	deliver(book, now, "a", who.sign(b).Bytes())
	for _, c := range []struct {
		name string
		raw  []byte
	}{
		{"known", who.sign(b).Bytes()},
		{"stale", who.sign(b, at(-time.Second)).Bytes()},
		{"newer", who.sign(b, at(time.Second)).Bytes()},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = book.Precheck(now, "a", c.raw)
			}
		})
	}
}

func BenchmarkAddToAFullBook(b *testing.B) {
	book := newBook(b)
	all := make([]Signed, 4*book.cfg.Capacity)
	for n := range all {
		all[n] = unsigned(b, uint64(n))
	}
	for n, s := range all[:book.cfg.Capacity] {
		book.Add(now, relay(n%50), s)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		book.Add(now, "flooder", all[n%len(all)])
	}
}
