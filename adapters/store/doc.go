// Package store keeps what a node must remember over restarts, in Pebble.
//
// # Layout
//
// Every key begins with one byte for the record's type; numbers are big-endian,
// uvarint is encoding/binary's.
//
//	'm' "format"          -> format version, 1 byte: 1
//	'p' peer ID (bytes)   -> last seen (8 bytes, Unix ms)
//	                         count of addresses (uvarint), each: length (uvarint), bytes
//
// A store of a later format is refused, not guessed at.
//
// Of one peer at most 16 addresses of at most 512 bytes are kept. A record with
// other lengths, or with bytes left over, is malformed and left out. A store of a
// later format, ours or Pebble's, is refused (ErrFormat), not guessed at; an
// earlier one will be rewritten on opening.
//
// # Durability
//
// A write returns when it is on disk (fsync): the node writes seldom, and a
// process that is killed right after it has joined must find its peers again.
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
// often one of many in a process; saved peers alone take 0.5 MiB, and an unused
// store half of that.
package store
