package catchup

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// Protocol is the libp2p protocol ID of the stream that carries all three messages.
const Protocol = "/weft/catchup/1.0.0"

// Message types, in the first byte of the frame header.
const (
	TypeTopics    frame.Type = 1 // the object topics that the sender carries
	TypeGetRecent frame.Type = 2 // asks for the IDs of objects that landed recently
	TypeRecent    frame.Type = 3 // a page of them
)

const (
	// MaxTopics and MaxTopicBytes bound what a peer carries: its names are kept as
	// long as it is connected. Chosen so that they take half a MiB at most; the
	// length of a name is that of an object's topic.
	MaxTopics     = 1024
	MaxTopicBytes = 512
	// MaxIDs is how many IDs a page holds at most. Chosen as an object's
	// dependencies, and as a quarter of what is fetched at a time.
	MaxIDs = 1024
	// MaxFilterBytes bounds a filter. Chosen as twice a full page: 54,700 IDs.
	MaxFilterBytes = 64 << 10
	// MaxBits bounds the parts into which the IDs are divided, as a power of two, so
	// that each part has a filter of its own. Chosen because the byte that says which
	// part has eight: 14 million IDs.
	MaxBits = 8
	// MaxPayload bounds a message of this protocol, in bytes; the longest is Topics,
	// with 3 for the tag and length of each name.
	MaxPayload = MaxTopics * (MaxTopicBytes + 3)
)

// What makes a message unusable; it is skipped.
var (
	ErrMalformed = errors.New("malformed catch-up message")
	ErrTopics    = errors.New("too many or too long object topics")
)

// Topics says which object topics its sender carries. It replaces what the sender
// said before.
type Topics struct{ Names []string }

// GetRecent asks for the IDs of those objects of a topic which landed at the answerer
// at Since or later, and which the filter lacks, in the order of its log.
type GetRecent struct {
	Request uint64 // chosen by the asker, not 0; the answer repeats it
	Topic   string
	Since   uint64       // Unix ms; 0: everything
	Cursor  uint64       // the answerer's log number to go on after; 0: from the start
	Known   *bloom.Query // what the asker holds; nil: nothing
	Bits    uint8        // the IDs are divided into 2^Bits parts,
	Part    uint8        // of which this is the one asked about
}

// Recent answers GetRecent.
type Recent struct {
	Request uint64
	IDs     []object.ID // at most MaxIDs
	Next    uint64      // the cursor with which to go on
	More    bool        // there is something to go on for
}

const (
	topicsName protowire.Number = 1 // bytes, repeated

	getRequest protowire.Number = 1 // varint, not 0
	getTopic   protowire.Number = 2 // bytes
	getSince   protowire.Number = 3 // varint
	getCursor  protowire.Number = 4 // varint
	getKnown   protowire.Number = 5 // bloom.Query
	getBits    protowire.Number = 6 // varint 0..8
	getPart    protowire.Number = 7 // varint, below 2^bits

	recentRequest protowire.Number = 1 // varint, not 0
	recentIDs     protowire.Number = 2 // 32 bytes each, one after the other
	recentNext    protowire.Number = 3 // varint
	recentMore    protowire.Number = 4 // varint 0 or 1
)

// Append appends the encoding of m to b.
func (m Topics) Append(b []byte) []byte {
	for _, name := range m.Names {
		b = frame.AppendBytes(b, topicsName, []byte(name))
	}
	return b
}

// Append appends the encoding of m to b. What is zero is left out.
func (m GetRecent) Append(b []byte) []byte {
	b = frame.AppendVarint(b, getRequest, m.Request)
	b = frame.AppendBytes(b, getTopic, []byte(m.Topic))
	b = appendPositive(b, getSince, m.Since)
	b = appendPositive(b, getCursor, m.Cursor)
	if m.Known != nil {
		b = frame.AppendBytes(b, getKnown, m.Known.Append(nil))
	}
	b = appendPositive(b, getBits, uint64(m.Bits))
	return appendPositive(b, getPart, uint64(m.Part))
}

// Append appends the encoding of m to b. What is zero is left out.
func (m Recent) Append(b []byte) []byte {
	b = frame.AppendVarint(b, recentRequest, m.Request)
	if size := len(m.IDs) * len(object.ID{}); size > 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, recentIDs, protowire.BytesType), uint64(size))
		for _, id := range m.IDs {
			b = append(b, id[:]...)
		}
	}
	b = appendPositive(b, recentNext, m.Next)
	if m.More {
		b = frame.AppendVarint(b, recentMore, 1)
	}
	return b
}

