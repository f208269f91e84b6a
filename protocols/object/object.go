package object

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/weftnet/weft/protocols/frame"
)

// Bounds of an object.
const (
	MaxSize    = frame.MaxPayload - 4<<10 // bytes encoded; chosen so that the message around it, of which 4 KiB are plenty, fits into a frame
	MaxNetwork = 64                       // bytes, as in claims
	MaxTopic   = 512                      // bytes; chosen as twice what file systems allow a name
	MaxDeps    = 1024                     // design
)

const (
	domain    = "weft object v1\n" // signed before the object, so that no other signature of the key is one
	version   = 1
	signed    = 1               // flag
	maxMillis = 253402300799999 // the end of the year 9999, as in claims, so that no sum overflows
	fixedSize = 1 + 1 + 2 + 8 + 1 + 2 + 2 + 4
)

// What can be wrong with an object.
var (
	ErrInvalid   = errors.New("the object cannot be sealed")
	ErrMalformed = errors.New("not the encoding of an object: drop it, whoever sent it as one is at fault")
	ErrSignature = errors.New("the object's signature is not its author's: drop it, whoever sent it is at fault")
)

// Object is something immutable that may depend on others.
type Object struct {
	Network string
	Topic   string
	Kind    uint16    // the application's
	Time    time.Time // the author's word, in milliseconds: anything finer is lost
	Deps    []ID      // in the author's order
	Payload []byte

	Author    ed25519.PublicKey // nil: unsigned
	Signature []byte
}

// Seal encodes an object. A key signs it, and then o.Author may be left out;
// without a key it is unsigned. o.Signature does not matter.
func (o Object) Seal(key ed25519.PrivateKey) (encoded []byte, err error) {
	if err := o.setAuthor(key); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	b := o.appendUnsigned(make([]byte, 0, len(domain)+o.size()))
	if key != nil {
		b = append(b, ed25519.Sign(key, b)...)
	}
	return b[len(domain):], nil
}

func (o *Object) setAuthor(key ed25519.PrivateKey) error {
	if key == nil {
		if o.Author != nil {
			return fmt.Errorf("%w: it names an author: give the author's key, or name none", ErrInvalid)
		}
		return nil
	}
	if len(key) != ed25519.PrivateKeySize {
		return fmt.Errorf("%w: the key has %d bytes: give an Ed25519 key of %d", ErrInvalid, len(key), ed25519.PrivateKeySize)
	}
	public := key.Public().(ed25519.PublicKey)
	if o.Author != nil && !public.Equal(o.Author) {
		return fmt.Errorf("%w: it names %x as its author, but the key is that of %x", ErrInvalid, o.Author, public)
	}
	o.Author = public
	return nil
}

// Verify checks the author's signature. There is nothing to check in an unsigned
// object.
func (o Object) Verify() error {
	if o.Author == nil {
		return nil
	}
	if len(o.Author) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: the author's key has %d bytes", ErrSignature, len(o.Author))
	}
	b := o.appendUnsigned(make([]byte, 0, len(domain)+o.size()))
	if !ed25519.Verify(o.Author, b, o.Signature) {
		return ErrSignature
	}
	return nil
}

// check says what is wrong with an object but for its signature. Parse asks it too,
// so that both know the same bounds.
func (o *Object) check() error {
	if err := checkName("network", o.Network, MaxNetwork); err != nil {
		return err
	}
	if err := checkName("topic", o.Topic, MaxTopic); err != nil {
		return err
	}
	if ms := o.Time.UnixMilli(); ms < 0 || ms > maxMillis {
		return fmt.Errorf("its time is %v: use one from 1970 to 9999", o.Time)
	}
	if len(o.Deps) > MaxDeps {
		return fmt.Errorf("it has %d dependencies: use at most %d, or let it depend on objects that depend on the rest", len(o.Deps), MaxDeps)
	}
	if twice, any := repeated(o.Deps); any {
		return fmt.Errorf("it depends on %s twice: name each dependency once", twice)
	}
	if n := o.size(); n > MaxSize {
		return fmt.Errorf("it has %d bytes encoded: use at most %d, or split it into objects that depend on each other", n, MaxSize)
	}
	return nil
}

func checkName(what, name string, most int) error {
	if len(name) == 0 || len(name) > most {
		return fmt.Errorf("its %s has %d bytes: use 1 to %d", what, len(name), most)
	}
	if !utf8.ValidString(name) {
		return fmt.Errorf("its %s %q is not UTF-8", what, name)
	}
	return nil
}

// repeated finds an ID that stands twice. Few are compared each with each other,
// which allocates nothing.
func repeated(deps []ID) (twice ID, any bool) {
	const few = 16 // chosen: above it a map is faster
	if len(deps) <= few {
		for i, d := range deps {
			if slices.Contains(deps[:i], d) {
				return d, true
			}
		}
		return ID{}, false
	}
	seen := make(map[ID]struct{}, len(deps))
	for i, d := range deps {
		if seen[d] = struct{}{}; len(seen) == i {
			return d, true
		}
	}
	return ID{}, false
}

// size is the number of bytes of the encoding.
func (o *Object) size() int {
	n := fixedSize + len(o.Network) + len(o.Topic) + len(o.Deps)*len(ID{}) + len(o.Payload)
	if o.Author != nil {
		n += ed25519.PublicKeySize + ed25519.SignatureSize
	}
	return n
}

// appendUnsigned appends the domain and the object as far as it is signed: all
// but the signature.
func (o *Object) appendUnsigned(b []byte) []byte {
	flags := byte(0)
	if o.Author != nil {
		flags = signed
	}
	b = append(b, domain...)
	b = append(b, version, flags)
	b = binary.BigEndian.AppendUint16(b, o.Kind)
	b = binary.BigEndian.AppendUint64(b, uint64(o.Time.UnixMilli()))
	b = append(append(b, byte(len(o.Network))), o.Network...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(o.Topic))), o.Topic...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(o.Deps)))
	for i := range o.Deps {
		b = append(b, o.Deps[i][:]...)
	}
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(o.Payload))), o.Payload...)
	return append(b, o.Author...)
}
