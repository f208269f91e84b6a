package peerlist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

const self core.PeerID = "self"

var start = time.Unix(1_800_000_000, 0)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func peerN(i int) core.PeerID { return core.PeerID(fmt.Sprintf("peer-%06d", i)) }

// claimOf is a claim that parseClaim reads back from its envelope.
func claimOf(p core.PeerID, timestamp uint64) Entry {
	e := Entry{Peer: p, Timestamp: timestamp, Expiry: uint64(start.Add(24 * time.Hour).UnixMilli())}
	e.Envelope = append(binary.BigEndian.AppendUint64(nil, timestamp), p...)
	return e
}

var errNoClaim = errors.New("not a claim")

func parseClaim(b []byte) (Entry, error) {
	if len(b) < 9 {
		return Entry{}, errNoClaim
	}
	return claimOf(core.PeerID(b[8:]), binary.BigEndian.Uint64(b)), nil
}

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkBook recomputes from nothing what the book keeps up step by step.
func checkBook(t fataler, b *Book, now time.Time) {
	t.Helper()
	if len(b.nodes) != len(b.order) || len(b.order) > b.cfg.MaxEntries {
		t.Fatalf("%d nodes, %d in order, limit %d", len(b.nodes), len(b.order), b.cfg.MaxEntries)
	}
	sources, told := map[core.PeerID]int{}, 0
	for i, n := range b.order {
		if n.place != i || b.nodes[n.Peer] != n || n.id != NewEntryID(n.Peer, n.Timestamp) {
			t.Fatalf("entry %d (%s) is out of place", i, n.Peer)
		}
		if !b.tracks(n.Peer) {
			t.Fatalf("%s is in the book and not tracked", n.Peer)
		}
		sources[n.source]++
		own, live := b.live[n.Peer]
		may := live && own.Timestamp == n.Timestamp
		if may != (n.told >= 0) {
			t.Fatalf("%s: tellable %v, want %v", n.Peer, n.told >= 0, may)
		}
		if may {
			told++
			if at := b.tell[n.list][n.told]; at.node != n || at.id != n.id || (n.list == tellTrusted) != (b.trusted[n.Peer] != 0) {
				t.Fatalf("%s is on the wrong list or place", n.Peer)
			}
		}
		if b.known.added[n.Peer] < entriesPerNode && !b.known.query.filter.Contains(b.known.keyer.Key(&n.id)) {
			t.Fatalf("the filter lacks %s", n.Peer)
		}
	}
	if len(sources) != len(b.sources) || told != len(b.tell[0])+len(b.tell[1]) {
		t.Fatalf("sources %v, want %v; told %d", b.sources, sources, told)
	}
	for s, c := range sources {
		if b.sources[s] != c {
			t.Fatalf("source %s counts %d, want %d", s, b.sources[s], c)
		}
	}
	sum := 0
	for p, c := range b.known.added {
		if c > entriesPerNode {
			t.Fatalf("%s has %d entries in the filter", p, c)
		}
		sum += int(c)
	}
	if sum != b.known.query.filter.count || sum > max(b.known.limit, len(b.order)) {
		t.Fatalf("filter counts %d keys, additions say %d, limit %d", b.known.query.filter.count, sum, b.known.limit)
	}
}
