// Package dialing decides whom to dial and when.
//
// Three kinds of peers are dialled, in this order:
//
//   - bootstrappers, which the operator named: always, and for ever;
//   - saved peers, to which we were connected in an earlier run: up to the target
//     degree, but only while no bootstrapper is connected and each has failed at
//     least once (or none is configured), so that a healthy network is always
//     joined where its operator said;
//   - discovered peers, which the DHT or mDNS named: up to the target degree.
//
// Within a kind whoever has been due for longest goes first, so that nobody
// starves behind peers that fail again and again.
//
// The degree counts only connections that we dialled: those that others open to
// us are their choice, and a node whose every neighbour chose itself is eclipsed.
//
//	Discovered ──▶ known ──Dial──▶ dialling ──Connected──▶ connected
//	                 ▲                │                        │
//	                 └── backoff ◀────┴─ DialFailed, 60 s ─────┴─ Disconnected
//
// A peer that failed waits 1, 2, 4 … 60 s, with jitter, and is forgotten after 8
// failures in a row (casper-node: 2^n s, over 8 failures forgotten, configured
// addresses never; avalanchego: jitter U[1,2), capped at 60 s x U[.75,1)). While
// the node has no connection at all nothing is forgotten: the fault may be its
// own. A connection that did not last 30 s counts as a failure.
//
// The book of candidates is bounded. When it is full a newcomer replaces the
// candidate with the most failures; where none has failed yet the newcomer is
// refused, because untried candidates are left only while the degree is met. A
// bootstrapper, a connected peer and one that is being dialled are never evicted.
package dialing
