// Package dialing decides whom to dial and when.
//
// # Whom
//
// Four kinds of peers are dialled:
//
//   - bootstrappers, which the operator named, and validators, once an address is
//     known: always, for ever, beyond MaxPeers too;
//   - with symmetry, whoever dialled us: at the addresses of its claim and nowhere
//     else, at once, whatever the degree, and every second while it stays;
//   - discovered peers, which signed a claim or which the DHT or mDNS named: in
//     bounded topology up to the target degree, in a mesh everyone up to MaxPeers;
//   - saved peers, to which we were connected in an earlier run: like discovered
//     ones, but only while no bootstrapper is connected and each has failed at
//     least once (or none is configured), so that a healthy network is always
//     joined where its operator said.
//
// The first three have a share of the dials under way for themselves, and take
// turns where the rate does not do for all, so that none starves. Within a kind
// whoever has been due for longest goes first, so that nobody waits behind peers
// that fail again and again. Discovered peers are served in turn by who told of them
// (Discovered.By), whoever has the fewest dials under way first: a thousand dead
// addresses that one peer tells hold up only what else it tells. Peers that we
// reached before have a turn of their own.
//
// The degree counts only connections that we chose to dial: those that others
// open to us, and our answers to them, are their choice, and a node whose every
// neighbour chose itself is eclipsed. Guests count nowhere.
//
// # When
//
//	Discovered ──▶ known ──Dial──▶ dialling ──Connected──▶ connected ──▶ dial back
//	                 ▲                │                        │
//	                 ├── backoff ◀────┴─ DialFailed, 60 s ─────┤
//	                 ├── rejected ◀───── Rejected ─────────────┤
//	                 └── at once ◀────── Disconnected ─────────┘
//
// Of two peers that know each other the one with the lower ID, compared as bytes,
// dials first and the other 500 ms later, when they meet and when they lose each
// other: simultaneous dials would leave two connections. Where dials take long
// the other waits for twice as long as they took of late, up to 5 s.
// Bootstrappers and saved peers are dialled without waiting, and so is a peer
// that cannot know of us (Discovered.Unaware).
//
// A peer that failed waits 1, 2, 4 … 60 s, with jitter, and is forgotten after 8
// failures in a row (casper-node: 2^n s, over 8 failures forgotten, configured
// addresses never; avalanchego: jitter U[1,2), capped at 60 s x U[.75,1)), after 3
// where only hearsay named it. While the node has no connection at all nothing is
// forgotten, as the fault may be its own, and bootstrappers are tried at least
// every 15 s. A connection that did not last 30 s counts as a failure. A rejected
// handshake does not: the address is good. It waits the same way, or 10 minutes
// where the reason lasts. A bootstrapper that has no place for us waits up to 10
// minutes too while we are connected elsewhere, and 15 s at most when we are alone.
//
// # Where
//
// The addresses of one dial are those configured, then the newest claim, then up
// to 4 that worked, then 4 of hearsay, other ones each time. A claim replaces the
// peer's older one, and while a dial to the peer is under way, to an address that
// may be dead, the new ones are added to it. Hearsay adds up, to 16, so that false addresses cannot hide
// the true one.
//
// Saved are peers that we reached, and peers that stayed for 30 s and claim an
// address: so a node that was only ever dialled can rejoin too.
//
// # How fast
//
// At most 16 dials are under way, and 50 a second begin, 100 after a pause
// (avalanchego: 50 a second). A stranger's word must not make a network knock on
// a third party's door, so dials to one IP are budgeted over all peers (go-libp2p,
// AutoNAT v2: 60 a minute in all, 12 for one peer): of 60 tokens, refilled within
// a minute, each address takes 1, gives it back when it led to the peer, and
// takes 4 more when it failed. Configured addresses, those where the peer was
// reached in this run, and loopback are exempt. An address over budget is left
// out; where that leaves none the dial is put off, which counts as no failure.
// The host's own budget, which is wider, refuses whatever else dials too often;
// this one plans, so that a refusal never counts as a failure of the peer.
//
// # Bounds
//
// The book of candidates is bounded. When it is full a newcomer replaces the one
// with the most failures, or with a claim one that only hearsay named; otherwise
// it is refused, because untried candidates are left only while the degree is
// met. Bootstrappers, validators, connected peers and those being dialled are
// never evicted; neither are those that cool down, unless they are more than half
// of the book. Every peer stands in queues ordered by what is next for it, so
// that an event costs the logarithm of their number at most.
package dialing
