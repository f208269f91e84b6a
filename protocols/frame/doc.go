// Package frame is the form of every message on a weft stream.
//
//	offset  size  field
//	     0     4  length of all that follows, big-endian: 41 to 41 + 16 MiB
//	     4     1  type: what the payload is
//	     5    32  sender: its raw Ed25519 public key
//	    37     8  timestamp: Unix time in milliseconds, big-endian
//	    45     N  payload: a protobuf message
//
// The header of 41 bytes and the limit are Basalt's message format; the length
// before them is avalanchego's and Basalt's. The sender is there to be checked
// against the key that the connection authenticated, not to be believed.
//
// A Decoder takes a stream apart without doing IO itself. Its owner asks where
// the next bytes go, waits until its rate limits have room for them, reads, and
// says how many came:
//
//	Space ──▶ (wait for capacity) ──▶ read ──▶ Advance ──▶ done: Take
//	  ▲                                           │
//	  └───────────────────────────────────────────┘
//
// The length is checked before anything is allocated, and the buffer grows with
// the bytes that arrived, never with those that were announced. Who has capacity
// for the next bytes may Reserve room for just those.
//
// What is wrong with a message decides what becomes of its stream:
//
//	ErrTooLong  the next message cannot be found: reset the stream
//	ErrShort    skip the message; an offence
//	ErrSender   skip the message; an offence
//	ErrSkew     skip the message; no offence, clocks go wrong
package frame
