package peerlist

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
)

var start = time.Unix(1_800_000_000, 0)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// keys of everyone that a test named, by name and by ID.
var (
	named = map[string]core.PeerID{}
	keys  = map[core.PeerID]crypto.PrivKey{}
	made  = map[string]claim.Signed{}
)

// who is the peer of a name: the same key in every run.
func who(name string) core.PeerID {
	if id, ok := named[name]; ok {
		return id
	}
	seed := sha256.Sum256([]byte(name))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		panic(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		panic(err)
	}
	named[name], keys[id] = id, key
	return id
}

func peerN(i int) core.PeerID { return who(fmt.Sprintf("peer-%06d", i)) }

var self = who("self")

// claimOf is the claim that a peer signed ts milliseconds after the start.
func claimOf(p core.PeerID, ts int) claim.Signed {
	name := fmt.Sprintf("%s %d", string(p), ts)
	if s, ok := made[name]; ok {
		return s
	}
	at := start.Add(time.Duration(ts) * time.Millisecond)
	s, err := claim.Seal(claim.Claim{Network: "test", Peer: p, Time: at, Expiry: at.Add(24*time.Hour - time.Second)}, keys[p])
	if err != nil {
		panic(err)
	}
	made[name] = s
	return s
}

func bookConfig() claim.Config {
	cfg := claim.DefaultConfig()
	cfg.Network, cfg.Self = "test", self
	return cfg
}

func newTracker(cfg Config, book claim.Config, seed uint64) *Tracker {
	t, err := NewTracker(cfg, book, seeded(seed))
	if err != nil {
		panic(err)
	}
	return t
}

func openTracker() *Tracker { return newTracker(DefaultConfig(), bookConfig(), 1) }

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkTracker recomputes from nothing what the tracker keeps up step by step.
func checkTracker(t fataler, k *Tracker) {
	t.Helper()
	told := 0
	for p, m := range k.members {
		newest, known := k.book.Get(p)
		may := known && newest.Time.Equal(m.own.Time) && k.tracks(p)
		if may != (m.told >= 0) {
			t.Fatalf("%s: tellable %v, want %v", p, m.told >= 0, may)
		}
		if !may {
			continue
		}
		told++
		if at := k.tell[m.list][m.told]; at.member != m || at.id != entryOf(m.own) || (m.list == tellTrusted) != (k.trusted[p] != 0) {
			t.Fatalf("%s is on the wrong list or place", p)
		}
	}
	if told != len(k.tell[0])+len(k.tell[1]) {
		t.Fatalf("%d on the lists, want %d", len(k.tell[0])+len(k.tell[1]), told)
	}
	checkIndex(t, k)
}

func checkIndex(t fataler, k *Tracker) {
	t.Helper()
	for i := range k.book.Len() {
		s := k.book.At(i)
		id := entryOf(s)
		if !k.tracks(s.Peer) {
			t.Fatalf("%s is in the book and not tracked", s.Peer)
		}
		if k.known.added[s.Peer] < entriesPerNode && !k.known.query.Filter.Contains(k.known.keyer.Key(id)) {
			t.Fatalf("the filter lacks %s", s.Peer)
		}
	}
	sum := 0
	for p, c := range k.known.added {
		if c > entriesPerNode {
			t.Fatalf("%s has %d entries in the filter", p, c)
		}
		sum += int(c)
	}
	if sum != k.known.query.Filter.Keys() || sum > max(k.known.limit, k.book.Len()) {
		t.Fatalf("filter counts %d keys, additions say %d, limit %d", k.known.query.Filter.Keys(), sum, k.known.limit)
	}
}
