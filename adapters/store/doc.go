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
//	'x' 'p' peer ID       -> banned until (time), bans so far (uvarint), flags (1 byte; 1: by hand),
//	                         IP group that it counts against: length (uvarint), text; reason (UTF-8, to the end)
//	'x' 'g' IP group      -> likewise, without a group
//	't' "own"             -> highest timestamp of an own claim (time)
//
// Of objects, where topic is its length (2 bytes) and its bytes, and seq a sequence
// number (8 bytes, from 1):
//
//	'd' topic seq         -> the object's encoding
//	'l' topic seq         -> object ID (32 bytes), landed (time), size of the encoding (4 bytes)
//	'i' object ID         -> seq, landed (time), topic (to the end)
//	'u' topic (to the end)-> seq up to which the topic is pruned
//	'a' object ID         -> anchored (time), topic (to the end)
//
// An entry of 'l' up to the number in 'u' is a tombstone; its bytes may be left until
// there are enough of them to delete. The log is apart from the bytes, so that the
// index of a node is loaded without reading these. Bytes lie in the order of the log,
// so that pruning is one deletion of a range, after which Pebble drops whole files, and
// not a rewriting of everything; they sort before the indexes, so that a compaction of
// new records meets few old bytes.
//
// A record with other lengths, or with bytes left over, is malformed: it is left
// out and counted (Malformed). A type of record whose layout has to change takes
// another letter. A store of a later format, ours or Pebble's, is refused
// (ErrFormat), not guessed at; an earlier one will be rewritten on opening.
//
// # Bounds
//
// At most 1,024 peers, 4,096 claims and 5,120 bans are kept; beyond that the
// peers seen longest ago and the claims and bans that end first make room, an
// eighth at a time, bans by hand last. Nothing is deleted for its age alone, as the clock may be
// wrong today: reading leaves out what is over. A peer has at most 16 addresses
// of at most 512 bytes, a claim at most claim.MaxEnvelope bytes, a ban's reason
// 512.
//
// Objects are bounded by whoever prunes them. One has at most 16 MiB, one write at
// most 64 MiB.
//
// # Durability
//
// A write returns when it is on disk (fsync): a process that is killed right after
// it has joined must find its peers again. One write takes any number of records,
// for the bursts that joining brings. Pruning and trimming do not wait: what comes
// back after a crash is pruned once more.
//
// # Concurrency
//
// Peers, claims and bans have one writer at a time, objects another; Pebble puts both
// into one log. Reading waits for neither. Object may return what is not on disk
// yet, ObjectLog does not: a subscriber would resume after a number that a crash gives
// to another object.
//
// # Failure
//
// One store is opened once at a time (ErrLocked), by a lock of ours beside
// Pebble's, which one process could take twice. A damaged file is found on opening
// (ErrDamaged), or fails a later read; it never ends the process. Opening asks
// for 16 MiB of free space. With less than that a write is refused (ErrFull), and the
// next one succeeds once there is room again. A write that the disk refuses ends
// all writing until the next start (ErrFailed), but not reading; see disk.
//
// # Memory
//
// At most 8 MiB of block cache and two write buffers of 4 MiB, because a node is
// often one of many in a process. Of each record of a peer only its peer and its rank are
// kept: with a full store 1.2 MB of heap in all. Of objects nothing is kept but two
// numbers for each topic. A store in memory has the same tables as files in memory,
// without a log.
package store
