package peerlist

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
)

func closedTracker(bootstrappers ...core.PeerID) *Tracker {
	cfg := DefaultConfig()
	cfg.Open, cfg.Bootstrappers = false, bootstrappers
	return newTracker(cfg, bookConfig(), 1)
}

func TestWhatIsTrackedAndTold(t *testing.T) {
	v, boot, stranger := who("validator"), who("boot"), who("stranger")
	type do func(k *Tracker)
	add := func(p core.PeerID, ts int) do {
		return func(k *Tracker) { _ = k.Add(start, who("teller"), claimOf(p, ts)) }
	}
	connect := func(p core.PeerID, ts int) do { return func(k *Tracker) { _ = k.Connected(start, claimOf(p, ts)) } }
	gone := func(p core.PeerID) do { return func(k *Tracker) { k.Disconnected(p) } }
	validators := func(ps ...core.PeerID) do { return func(k *Tracker) { k.SetValidators(start, ps) } }
	const open, closed = true, false
	for _, tc := range []struct {
		name              string
		open              bool
		do                []do
		entries, tellable int
		deferred          uint64
		keys              int // in the filter
	}{
		{"a validator's claim is booked, and not told while it is away", closed, []do{add(v, 1)}, 1, 0, 0, 1},
		{"a connected validator is told", closed, []do{connect(v, 1)}, 1, 1, 0, 1},
		{"a connected bootstrapper is told", closed, []do{connect(boot, 1)}, 1, 1, 0, 1},
		{"a stranger is not tracked", closed, []do{add(stranger, 1), connect(stranger, 2)}, 0, 0, 0, 0},
		{"in an open network a stranger is tracked and told", open, []do{add(stranger, 1), connect(stranger, 2)}, 1, 1, 0, 2},
		{"we are not in our own book", open, []do{add(self, 1)}, 0, 0, 0, 0},
		{"who disconnects is kept and not told", closed, []do{connect(v, 1), gone(v)}, 1, 0, 0, 1},
		{"a stranger who disconnects too, in an open network", open, []do{connect(stranger, 1), gone(stranger)}, 1, 0, 0, 1},
		{"the same claim again adds nothing", closed, []do{add(v, 1), add(v, 1), connect(v, 1)}, 1, 1, 0, 1},
		{"an older claim adds nothing", closed, []do{add(v, 2), add(v, 1)}, 1, 0, 0, 1},
		{"a newer claim is a second entry", closed, []do{add(v, 1), add(v, 2)}, 1, 0, 0, 2},
		{"a third claim waits for the rebuild", closed, []do{add(v, 1), add(v, 2), add(v, 3)}, 1, 0, 1, 2},
		{"who connects with an older claim than is known is not told", closed, []do{add(v, 2), connect(v, 1)}, 1, 0, 0, 1},
		{"a newer claim from elsewhere stops the telling", closed, []do{connect(v, 1), add(v, 2)}, 1, 0, 0, 2},
		{"until the owner gives us the newer one", closed, []do{connect(v, 1), add(v, 2), connect(v, 2)}, 1, 1, 0, 2},
		{"or reconnects with it", closed, []do{connect(v, 1), add(v, 2), gone(v), connect(v, 2)}, 1, 1, 0, 2},
		{"an owner's older push changes nothing", closed, []do{connect(v, 2), connect(v, 1)}, 1, 1, 0, 1},
		{"an ex-validator is dropped", closed, []do{connect(v, 1), validators()}, 0, 0, 0, 1},
		{"and comes back from its live claim", closed, []do{connect(v, 1), validators(), validators(v)}, 1, 1, 0, 2},
		{"but gets no third entry that way", closed, []do{connect(v, 1), validators(), validators(v), validators(), validators(v)}, 1, 1, 1, 2},
		{"a connected stranger that becomes a validator is told", closed, []do{connect(stranger, 1), validators(stranger)}, 1, 1, 0, 1},
		{"a bootstrapper that stops validating stays", closed, []do{validators(boot), connect(boot, 1), validators()}, 1, 1, 0, 1},
		{"in an open network an ex-validator stays", open, []do{connect(v, 1), validators()}, 1, 1, 0, 1},
		{"who cannot be reached is forgotten", open, []do{add(v, 1), func(k *Tracker) { k.Forget(v) }}, 0, 0, 0, 1},
		{"but not while connected", open, []do{connect(v, 1), func(k *Tracker) { k.Forget(v) }}, 1, 1, 0, 1},
		{"the expired are dropped, connected or not", open, []do{connect(v, 1), add(boot, 1), func(k *Tracker) { k.renew(start.Add(25 * time.Hour)) }}, 0, 0, 0, 0},
		{"a rebuild enters the newest claims once each", closed, []do{add(v, 1), add(v, 2), add(v, 3), func(k *Tracker) { k.renew(start) }}, 1, 0, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := closedTracker(boot)
			if tc.open {
				k = openTracker()
			}
			k.SetValidators(start, []core.PeerID{v})
			for _, do := range tc.do {
				do(k)
				checkTracker(t, k)
			}
			told := len(k.tell[0]) + len(k.tell[1])
			if k.book.Len() != tc.entries || told != tc.tellable || k.stats.Deferred != tc.deferred || k.known.query.Filter.Keys() != tc.keys {
				t.Errorf("entries %d, tellable %d, deferred %d, keys %d; want %d, %d, %d, %d",
					k.book.Len(), told, k.stats.Deferred, k.known.query.Filter.Keys(), tc.entries, tc.tellable, tc.deferred, tc.keys)
			}
		})
	}
}

func TestAnyHistoryKeepsTheTrackerConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, book := DefaultConfig(), bookConfig()
		cfg.Open = rapid.Bool().Draw(t, "open")
		cfg.Bootstrappers = []core.PeerID{peerN(0)}
		book.Capacity = rapid.IntRange(1, 12).Draw(t, "capacity")
		k := newTracker(cfg, book, rapid.Uint64().Draw(t, "seed"))
		peers := rapid.Map(rapid.IntRange(0, 15), peerN)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			p, ts := peers.Draw(t, "peer"), rapid.IntRange(0, 5).Draw(t, "time")
			switch rapid.IntRange(0, 7).Draw(t, "what") {
			case 0, 1:
				_ = k.Add(start, peers.Draw(t, "from"), claimOf(p, ts))
			case 2, 3:
				_ = k.Connected(start, claimOf(p, ts))
			case 4:
				k.Disconnected(p)
			case 5:
				k.SetValidators(start, rapid.SliceOfN(peers, 0, 4).Draw(t, "validators"))
			case 6:
				k.Forget(p)
			case 7:
				k.renew(start)
			}
			checkTracker(t, k)
		}
	})
}

func TestFilterGrowsWithTheBookAndGetsANewSalt(t *testing.T) {
	k := openTracker()
	first := k.Query()
	for i := range 5000 {
		if err := k.Add(start, who("teller"), claimOf(peerN(i), 1)); err != nil {
			t.Fatal(err)
		}
		if p := k.known.query.Filter.FalsePositives(); p > 1.5*maxFalsePositives {
			t.Fatalf("after %d claims the filter affirms %.3f", i+1, p)
		}
	}
	q := k.Query()
	if q.Salt == first.Salt || q.Filter.Size() <= first.Filter.Size() {
		t.Errorf("after 5,000 claims: %d bytes, salt changed %v", q.Filter.Size(), q.Salt != first.Salt)
	}
	if k.stats.Rebuilds > 12 { // it about triples each time
		t.Errorf("%d rebuilds for 5,000 claims", k.stats.Rebuilds)
	}
	checkTracker(t, k)
}

// A flood of fresh identities costs rebuilds in proportion, and never a larger
// filter than the book is.
func TestAFloodOfIdentitiesKeepsTheFilterSmall(t *testing.T) {
	book := bookConfig()
	book.Capacity = 100
	k := newTracker(DefaultConfig(), book, 1)
	for i := range 5000 {
		_ = k.Add(start, who("flooder"), claimOf(peerN(i), 1))
	}
	if size := k.known.query.Filter.Size(); size > 400 || k.stats.Rebuilds > 5000/150 { // one for each 288 keys, less the 100 that it enters
		t.Errorf("the filter takes %d bytes after %d rebuilds", size, k.stats.Rebuilds)
	}
	checkTracker(t, k)
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for field, spoil := range map[string]func(*Config, *claim.Config){
		"AskFirst":     func(c *Config, _ *claim.Config) { c.AskFirst = 0 },
		"MaxAskEvery":  func(c *Config, _ *claim.Config) { c.MaxAskEvery = time.Second },
		"RebuildEvery": func(c *Config, _ *claim.Config) { c.RebuildEvery = 0 },
		"LookupBurst":  func(c *Config, _ *claim.Config) { c.LookupBurst = 0 },
		"Capacity":     func(_ *Config, b *claim.Config) { b.Capacity = maxTracked + 1 },
	} {
		c, b := DefaultConfig(), bookConfig()
		spoil(&c, &b)
		if _, err := NewTracker(c, b, seeded(1)); !errors.Is(err, ErrConfig) || !mentions(err, field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	b := bookConfig()
	b.Network = ""
	if _, err := NewTracker(DefaultConfig(), b, seeded(1)); !errors.Is(err, claim.ErrConfig) {
		t.Errorf("a bad book: %v", err)
	}
}
