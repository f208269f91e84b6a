package fetch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// The libp2p protocol IDs. An answer whose payload is longer than MaxPayload travels
// on a stream of its own, so that no smaller one waits behind it.
const (
	Protocol     = "/weft/fetch/1.0.0"
	BulkProtocol = "/weft/fetch-bulk/1.0.0"
)

// Message types.
const (
	TypeRequest frame.Type = 1 // asks for an object, and perhaps for its closure
	TypeAnswer  frame.Type = 2
	TypeComing  frame.Type = 3 // says that a large answer will come, and after how many bytes
)

// Bounds of messages.
const (
	MaxPayload     = 64 << 10           // bytes on Protocol; chosen because it takes an eighth of a second at what a peer may send in one
	MaxBulkPayload = frame.MaxPayload   // bytes on BulkProtocol
	MaxHave        = 64                 // IDs in a locator, which reach 2^64 levels back when their distance doubles
	MaxObjects     = 1024               // objects of a closure with the one that was asked for: as many as one can depend on
	MaxClosure     = 4 << 20            // bytes of such a closure; chosen as the most that a receiver checks in about a tenth of a second
	MaxComing      = 2 * MaxBulkPayload // bytes that a Coming may name: a largest answer behind another one

	extra      = 64 // bytes of an answer beside objects, at most
	lengthSize = 4  // bytes of the length before each object of a closure
)

// What can be wrong with a message. It is skipped.
var (
	ErrMalformed = errors.New("malformed fetch message")
	ErrOversized = errors.New("closure over its bounds")
)

// Status is what became of a request. The first four are said on the wire.
type Status uint8

// The statuses.
const (
	statusAsked    Status = iota // no answer yet
	StatusFound                  // here it is
	StatusNotFound               // the peer does not hold the object
	StatusRefused                // it does not say: it is busy
	StatusPruned                 // it held the object, and keeps no bytes of it
	StatusTimedOut               // it did not answer in time
	StatusGone                   // it disconnected before it answered
	StatusWrong                  // it sent something else
)

