package libp2phost

import "errors"

// maxEntries is how many top-level protobuf fields a message may have. An entry of
// two bytes becomes a struct of over a hundred in its reader, so bytes alone do
// not bound memory: chosen above any honest message (pubsub batches a few hundred
// topics or messages) and well below what could hurt.
const maxEntries = 8192

var errEntries = errors.New("message has too many entries")

// entries counts the top-level fields of protobuf messages with varint length
// prefixes as their bytes pass, in pieces of any size. It looks at tags and
// lengths only; whether the rest makes sense is for the reader to say.
type entries struct {
	state entryState
	count int    // of the current message
	skip  uint64 // bytes of the current field's value still to pass
	num   uint64 // the varint being read
	shift uint
}

type entryState uint8

const (
	inPrefix entryState = iota // the message's length
	inTag
	inVarint // a value
	inLength // of a value
	inRest   // not protobuf: its reader will refuse it
)

// next forgets the message that has ended.
func (e *entries) next() { *e = entries{} }

// pass takes in the next bytes.
func (e *entries) pass(p []byte) error {
	for len(p) > 0 && e.state != inRest {
		if e.skip > 0 {
			n := min(e.skip, uint64(len(p)))
			e.skip, p = e.skip-n, p[n:]
			continue
		}
		if err := e.step(p[0]); err != nil {
			return err
		}
		p = p[1:]
	}
	return nil
}

// step takes in one byte of a varint.
func (e *entries) step(b byte) error {
	if e.shift < 64 {
		e.num |= uint64(b&0x7f) << e.shift
		e.shift += 7
	}
	if b >= 0x80 {
		return nil
	}
	num := e.num
	e.num, e.shift = 0, 0
	switch e.state {
	case inPrefix, inVarint:
		e.state = inTag
	case inLength:
		e.state, e.skip = inTag, num
	case inTag:
		if e.count++; e.count > maxEntries {
			return errEntries
		}
		e.value(num & 7)
	}
	return nil
}

// value prepares for a value of a protobuf wire type.
func (e *entries) value(wire uint64) {
	switch wire {
	case 0:
		e.state = inVarint
	case 1:
		e.skip = 8
	case 2:
		e.state = inLength
	case 5:
		e.skip = 4
	default:
		e.state = inRest
	}
}
