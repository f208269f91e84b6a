// Package infect spreads items through the whole network without sending any of
// them to everybody: infection gossip. It carries address claims, and the objects of
// topics of the class infect.
//
// Sources: Casper's description of its gossip and casper-node's gossiper
// (gossip_table.rs); the four steps below are theirs. Differences: the cost is
// bounded by the answers Already (S) rather than by known holders, the table and
// what one peer may put into it are bounded, and an item that was announced and
// not given is asked of the others who announced it.
//
// # The four steps
//
//  1. Pick k random connected peers and offer them the item.
//  2. Note from their answers who had it already.
//  3. For each that had it, pick another random peer and offer it to that one.
//  4. End when L peers were infected, or S had it already.
//
// A peer that does not answer in time is replaced too, and never tried again; one
// that has no room is replaced and counts neither way. MaxAttempts ends what else
// would go on for ever. With fewer peers than that the item is done when all have
// answered. Whoever is infected does the same.
//
// A member that is not interested in an item, as May says, is offered it as little
// as one that has it.
//
// With k = L = 3 the cost is set by S, as most nodes end by it: S = 12 reaches
// every node at 12.8 offers per node, S = 6 99.9 % at 7.4, S = 3 99.4 % at 4.8
// (sim_test.go, 100 to 5,000 nodes). With 30 % silent peers S = 12 still reaches
// every other node, at 17.5.
//
// # Flow
//
//	small: Alice          Bob            large: Alice          Bob
//	  │ Push{item}         │               │ Announce{id}       │
//	  ├───────────────────▶│               ├───────────────────▶│
//	  │  Answer{id, new}   │               │            Get{id} │  (says: new)
//	  │◀───────────────────┤               │◀───────────────────┤
//	  │                    │ Check         │ Item{id, item}     │
//	  │                    │ ... Gossip    ├───────────────────▶│ Check ... Gossip
//
//	known: Alice          Bob
//	  │ Push or Announce   │
//	  ├───────────────────▶│
//	  │ Answer{id,already} │
//	  │◀───────────────────┤
//
// # An item here
//
//	wanted ──Item──▶ checking ──Gossip──▶ spreading ──▶ finished ──60 s──▶ forgotten
//	   │                │ Reject                            ▲
//	   │ nobody gives it└──────────────▶ rejected ──────────┤
//	   └───────────────────────────────▶ lost ──────────────┘
//
// An item that does not come in time is asked of the next who announced it, and
// taken from whoever gives it first. When nobody is left to ask it is waited for
// until LostWithin.
//
// An item that is not valid yet, because something that it depends on is missing,
// stays in checking: its gossip pauses until the loop calls Gossip.
//
// # Bounds
//
// At most 4,096 claims, 256 of one peer that are not accepted, and 16 new ones of it
// a second, or a single member could flood the whole network; 16,384, 4,096 and
// 1,000 objects. When the table is full the items finished longest ago are
// forgotten, then new ones refused. Items of at most 1,024 bytes are kept in the
// table, in the bytes that offer them to everyone; larger ones are the loop's, and
// pass through here uncopied.
//
// # Bytes
//
// Protobuf; every field stands at most once and unknown ones are skipped. Each
// kind of item has a stream protocol of its own: /weft/infect-claims/1.0.0, where an
// item is a claim's envelope, of at most 1,024 bytes, and /weft/infect-objects/1.0.0,
// where it is an object's encoding.
//
//	type 1  Push      2 item    1..1,024 bytes; its SHA-256 is the ID
//	type 2  Announce  1 id      32 bytes
//	type 3  Answer    1 id  3 status  varint: 1 new, 2 already, 3 refused
//	type 4  Get       1 id
//	type 5  Item      1 id  2 item
package infect
