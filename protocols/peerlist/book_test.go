package peerlist

import (
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"pgregory.net/rapid"
)

func closedBook(bootstrappers ...core.PeerID) *Book {
	cfg := DefaultConfig(self)
	cfg.Open, cfg.Bootstrappers = false, bootstrappers
	return NewBook(cfg, seeded(1))
}

func openBook() *Book { return NewBook(DefaultConfig(self), seeded(1)) }

func TestWhatIsTrackedAndTold(t *testing.T) {
	const v, boot, stranger = core.PeerID("validator"), core.PeerID("boot"), core.PeerID("stranger")
	type do func(b *Book)
	add := func(p core.PeerID, ts uint64) do { return func(b *Book) { b.Add(claimOf(p, ts), "teller") } }
	connect := func(p core.PeerID, ts uint64) do { return func(b *Book) { b.Connected(claimOf(p, ts)) } }
	gone := func(p core.PeerID) do { return func(b *Book) { b.Disconnected(p) } }
	validators := func(ps ...core.PeerID) do { return func(b *Book) { b.SetValidators(ps) } }
	for _, tc := range []struct {
		name              string
		open              bool
		do                []do
		entries, tellable int
		deferred          uint64
		keys              int // in the filter
	}{
		{"a validator's claim is booked, and not told while it is away", false, []do{add(v, 1)}, 1, 0, 0, 1},
		{"a connected validator is told", false, []do{connect(v, 1)}, 1, 1, 0, 1},
		{"a connected bootstrapper is told", false, []do{connect(boot, 1)}, 1, 1, 0, 1},
		{"a stranger is not tracked", false, []do{add(stranger, 1), connect(stranger, 2)}, 0, 0, 0, 0},
		{"in an open network a stranger is tracked and told", true, []do{add(stranger, 1), connect(stranger, 2)}, 1, 1, 0, 2},
		{"we are not in our own book", true, []do{add(self, 1), connect(self, 2)}, 0, 0, 0, 0},
		{"who disconnects is kept and not told", false, []do{connect(v, 1), gone(v)}, 1, 0, 0, 1},
		{"the same claim again adds nothing", false, []do{add(v, 1), add(v, 1), connect(v, 1)}, 1, 1, 0, 1},
		{"an older claim adds nothing", false, []do{add(v, 2), add(v, 1)}, 1, 0, 0, 1},
		{"a newer claim is a second entry", false, []do{add(v, 1), add(v, 2)}, 1, 0, 0, 2},
		{"a third claim waits for the rebuild", false, []do{add(v, 1), add(v, 2), add(v, 3)}, 1, 0, 1, 2},
		{"who connects with an older claim than is known is not told", false, []do{add(v, 2), connect(v, 1)}, 1, 0, 0, 1},
		{"a newer claim from elsewhere stops the telling", false, []do{connect(v, 1), add(v, 2)}, 1, 0, 0, 2},
		{"until the owner gives us the newer one", false, []do{connect(v, 1), add(v, 2), connect(v, 2)}, 1, 1, 0, 2},
		{"or reconnects with it", false, []do{connect(v, 1), add(v, 2), gone(v), connect(v, 2)}, 1, 1, 0, 2},
		{"an owner's older push changes nothing", false, []do{connect(v, 2), connect(v, 1)}, 1, 1, 0, 1},
		{"an ex-validator is dropped", false, []do{connect(v, 1), validators()}, 0, 0, 0, 1},
		{"and comes back from its live claim", false, []do{connect(v, 1), validators(), validators(v)}, 1, 1, 0, 2},
		{"but gets no third entry that way", false, []do{connect(v, 1), validators(), validators(v), validators(), validators(v)}, 1, 1, 1, 2},
		{"a connected stranger that becomes a validator is told", false, []do{connect(stranger, 1), validators(stranger)}, 1, 1, 0, 1},
		{"a bootstrapper that stops validating stays", false, []do{validators(boot), connect(boot, 1), validators()}, 1, 1, 0, 1},
		{"in an open network an ex-validator stays", true, []do{connect(v, 1), validators()}, 1, 1, 0, 1},
		{"who cannot be reached is forgotten", true, []do{add(v, 1), func(b *Book) { b.Forget(v) }}, 0, 0, 0, 1},
		{"but not while connected", true, []do{connect(v, 1), func(b *Book) { b.Forget(v) }}, 1, 1, 0, 1},
		{"the expired are dropped", true, []do{add(v, 1), func(b *Book) { b.expire(start.Add(25 * time.Hour)) }}, 0, 0, 0, 1},
		{"a rebuild enters the newest claims once each", false, []do{add(v, 1), add(v, 2), add(v, 3), func(b *Book) { b.rebuild() }}, 1, 0, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := closedBook(boot)
			b.cfg.Open = tc.open
			b.SetValidators([]core.PeerID{v})
			for _, do := range tc.do {
				do(b)
				checkBook(t, b, start)
			}
			told := len(b.tell[0]) + len(b.tell[1])
			if len(b.nodes) != tc.entries || told != tc.tellable || b.stats.Deferred != tc.deferred || b.known.query.filter.count != tc.keys {
				t.Errorf("entries %d, tellable %d, deferred %d, keys %d; want %d, %d, %d, %d",
					len(b.nodes), told, b.stats.Deferred, b.known.query.filter.count, tc.entries, tc.tellable, tc.deferred, tc.keys)
			}
		})
	}
}

