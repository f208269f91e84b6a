package peerlist

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// eachField calls visit for every field of a protobuf message: raw is the
// content of a length-delimited field, n the value of a varint. Fields of other
// types are skipped, as unknown ones are, so that a newer peer may add some.
func eachField(msg []byte, visit func(field protowire.Number, raw []byte, n uint64) error) error {
	for len(msg) > 0 {
		field, typ, used := protowire.ConsumeTag(msg)
		if used < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(used))
		}
		msg = msg[used:]
		var raw []byte
		var n uint64
		switch typ {
		case protowire.BytesType:
			raw, used = protowire.ConsumeBytes(msg)
		case protowire.VarintType:
			n, used = protowire.ConsumeVarint(msg)
		default:
			used = protowire.ConsumeFieldValue(field, typ, msg)
		}
		if used < 0 {
			return fmt.Errorf("%w: field %d: %w", ErrMalformed, field, protowire.ParseError(used))
		}
		msg = msg[used:]
		if err := visit(field, raw, n); err != nil {
			return err
		}
	}
	return nil
}
