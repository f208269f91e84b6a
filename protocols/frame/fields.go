package frame

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrFields means that a payload is not a protobuf message, or one that carries a
// field twice which may stand once.
var ErrFields = errors.New("payload is malformed: skip it")

// Field is one field of a payload. A length-delimited field has Bytes, which
// refer to the payload, and a varint has Varint.
type Field struct {
	Number protowire.Number
	Bytes  []byte
	Varint uint64
}

// EachField calls visit for every field of a payload, in order, until it returns
// an error. Nothing is allocated. Fields of other wire types are skipped: no weft
// message has any, and a newer peer's may.
func EachField(payload []byte, visit func(Field) error) error {
	for len(payload) > 0 {
		f, used, known := consume(payload)
		if used < 0 {
			return fmt.Errorf("%w: %w", ErrFields, protowire.ParseError(used))
		}
		payload = payload[used:]
		if !known {
			continue
		}
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// consume reads the first field; used is negative when there is none, and known
// is false for a wire type that Field does not hold.
func consume(b []byte) (f Field, used int, known bool) {
	number, kind, tag := protowire.ConsumeTag(b)
	if tag < 0 {
		return f, tag, false
	}
	f.Number, known = number, true
	var value int
	switch kind {
	case protowire.BytesType:
		f.Bytes, value = protowire.ConsumeBytes(b[tag:])
	case protowire.VarintType:
		f.Varint, value = protowire.ConsumeVarint(b[tag:])
	default:
		value, known = protowire.ConsumeFieldValue(number, kind, b[tag:]), false
	}
	if value < 0 {
		return f, value, false
	}
	return f, tag + value, known
}

// AppendBytes appends a length-delimited field to b.
func AppendBytes(b []byte, n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
}

// AppendVarint appends a varint field to b.
func AppendVarint(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

// Once remembers which fields stood already, for messages whose fields stand at
// most once. Numbers are 1 to 63.
type Once uint64

// Take notes a field and refuses it the second time.
func (o *Once) Take(n protowire.Number) error {
	if n < 1 || n > 63 {
		return nil // unknown to every weft message
	}
	if *o&(1<<n) != 0 {
		return fmt.Errorf("%w: field %d stands twice", ErrFields, n)
	}
	*o |= 1 << n
	return nil
}