func TestNewsIsOnlyANewerClaimOfATrackedNode(t *testing.T) {
	b := closedBook("boot")
	if !b.Add(claimOf("boot", 5), "a") || b.Add(claimOf("boot", 5), "a") || b.Add(claimOf("boot", 4), "a") || !b.Add(claimOf("boot", 6), "a") || b.Add(claimOf("x", 1), "a") {
		t.Error("news is what Add did not say")
	}
	if e, ok := b.Get("boot"); !ok || e.Timestamp != 6 {
		t.Errorf("booked %v, want the claim of time 6", e)
	}
}

func TestAnyHistoryKeepsTheBookConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig(self)
		cfg.Open = rapid.Bool().Draw(t, "open")
		cfg.MaxEntries = rapid.IntRange(1, 12).Draw(t, "max")
		cfg.Bootstrappers = []core.PeerID{peerN(0)}
		b := NewBook(cfg, seeded(rapid.Uint64().Draw(t, "seed")))
		now := start
		peers := rapid.Map(rapid.IntRange(0, 15), peerN)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			p, ts := peers.Draw(t, "peer"), rapid.Uint64Range(0, 5).Draw(t, "time")
			switch rapid.IntRange(0, 7).Draw(t, "what") {
			case 0, 1:
				wanted := b.Wanted(p, ts)
				if b.Add(claimOf(p, ts), peers.Draw(t, "from")) && !wanted {
					t.Fatal("news that was not wanted")
				}
			case 2, 3:
				b.Connected(claimOf(p, ts))
			case 4:
				b.Disconnected(p)
			case 5:
				b.SetValidators(rapid.SliceOfN(peers, 0, 4).Draw(t, "validators"))
			case 6:
				b.Forget(p)
			case 7:
				b.rebuild()
			}
			checkBook(t, b, now)
		}
	})
}

func TestFilterGrowsWithTheBookAndGetsANewSalt(t *testing.T) {
	b := openBook()
	first := b.Query()
	for i := range 5000 {
		b.Add(claimOf(peerN(i), 1), "teller")
		if p := b.known.query.filter.falsePositives(); p > 1.5*maxFalsePositives {
			t.Fatalf("after %d claims the filter affirms %.3f", i+1, p)
		}
	}
	q := b.Query()
	if q.salt == first.salt || len(q.filter.bits) <= len(first.filter.bits) {
		t.Errorf("after 5,000 claims: %d bytes, salt changed %v", len(q.filter.bits), q.salt != first.salt)
	}
	if b.stats.Rebuilds > 12 { // it about triples each time
		t.Errorf("%d rebuilds for 5,000 claims", b.stats.Rebuilds)
	}
	checkBook(t, b, start)
}

// A million valid claims of fresh identities, told by one peer, displace each
// other and next to nobody else.
func TestAFloodThroughOnePeerDisplacesItself(t *testing.T) {
	flood := 1_000_000
	if testing.Short() {
		flood = 100_000
	}
	cfg := DefaultConfig(self)
	b := NewBook(cfg, seeded(1))
	honest := cfg.MaxEntries / 10
	for i := range honest {
		b.Add(claimOf(peerN(i), 1), peerN(i%20))
	}
	for i := range flood {
		b.Add(claimOf(peerN(honest+i), 1), "flooder")
	}
	kept := 0
	for i := range honest {
		if _, ok := b.Get(peerN(i)); ok {
			kept++
		}
	}
	if kept < honest*9/10 || len(b.nodes) != cfg.MaxEntries {
		t.Errorf("%d of %d honest claims are left, %d entries", kept, honest, len(b.nodes))
	}
	t.Logf("%d of %d honest claims are left; %d evictions, %d rebuilds", kept, honest, b.stats.Evicted, b.stats.Rebuilds)
}

func TestAFullBookOfPinnedEntriesRefusesTheRest(t *testing.T) {
	cfg := DefaultConfig(self)
	cfg.MaxEntries = 3
	b := NewBook(cfg, seeded(1))
	for i := range 3 {
		b.Connected(claimOf(peerN(i), 1))
	}
	if b.Add(claimOf(peerN(9), 1), "a") || b.stats.Refused != 1 {
		t.Error("a connected member made room for hearsay")
	}
	b.Disconnected(peerN(0))
	if !b.Add(claimOf(peerN(9), 1), "a") {
		t.Error("nobody made room, though one could")
	}
	checkBook(t, b, start)
}
