// Package pending keeps objects that wait for objects which they depend on, and
// says what to fetch for them.
//
// Sources: Casper's components for pending objects: what is missing is kept in a
// map of who waits for it, the sender is asked for it first, an object that is
// invalid takes along all that depend on it and names their senders, and age purges
// the rest. Differences: everything is bounded, per peer and in all, and what is over
// a bound is not lost: its ID is parked, and fetched again when there is room.
//
// The package knows neither encodings nor hashes. The composer says what is missing,
// does what the actions ask, and says what came of it.
//
// # Flow
//
//	Add{C, missing B}    ──▶ Want{B, from C's sender}
//	Add{B, missing A}    ──▶ Unwant{B}, Want{A, from B's sender}
//	Landed(A)            ──▶ Unwant{A}, Ready{B}     the composer saves B
//	Landed(B)            ──▶ Ready{C}                the composer saves C
//
//	Invalid(A)           ──▶ Unwant{A}, Fallen{B}, Fallen{C}
//	NotFound(A)          ──▶ Expired{B}, Expired{C}
//	Retry(A)  ...15 s... ──▶ Want{A}
//
// A Ready hands over one item, which is held only when the composer says Landed.
// What waits for it waits until then: nothing here recurses, however long a chain is,
// and dependencies come out before their dependants.
//
// # An object here
//
//	missing ──Add──▶ waiting ──last Landed──▶ released ──Landed──▶ forgotten
//	   ▲                │ no room                │ Retry
//	   │                ▼                        │
//	   ├─────Unpark── parked                     │
//	   └─────────────────────────────────────────┘
//
// An object is missing while something that waits names it. It is wanted once, from
// the sender of the first item that waits for it; the senders of others follow as
// Holder. Unwant ends a Want as soon as the object is here or nobody waits for it;
// after Retry and NotFound the composer knows, and no Unwant is said. A released
// object that nothing waits for is forgotten at once: the composer knows it.
//
// An object in the composer's hands (being saved or judged) that pending has
// forgotten may be wanted by what comes next: the composer ignores such a Want, and
// says Landed, Invalid, Retry or NotFound in the end, as for every other.
//
// # Bounds
//
// An item is charged its size, 4 KiB or 512 bytes for each missing dependency,
// whatever is most: 16 MiB for each peer and 64 MiB in all are at most 4,096 and
// 16,384 items, or 32,768 and 131,072 missing dependencies. When all is full the peer
// with the highest charge loses its newest items, be it the one whose item came. So a
// peer that sends too much takes room only from itself, and a peer with less than its
// share always has room. Items that others wait for go last, or long chains that
// arrive from their end would block themselves.
//
// What finds no room is parked: its bytes are dropped, its ID and sender kept, 16,384
// for each peer and 65,536 in all. As room comes back Unpark says what to fetch again,
// the oldest of each peer first, the peers in turn. Over that bound objects are
// dropped and counted: the periodic pull of recent IDs brings them again. Items of our
// own are never parked, they are refused.
//
// At most 2,048 objects are wanted at a time, 256 of them for one peer; the others
// wait for their turn, and the peers take turns.
//
// # Depth
//
// The levels of waiting above and below an item are at most 10,000 together. Below it,
// it is one more than the deepest of its waiting dependencies. Above it are the levels
// through which it was reached, those that were parked meanwhile among them, so that an
// endless chain comes to an end. Numbers that may be outdated are computed again before
// an item is refused, at most once a second.
package pending
