// Package fetch gets objects that are known by name from the peers that may hold
// them, and gives others the objects that they ask for.
//
// Sources: casper-node's fetcher (one named peer at a time, 10 s, waiters coalesced,
// what was not asked for is dropped) and its block accumulator (at most five peers
// per dependency, never one twice). Differences: one request may bring the closure
// of an object, that is, what it depends on; large answers are announced and travel
// on a stream of their own; what a peer asks for is paced rather than refused.
//
// # Flow
//
//	Alice            Bob    Carol        large: Alice            Bob
//	  │ Request{id}   │       │            │ Request{id}         │
//	  ├──────────────▶│       │            ├────────────────────▶│ Serve
//	  │      10 s pass        │            │ Coming{id, bytes}   │
//	  │ Request{id}           │            │◀────────────────────┤
//	  ├──────────────────────▶│ Serve      │ Answer{id, object}  │ on fetch-bulk
//	  │ Answer{id, object}    │            │◀════════════════════┤
//	  │◀──────────────────────┤
//	  │ Got ... Accepted
//
// # A want here
//
//	waits ──free place──▶ asks ──found──▶ checks ──▶ Accepted
//	  ▲                    │                │ Wrong: an offence
//	  └── next holder ◀────┴────────────────┘
//	  └── nobody left, or five asked ──▶ Exhausted
//
// Holders are asked in the order in which they are named, but those that let a
// request time out and have not answered since, or that owe an answer and gave none
// for 2 s, come after the others, and one that has no free place is passed over
// while another has one. A peer has 64
// places; the oldest want that it may be asked for gets the next. Whoever
// disconnects hands over to the next at once.
//
// An answer that comes after the time-out is used if the object is still wanted. For
// a minute it is nobody's fault, and neither is what our own absence delayed: when a
// tick is over a second late all that is open gets its time anew.
//
// # Closures
//
// With a request for a closure goes a locator: up to 64 IDs that the asker holds. The
// answer begins with what the object depends on and the asker lacks, dependencies
// first, so that each can be taken in at once. It is bounded by 1,024 objects and
// 4 MiB; what is nearest to the object goes in first. A peer that gives no closures
// answers with the object alone. Whether an object belongs to the closure shows only
// when it is parsed: that is for the composer to find.
//
// # Serving
//
// The composer loads what Serve names and calls Answer. Small answers are paced by
// requests and bytes per second of each peer; large ones, one at a time, by bytes
// of their own. A closure gets as much space as large answers have now, and at
// least that of a small one. What is over 64 requests, or over 32 MiB of large
// objects, is refused, and so many refusals that they are a burden are not sent.
//
// # Bytes
//
// Protobuf; every field stands at most once and unknown ones are skipped. On
// /weft/fetch/1.0.0 payloads are at most 64 KiB; longer answers, and only answers,
// are on /weft/fetch-bulk/1.0.0.
//
//	type 1  Request  1 number  varint above 0   2 id  32 bytes
//	                 3 closure varint 0 or 1    4 have  0 to 64 times 32 bytes
//	type 2  Answer   1 number  2 id  5 status   varint: 1 found, 2 not found, 3 refused, 4 pruned
//	                 6 object  when found       7 extras  of each 4 bytes length, big-endian, and the bytes
//	type 3  Coming   1 number  2 id  8 bytes    varint: all that comes up to the end of the answer
package fetch
