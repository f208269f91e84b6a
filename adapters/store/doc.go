// Package store keeps what a node must remember over restarts, in Pebble.
//
// # Layout
//
// Every key begins with one byte for the record's type; times are Unix ms in 8
// bytes, numbers big-endian, uvarint is encoding/binary's.
//
//	'm' "format"          -> format version, 1 byte: 1
//	'p' peer ID (bytes)   -> last seen (time)
//	                         count of addresses (uvarint), each: length (uvarint), bytes
//	'c' peer ID           -> expiry (time), signed claim (its envelope, to the end)
//	'b' peer ID           -> banned until (time), bans so far (uvarint), reason (UTF-8, to the end)
//	't' "own"             -> highest timestamp of an own claim (time)
//
// A record with other lengths, or with bytes left over, is malformed: it is left
// out and counted (Malformed). A type of record whose layout has to change takes
// another letter. A store of a later format, ours or Pebble's, is refused
// (ErrFormat), not guessed at; an earlier one will be rewritten on opening.
//
// # Bounds
//
// At most 1,024 peers, 4,096 claims and 4,096 bans are kept; beyond that the
// peers seen longest ago and the claims and bans that end first make room, an
// eighth at a time. Nothing is deleted for its age alone, as the clock may be
// wrong today: reading leaves out what is over. A peer has at most 16 addresses
// of at most 512 bytes, a claim at most claim.MaxEnvelope bytes, a ban's reason
// 512.
//
// # Durability
//
// A write returns when it is on disk (fsync): a process that is killed right after
// it has joined must find its peers again. One write takes any number of records,
// for the bursts that joining brings.
//
// # Failure
//
// One store is opened once at a time (ErrLocked), by a lock of ours beside
// Pebble's, which one process could take twice. A damaged file is found on opening
// (ErrDamaged), or fails a later read; it never ends the process. A write that the disk
// refuses ends the store (ErrFailed), and the node goes on without it. Opening
// asks for 16 MiB of free space, because Pebble waits for space without end.
//
// # Memory
//
// At most 8 MiB of block cache and two write buffers of 4 MiB, because a node is
// often one of many in a process. Of each record only its peer and its rank are
// kept: with a full store 1.2 MB of heap in all.
package store
