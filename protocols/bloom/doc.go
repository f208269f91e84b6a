// Package bloom is the Bloom filter with which nodes tell each other what they
// hold already, without naming it: a set of keys under a random salt, and its form
// on the wire.
//
// Sources: utils/bloom of AvalancheGo, but for the key of an entry, which is a
// keyed hash of 15 ns rather than a SHA-256 of 140
// (docs/adr/0003-keyed-hash-for-peer-lists.md).
//
// # Bytes
//
// Protobuf; every field stands at most once and unknown ones are skipped. How large
// a filter may be is up to the protocol that carries it.
//
//	Query  1 hashes  varint 1..16
//	       2 filter  bytes; bit i is bit i%8 of byte i/8
//	       3 salt    bytes  exactly 32
//
//	key   = AES-256(salt, entry of 16 bytes), two little-endian uint64: first, step (its lowest bit set)
//	bit i = high 64 bits of (first + i·step mod 2^64) · (8 · filter bytes)
package bloom
