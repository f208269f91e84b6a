// Package catchup finds out which object topics each peer carries, and what objects
// of our own topics we lack: after joining late, after a cut, or because a queue
// overflowed somewhere. It asks a few peers for the IDs of what landed there, against
// a Bloom filter of what we hold; getting the objects is the composer's.
//
// Sources: anti-entropy by pull (Demers and others, "Epidemic Algorithms for Replicated
// Database Maintenance", 1987), with the filter of AvalancheGo's pull gossip
// (network/p2p/gossip) and its new salt each time. Differences: what is asked about is
// bounded by the time of landing at the peer, which also passes on what others got
// late, and a filter that would be too large is divided instead of left over-full.
//
// # Flow
//
//	Alice                                     Bob
//	  │ Topics{blocks}                         │ both ways, on joining and on change
//	  │◀──────────────────────────────────────▶│
//	  │ GetRecent{7, blocks, since, filter}    │ List: walks its log behind since,
//	  ├───────────────────────────────────────▶│ passes over what the filter holds
//	  │     Recent{7, ≤ 1,024 IDs, next, more} │ Listed
//	  │◀───────────────────────────────────────┤
//	  │ Missing ... Continue                   │
//	  │ GetRecent{8, blocks, since, cursor=next, filter}, while there is more
//
// # Pulls
//
// A pull is such a walk through the log of one peer. There are four reasons for one:
//
//   - ordinary: every 10 to 20 s, at one random carrier of each topic of ours, what
//     landed there in the last 15 minutes; one that was never asked comes first. After
//     a full page the next one follows at once, two seconds after a pull on joining, and
//     five after one that was told of anything or was not answered.
//   - joining: three carriers, one after the other, when there is one after a time
//     without any: everything, or what landed since the last answer less a margin.
//   - welcoming: a carrier that appears later is asked for everything by about six of
//     its peers: it may come from a part of the network that was cut off for long.
//   - deep: every 5 minutes one random carrier for everything that is still wanted.
//
// One question is open at a peer at a time, and several pulls at it take turns. A page
// that has others behind it waits for Continue, so that no more is told than the
// composer has room for.
//
// # Filters
//
// A filter holds what landed here in twice the time that is asked about, at 1 % false
// positives, and has a new salt in every pull: what one hides the next shows. Above
// 27,000 IDs they are divided into 2^n parts by the last byte, each with a filter of
// its own; of an ordinary or deep pull one part is asked about at a time, in turns,
// until a page is full. Where most of a full page is held already, the peer got lately
// what we have long had, and the filter takes in everything from there on.
//
// # Bounds
//
// A peer is kept with at most 1,024 topics of 512 bytes. It may send 16 messages a
// second; more is an offence. What its questions cost is counted in steps through the
// log: beyond its budget its next question waits, and nobody is to blame. Nobody is
// blamed for being late either.
//
// # Bytes
//
// Protobuf; only names stand more than once, and unknown fields are skipped.
//
//	type 1  Topics     1 name     bytes  1..512, at most 1,024 times
//	type 2  GetRecent  1 request  varint, not 0
//	                   2 topic    bytes  1..512
//	                   3 since    varint, Unix ms; absent: everything
//	                   4 cursor   varint; absent: from the start
//	                   5 known    bloom.Query with a filter of 1..65,536 bytes; absent: nothing is held
//	                   6 bits     varint 0..8; absent: 0
//	                   7 part     varint, below 2^bits: the lowest bits of an ID's last byte; absent: 0
//	type 3  Recent     1 request  varint: the question's
//	                   2 ids      bytes  32 for each of at most 1,024
//	                   3 next     varint: the cursor to go on with
//	                   4 more     varint 0 or 1; absent: 0
//
// What stands for an ID in a filter is its first 16 bytes.
package catchup
