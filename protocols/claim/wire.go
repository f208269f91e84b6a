package claim

import (
	"bytes"
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Domain and codec of the envelope.
const (
	Domain    = "weft-claim"
	codecCode = 0x307776 // multicodec, private use area 0x300000 to 0x3fffff
)

var codec = binary.AppendUvarint(nil, codecCode)

// Bounds of a claim.
const (
	MaxAddrs    = 16                 // chosen for 2 transports over 8 addresses of a host
	MaxNetwork  = 64                 // bytes of a network's name, as in the node's settings
	MaxEnvelope = 1024               // bytes; the largest claim in these bounds has 633
	Lifetime    = 24 * time.Hour     // of a claim: design; a node that was off for a day is asked anew
	maxMillis   = 253402300799999    // the end of the year 9999, so that no sum overflows
	keySize     = 36                 // bytes of an Ed25519 key in libp2p's protobuf
	peerSize    = 2 + keySize        // bytes of its peer ID: identity multihash of the key
	sigSize     = 64                 // bytes of an Ed25519 signature
	keyPrefix   = "\x08\x01\x12\x20" // PublicKey{Type: Ed25519, Data: 32 bytes}
	peerPrefix  = "\x00\x24"         // multihash: identity, 36 bytes
)

// view is a claim still in its bytes.
type view struct {
	network, peer []byte
	time, expiry  int64  // milliseconds
	addrs         []byte // the fields of the addresses
	payload       []byte
}

// peek checks all of an envelope but its signature, and allocates nothing.
func peek(raw []byte) (v view, err error) {
	if len(raw) > MaxEnvelope {
		return v, Malformed
	}
	c := cursor{rest: raw}
	key := c.bytes(1)
	kind := c.bytes(2)
	payload := c.bytes(3)
	sig := c.bytes(5)
	if !c.end() || !bytes.Equal(kind, codec) || len(sig) != sigSize {
		return v, Malformed
	}
	if len(key) != keySize || string(key[:len(keyPrefix)]) != keyPrefix {
		return v, Malformed
	}
	if v, err = peekPayload(payload); err == nil && !bytes.Equal(v.peer[len(peerPrefix):], key) {
		err = Malformed // signed by somebody else, whoever that is
	}
	return v, err
}

// peekPayload checks a claim without its envelope.
func peekPayload(payload []byte) (v view, err error) {
	c := cursor{rest: payload}
	v.payload = payload
	v.network = c.bytes(1)
	v.peer = c.bytes(2)
	v.time = c.millis(3)
	v.expiry = c.millis(4)
	v.addrs = c.rest
	switch {
	case c.bad, len(v.network) == 0, len(v.network) > MaxNetwork,
		len(v.peer) != peerSize, string(v.peer[:len(peerPrefix+keyPrefix)]) != peerPrefix+keyPrefix,
		v.expiry <= v.time, v.expiry-v.time > Lifetime.Milliseconds(), !validAddrs(c):
		return v, Malformed
	}
	return v, nil
}

// validAddrs reads the addresses to the end.
func validAddrs(c cursor) bool {
	var last []byte
	for n := 0; !c.end(); n++ {
		a := c.bytes(5)
		if n == MaxAddrs || c.bad || !usable(a) || bytes.Compare(last, a) >= 0 {
			return false
		}
		last = a
	}
	return true
}

// appendPayload writes a claim's protobuf message. addrs are in ascending order.
func appendPayload(b []byte, network string, peer string, t, expiry int64, addrs [][]byte) []byte {
	b = protowire.AppendString(protowire.AppendTag(b, 1, protowire.BytesType), network)
	b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), peer)
	b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), uint64(t))
	b = protowire.AppendVarint(protowire.AppendTag(b, 4, protowire.VarintType), uint64(expiry))
	for _, a := range addrs {
		b = protowire.AppendBytes(protowire.AppendTag(b, 5, protowire.BytesType), a)
	}
	return b
}

// cursor reads protobuf fields in their one form. After a fault it is bad and
// reads nothing more.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) end() bool { return !c.bad && len(c.rest) == 0 }

// tag takes the tag of a field numbered below 16, which is one byte.
func (c *cursor) tag(num protowire.Number, kind protowire.Type) {
	if c.bad || len(c.rest) == 0 || uint64(c.rest[0]) != protowire.EncodeTag(num, kind) {
		c.bad = true
		return
	}
	c.rest = c.rest[1:]
}

func (c *cursor) varint() uint64 {
	v, n := protowire.ConsumeVarint(c.rest)
	if c.bad || n != protowire.SizeVarint(v) {
		c.bad = true
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

func (c *cursor) bytes(num protowire.Number) []byte {
	c.tag(num, protowire.BytesType)
	n := c.varint()
	if c.bad || n > uint64(len(c.rest)) {
		c.bad = true
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// millis reads a time, which must be after 1970 and before the year 10000.
func (c *cursor) millis(num protowire.Number) int64 {
	c.tag(num, protowire.VarintType)
	v := c.varint()
	if v == 0 || v > maxMillis {
		c.bad = true
	}
	return int64(v)
}