func appendPositive(b []byte, n protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return frame.AppendVarint(b, n, v)
}

// ParseTopics decodes the names. The error wraps ErrTopics where there are more, or
// longer ones, than allowed.
func ParseTopics(msg []byte) (m Topics, err error) {
	err = frame.EachField(msg, func(f frame.Field) error {
		if f.Number != topicsName {
			return nil
		}
		if len(m.Names) == MaxTopics {
			return fmt.Errorf("%w: over %d", ErrTopics, MaxTopics)
		}
		m.Names = append(m.Names, string(f.Bytes))
		return checkTopic(f.Bytes)
	})
	if err != nil {
		return Topics{}, malformed(err)
	}
	return m, nil
}

func checkTopic[T string | []byte](name T) error {
	if len(name) == 0 || len(name) > MaxTopicBytes {
		return fmt.Errorf("%w: a name of %d bytes, use 1 to %d", ErrTopics, len(name), MaxTopicBytes)
	}
	return nil
}

// ParseGetRecent decodes a question, whose filter refers to msg.
func ParseGetRecent(msg []byte) (m GetRecent, err error) {
	var once frame.Once
	err = frame.EachField(msg, func(f frame.Field) error {
		if err := once.Take(f.Number); err != nil {
			return err
		}
		return m.set(f)
	})
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return GetRecent{}, malformed(err)
	}
	return m, nil
}

func (m *GetRecent) set(f frame.Field) error {
	switch f.Number {
	case getRequest:
		m.Request = f.Varint
	case getTopic:
		m.Topic = string(f.Bytes[:min(len(f.Bytes), MaxTopicBytes+1)])
	case getSince:
		m.Since = f.Varint
	case getCursor:
		m.Cursor = f.Varint
	case getKnown:
		known, err := bloom.ParseQuery(f.Bytes, MaxFilterBytes)
		m.Known = &known
		return err
	case getBits:
		m.Bits = uint8(min(f.Varint, math.MaxUint8))
	case getPart:
		m.Part = uint8(min(f.Varint, math.MaxUint8))
		if f.Varint > math.MaxUint8 {
			return fmt.Errorf("part %d", f.Varint)
		}
	}
	return nil
}

func (m *GetRecent) check() error {
	switch {
	case m.Request == 0:
		return errors.New("the request has no number")
	case m.Since > math.MaxInt64:
		return fmt.Errorf("since %d ms", m.Since)
	case m.Bits > MaxBits || int(m.Part) >= 1<<m.Bits:
		return fmt.Errorf("part %d of 2^%d, at most 2^%d", m.Part, m.Bits, MaxBits)
	}
	return checkTopic(m.Topic)
}

// ParseRecent decodes a page.
func ParseRecent(msg []byte) (m Recent, err error) {
	var once frame.Once
	err = frame.EachField(msg, func(f frame.Field) error {
		if err := once.Take(f.Number); err != nil {
			return err
		}
		return m.set(f)
	})
	if err == nil && m.Request == 0 {
		err = errors.New("the request has no number")
	}
	if err != nil {
		return Recent{}, malformed(err)
	}
	return m, nil
}

func (m *Recent) set(f frame.Field) error {
	switch f.Number {
	case recentRequest:
		m.Request = f.Varint
	case recentIDs:
		return m.setIDs(f.Bytes)
	case recentNext:
		m.Next = f.Varint
	case recentMore:
		if f.Varint > 1 {
			return fmt.Errorf("more is %d, not 0 or 1", f.Varint)
		}
		m.More = f.Varint == 1
	}
	return nil
}

func (m *Recent) setIDs(b []byte) error {
	const size = len(object.ID{})
	if len(b)%size != 0 || len(b) > MaxIDs*size {
		return fmt.Errorf("IDs of %d bytes in all, send %d for each of at most %d", len(b), size, MaxIDs)
	}
	m.IDs = make([]object.ID, len(b)/size)
	for i := range m.IDs {
		m.IDs[i] = object.ID(b[i*size:])
	}
	return nil
}

func malformed(err error) error { return fmt.Errorf("%w: %w", ErrMalformed, err) }
