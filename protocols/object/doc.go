// Package object is what weft replicates: immutable objects that may depend on
// others, named by the hash of their encoding.
//
// Sources: casper-node's blocks and deploys, which are gossiped by hash and fetched
// with what they depend on; DESIGN: fixed layout, at most 1,024 dependencies, the
// author's signature rather than the sender's. The ID is IPLD's name for raw bytes,
// so that `ipfs block put` gives an encoding the same one.
//
// # Bytes
//
// All integers are unsigned and big-endian. Every field is always there; nothing
// follows the last.
//
//	size  field
//	   1  version: 1
//	   1  flags: bit 0 is set when the object is signed; the others are zero
//	   2  kind: the application's own number
//	   8  time: Unix time in milliseconds, before the year 10000
//	   1  length of the network's name, 1 to 64
//	   .  network: UTF-8
//	   2  length of the topic's name, 1 to 512
//	   .  topic: UTF-8
//	   2  number of dependencies, 0 to 1,024
//	  32  each of them: an ID; no two are equal
//	   4  length of the payload
//	   .  payload: any bytes
//	  32  author: raw Ed25519 public key   } only when signed
//	  64  signature: Ed25519               }
//
// The signature is over "weft object v1\n" and all bytes before it. What is encoded
// has at most 16 MiB less 4 KiB, so that any message that carries it has at most
// 16 MiB.
//
// There is one encoding of an object: what Parse accepts encodes to the same bytes.
// Nobody but the author can make another object of a signed one: Go's Ed25519, as
// RFC 8032 demands, refuses a signature whose second half is not below the group's
// order. The author can, with another random number in the signature; that gives
// another ID, as any other change of an object does.
//
// # Flow
//
//	author: Object ─Seal▶ bytes ─IDOf▶ ID
//	reader: bytes ─Parse▶ Object ─Verify▶ whose it is
//	          └─IDOf▶ ID, which is the one that was asked for
//
// Parse allocates two names and the dependencies, once their number is known to fit
// into what came; payload, author and signature are parts of the encoding. A small
// object takes it half a microsecond, and Verify two hundred times as much.
//
// The time is the author's word. Nothing is decided by it here.
package object
