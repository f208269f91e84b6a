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
// # Durability
//
// A write returns when it is on disk: the node writes seldom, and a process that
// is killed right after it has joined must find its peers again.
//
// # Memory
//
// The block cache has 8 MiB and two write buffers have 4 MiB each, because a node
// is often one of many processes; the records are few.
package store
