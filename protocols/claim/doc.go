// Package claim holds signed address claims: what a node says of where it can be
// reached, so that nobody else can say it for it.
//
// # Bytes
//
// A claim is the payload of a libp2p signed envelope (libp2p RFC 0002) with the
// domain "weft-claim" and the payload type 0xf6 0xee 0xc1 0x01, the varint of
// multicodec 0x307776 in the private range. The payload is this protobuf message:
//
//	message Claim {
//	  string network = 1;          // 1 to 64 bytes
//	  bytes  peer    = 2;          // 38 bytes: an Ed25519 peer ID
//	  uint64 timestamp = 3;        // Unix time in milliseconds, above 0
//	  uint64 expiry    = 4;        // above timestamp, by at most 24 h
//	  repeated bytes addrs = 5;    // at most 16 binary multiaddrs, ascending
//	}
//
// Both messages have one form only: every field that is there stands once, in
// ascending order, with the shortest varints, and no unknown field follows. So a
// relay cannot change a claim without breaking it, and equal claims are equal
// bytes. An address is /ip4 or /ip6, then /tcp or /udp/…/quic-v1, with a port
// and without DNS name; none at all says that the node cannot be dialled. The
// whole is at most 1,024 bytes.
//
// Network and domain are in what is signed, so a claim says nothing in another
// network (avalanchego signs neither, nor an expiry, and its claims replay).
//
// # Rules
//
// The newest timestamp wins. A Reason says why a claim was refused and who is to
// blame. Checking a signature costs two hundred times more than all else, so it is
// done last and elsewhere:
//
//	raw ─▶ Book.Precheck ─▶ (worker) Verify ─▶ Book.Add
//	         wanted, newer,     signature       the same rules again, as
//	         in time, in form                   the book may have changed
//
// # Bounds
//
// A Book holds at most Capacity claims. Each is booked to the peers that brought
// it, its introducers, up to 4 of them. When the book is full the introducer with
// most claims gives up its oldest; a claim is gone once no introducer is left for
// it. So one flooding introducer out of k displaces nothing of another that
// brought less than Capacity/k, whatever number of identities it invents, and a
// claim that both brought stays. Held claims (peers connected now, validators)
// are never displaced.
package claim
