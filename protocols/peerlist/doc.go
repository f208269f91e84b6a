// Package peerlist is how nodes tell each other who can be reached where, without
// telling anyone what he knows already. An asker sends a Bloom filter of the
// claims it holds; the answer is up to 15 signed claims that the filter lacks.
//
// Sources: the network package of AvalancheGo (network/README.md, ip_tracker.go,
// utils/bloom), whose parameters are kept and whose weak spots are not: an answer
// is capped on both sides, one bad claim does not cost a connection, and the filter
// (protocols/bloom) has a keyed hash.
//
// # Parts
//
//   - EntryID: what stands for a claim in a filter. Filter and salt travel as a
//     bloom.Query; ParseQuery refuses what no honest node sends.
//   - Tracker: over the claim book, which bounds what is kept: the filter of
//     what is known, and the lists of what may be told.
//   - Exchange: whom to ask and when, what to answer, what to accept.
//
// Tracker and Exchange are pure: time and randomness come in, actions go out, one
// goroutine owns them.
//
// # Flow
//
//	Alice                                Bob (a random connected validator)
//	  │ GetPeerList{7, filter, salt}       │ looks up each tellable claim
//	  ├───────────────────────────────────▶│
//	  │        PeerList{7, ≤ 15 claims}    │
//	  │◀───────────────────────────────────┤
//	  │ Verify ... Verified                │
//	  │ asks again: at once after a full answer with news, else after
//	  │ 0.1 0.2 0.4 ... s from joining or a newcomer on, up to 2 s with news, 60 s without
//
// The ramp from 0.1 s is for nodes that start together: those that a bootstrapper
// accepts at the same moment are not on each other's first list. It costs five
// questions more than a start at 2 s would, 2 KB in a network of up to 270 nodes
// (320 B for a question, 60 for an empty answer). It begins at 0.1 s for each KiB
// of filter, so that a larger network asks less often, and not at all sooner than
// every 2 s from 20 KiB on. At rest nothing is asked more often than before.
//
// A claim is told while all of this holds: the asker's filter lacks it, its owner
// is connected now, the claim that the owner itself gave us (in the handshake, or
// pushed later) is the newest known, and the owner is a bootstrapper or
// validator, or the network is open.
//
// The filter is sized for twice the tracked nodes, at least 128 entries, at 0.1 %
// false positives; rebuilt with a new salt every minute and when its estimate
// passes 1 %. A node gets two entries between rebuilds; its third claim is booked
// at once but enters the filter with the rebuild.
//
// # Bytes
//
// All three are protobuf; unknown fields are skipped, and only claims may stand
// more than once. The frame type is 1 for GetPeerList, 2 for PeerList and 3 for a
// claim that its owner pushes, on streams of the protocol /weft/peerlist/1.0.0.
//
//	GetPeerList  1 id      varint, repeated by the answer
//	             2 query   bloom.Query with a filter of 1..131,072 bytes
//	PeerList     1 id      varint; 0 where it accepts a handshake
//	             3 claim   bytes  1..1,024, at most 15 times: signed envelopes
//
//	entry = SHA-256("weft/peerlist/entry/1" 00 || peer ID || timestamp, 8 B big-endian)[:16]
package peerlist