func (s Status) String() string {
	names := [...]string{"asked", "found", "not-found", "refused", "pruned", "timed-out", "gone", "wrong"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// Message is any message of this protocol; what is set depends on its type.
type Message struct {
	Request uint64      // the asker's number, above zero
	ID      object.ID   // of the object that is asked for
	Closure bool        // Request: with what it depends on
	Have    []object.ID // Request for a closure: what the asker holds; nothing behind these is wanted
	Status  Status      // Answer
	Object  []byte      // Answer
	Extras  [][]byte    // Answer with an object: what it depends on, dependencies first
	Bytes   uint64      // Coming: how many come until the answer is complete
}

const (
	fieldRequest protowire.Number = 1 // varint
	fieldID      protowire.Number = 2 // 32 bytes
	fieldClosure protowire.Number = 3 // varint 0 or 1
	fieldHave    protowire.Number = 4 // 32 bytes each
	fieldStatus  protowire.Number = 5 // varint 1..4
	fieldObject  protowire.Number = 6
	fieldExtras  protowire.Number = 7 // of each the length, 4 bytes, and the bytes
	fieldBytes   protowire.Number = 8 // varint
)

// Append appends the encoding of m, as a message of type kind, to b.
func (m Message) Append(kind frame.Type, b []byte) []byte {
	b = frame.AppendVarint(b, fieldRequest, m.Request)
	b = frame.AppendBytes(b, fieldID, m.ID[:])
	switch kind {
	case TypeRequest:
		if m.Closure {
			b = frame.AppendVarint(b, fieldClosure, 1)
		}
		if len(m.Have) > 0 {
			b = appendIDs(b, m.Have)
		}
	case TypeAnswer:
		b = frame.AppendVarint(b, fieldStatus, uint64(m.Status))
		if len(m.Object) > 0 {
			b = frame.AppendBytes(b, fieldObject, m.Object)
		}
		if len(m.Extras) > 0 {
			b = appendExtras(b, m.Extras)
		}
	case TypeComing:
		b = frame.AppendVarint(b, fieldBytes, m.Bytes)
	}
	return b
}

func appendIDs(b []byte, ids []object.ID) []byte {
	b = protowire.AppendTag(b, fieldHave, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(ids)*len(object.ID{})))
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	return b
}

func appendExtras(b []byte, extras [][]byte) []byte {
	b = protowire.AppendTag(b, fieldExtras, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(extrasSize(extras)))
	for _, e := range extras {
		b = binary.BigEndian.AppendUint32(b, uint32(len(e)))
		b = append(b, e...)
	}
	return b
}

// extrasSize is how long the field of extras is, without its tag.
func extrasSize(extras [][]byte) (n int) {
	for _, e := range extras {
		n += lengthSize + len(e)
	}
	return n
}

// Parse decodes a message of type kind. Its bytes refer to payload.
func Parse(kind frame.Type, payload []byte) (m Message, err error) {
	if kind < TypeRequest || kind > TypeComing {
		return Message{}, fmt.Errorf("%w: type %d", ErrMalformed, kind)
	}
	var once frame.Once
	err = frame.EachField(payload, func(f frame.Field) error {
		if err := once.Take(f.Number); err != nil {
			return err
		}
		return m.set(kind, f)
	})
	if err == nil {
		err = m.check(kind, once)
	}
	switch {
	case errors.Is(err, ErrOversized):
		return Message{}, err
	case err != nil:
		return Message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return m, nil
}

func (m *Message) set(kind frame.Type, f frame.Field) (err error) {
	switch f.Number {
	case fieldRequest:
		m.Request = f.Varint
	case fieldID:
		if len(f.Bytes) != len(m.ID) {
			return fmt.Errorf("an ID of %d bytes, not %d", len(f.Bytes), len(m.ID))
		}
		m.ID = object.ID(f.Bytes)
	}
	switch {
	case kind == TypeRequest && f.Number == fieldClosure:
		if f.Varint > 1 {
			return fmt.Errorf("closure %d, not 0 or 1", f.Varint)
		}
		m.Closure = f.Varint == 1
	case kind == TypeRequest && f.Number == fieldHave:
		m.Have, err = parseIDs(f.Bytes)
	case kind == TypeAnswer && f.Number == fieldStatus:
		if f.Varint < uint64(StatusFound) || f.Varint > uint64(StatusPruned) {
			return fmt.Errorf("status %d", f.Varint)
		}
		m.Status = Status(f.Varint)
	case kind == TypeAnswer && f.Number == fieldObject:
		m.Object = f.Bytes
	case kind == TypeAnswer && f.Number == fieldExtras:
		m.Extras, err = parseExtras(f.Bytes)
	case kind == TypeComing && f.Number == fieldBytes:
		m.Bytes = f.Varint
	}
	return err
}

func parseIDs(b []byte) ([]object.ID, error) {
	const size = len(object.ID{})
	if len(b)%size != 0 || len(b) > MaxHave*size {
		return nil, fmt.Errorf("a locator of %d bytes, not 0 to %d times %d", len(b), MaxHave, size)
	}
	ids := make([]object.ID, len(b)/size)
	for i := range ids {
		ids[i] = object.ID(b[i*size:])
	}
	return ids, nil
}

// parseExtras counts the objects before it makes room for them.
func parseExtras(b []byte) ([][]byte, error) {
	n := 0
	for rest := b; len(rest) > 0; n++ {
		var err error
		if _, rest, err = nextExtra(rest); err != nil {
			return nil, err
		}
	}
	if n >= MaxObjects {
		return nil, fmt.Errorf("%w: %d objects beside the one that was asked for, at most %d", ErrOversized, n, MaxObjects-1)
	}
	extras := make([][]byte, n)
	for i := range extras {
		extras[i], b, _ = nextExtra(b)
	}
	return extras, nil
}

func nextExtra(b []byte) (e, rest []byte, err error) {
	if len(b) < lengthSize {
		return nil, nil, errors.New("a closure that is cut short")
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if b = b[lengthSize:]; n == 0 || n > uint64(len(b)) {
		return nil, nil, fmt.Errorf("an object of %d bytes in the last %d of a closure", n, len(b))
	}
	return b[:n:n], b[n:], nil
}

// check says whether all is there that the type needs, and nothing that it excludes.
func (m *Message) check(kind frame.Type, seen frame.Once) error {
	has := func(n protowire.Number) bool { return seen&(1<<n) != 0 }
	switch {
	case m.Request == 0 || !has(fieldID):
		return errors.New("the number or the ID is missing")
	case kind == TypeRequest && !m.Closure && len(m.Have) > 0:
		return errors.New("a locator without a closure")
	case kind == TypeAnswer && m.Status == 0:
		return errors.New("the status is missing")
	case kind == TypeAnswer && (m.Status == StatusFound) != (len(m.Object) > 0):
		return fmt.Errorf("status %s with an object of %d bytes", m.Status, len(m.Object))
	case len(m.Extras) > 0 && m.Status != StatusFound:
		return fmt.Errorf("status %s with the closure of an object", m.Status)
	case len(m.Extras) > 0 && len(m.Object)+extrasSize(m.Extras) > MaxClosure:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrOversized, len(m.Object)+extrasSize(m.Extras), MaxClosure)
	case kind == TypeComing && (m.Bytes == 0 || m.Bytes > MaxComing):
		return fmt.Errorf("%d bytes are coming, not 1 to %d", m.Bytes, MaxComing)
	}
	return nil
}
