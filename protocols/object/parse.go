package object

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"time"
)

// Parse reads an encoding, in its one form. Payload, Author and Signature are parts
// of encoded, which must not be changed. The signature is not verified.
func Parse(encoded []byte) (Object, error) {
	o, err := parse(encoded)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return Object{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return o, nil
}

func parse(encoded []byte) (o Object, err error) {
	if len(encoded) > MaxSize {
		return o, fmt.Errorf("it has %d bytes, at most %d are allowed", len(encoded), MaxSize)
	}
	c := cursor{rest: encoded}
	if v := c.uint(1, "version"); c.err == nil && v != version {
		return o, fmt.Errorf("its version is %d: only %d is known here", v, version)
	}
	flags := c.uint(1, "flags")
	if flags&^signed != 0 {
		return o, fmt.Errorf("its flags are %#x: only %#x is known here", flags, signed)
	}
	o.Kind = uint16(c.uint(2, "kind"))
	o.Time = time.UnixMilli(int64(c.uint(8, "time")))
	o.Network = string(c.field(1, MaxNetwork, "network"))
	o.Topic = string(c.field(2, MaxTopic, "topic"))
	o.Deps = c.deps()
	o.Payload = c.field(4, MaxSize, "payload")
	if flags&signed != 0 {
		o.Author = c.take(ed25519.PublicKeySize, "author")
		o.Signature = c.take(ed25519.SignatureSize, "signature")
	}
	if c.err == nil && len(c.rest) > 0 {
		return o, fmt.Errorf("%d bytes follow its end", len(c.rest))
	}
	return o, c.err
}

// cursor takes fields off what is left. After a fault it gives zeros only.
type cursor struct {
	rest []byte
	err  error
}

// take takes n bytes. Who appends to them changes nothing of what follows.
func (c *cursor) take(n int, what string) []byte {
	if c.err == nil && n > len(c.rest) {
		c.err = fmt.Errorf("it ends in its %s", what)
	}
	if c.err != nil {
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// uint takes an integer of 1 to 8 bytes.
func (c *cursor) uint(size int, what string) uint64 {
	var wide [8]byte
	copy(wide[8-size:], c.take(size, what))
	return binary.BigEndian.Uint64(wide[:])
}

// field takes a length of so many bytes and what has that length.
func (c *cursor) field(size, most int, what string) []byte {
	n := c.uint(size, what)
	if c.err == nil && n > uint64(most) {
		c.err = fmt.Errorf("its %s has %d bytes, at most %d are allowed", what, n, most)
	}
	return c.take(int(n), what)
}

func (c *cursor) deps() []ID {
	n := c.uint(2, "number of dependencies")
	if c.err == nil && n > MaxDeps {
		c.err = fmt.Errorf("it has %d dependencies, at most %d are allowed", n, MaxDeps)
	}
	raw := c.take(int(n)*len(ID{}), "dependencies")
	if len(raw) == 0 {
		return nil
	}
	deps := make([]ID, n)
	for i := range deps {
		deps[i] = ID(raw[i*len(ID{}):])
	}
	return deps
}
