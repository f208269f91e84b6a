package infect

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// The libp2p protocol IDs of the streams on which items are gossiped. Each kind of
// item has a protocol, and a Machine, of its own.
const (
	ClaimsProtocol  = "/weft/infect-claims/1.0.0"
	ObjectsProtocol = "/weft/infect-objects/1.0.0"
)

// Message types.
const (
	TypePush     frame.Type = 1 // an item that is small enough to come along
	TypeAnnounce frame.Type = 2 // the ID of a larger one
	TypeAnswer   frame.Type = 3 // what the receiver of either had
	TypeGet      frame.Type = 4 // asks for an announced item; says StatusNew at the same time
	TypeItem     frame.Type = 5 // the item
)

// MaxInline bounds an item in a Push, in bytes. Chosen as the largest claim.
const MaxInline = 1024

// What a message may have, in bytes: the largest item with its ID and tags.
const (
	MaxPayload        = MaxInline + 64      // of claims
	ObjectsMaxPayload = object.MaxSize + 64 // of objects
)

// ErrMalformed means that a message breaks a bound. It is skipped.
var ErrMalformed = errors.New("malformed gossip message")

// ID names an item: the SHA-256 of its bytes.
type ID [sha256.Size]byte

// IDOf names an item.
func IDOf(item []byte) ID { return sha256.Sum256(item) }

func (id ID) String() string { return hex.EncodeToString(id[:8]) }

// Status is what a peer had when an item was offered to it.
type Status uint8

// The statuses of an answer.
const (
	StatusNew     Status = iota + 1 // it did not know the item: we infected it
	StatusAlready                   // it knew the item
	StatusRefused                   // it does not know the item and has no room for it
)

// Message is any message of this protocol; what is set depends on its type.
type Message struct {
	ID     ID     // all but Push, whose ID is that of its item
	Item   []byte // Push and Item
	Status Status // Answer
}

// maxAround is what a message has beside its item, in bytes: two tags, two lengths
// and the ID.
const maxAround = 2 + 1 + 4 + len(ID{})

const (
	fieldID     protowire.Number = 1 // 32 bytes
	fieldItem   protowire.Number = 2
	fieldStatus protowire.Number = 3 // varint 1..3
)

// Append appends the encoding of m, as a message of type kind, to b, which grows
// once.
func (m Message) Append(kind frame.Type, b []byte) []byte {
	b = slices.Grow(b, len(m.Item)+maxAround)
	if kind != TypePush {
		b = frame.AppendBytes(b, fieldID, m.ID[:])
	}
	if kind == TypePush || kind == TypeItem {
		b = frame.AppendBytes(b, fieldItem, m.Item)
	}
	if kind == TypeAnswer {
		b = frame.AppendVarint(b, fieldStatus, uint64(m.Status))
	}
	return b
}

// Parse decodes a message of type kind, whose Item refers to payload.
func Parse(kind frame.Type, payload []byte) (m Message, err error) {
	if kind < TypePush || kind > TypeItem {
		return Message{}, fmt.Errorf("%w: type %d", ErrMalformed, kind)
	}
	var once frame.Once
	err = frame.EachField(payload, func(f frame.Field) error {
		if err := once.Take(f.Number); err != nil {
			return err
		}
		return m.set(f)
	})
	if err == nil {
		err = m.check(kind, once)
	}
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if kind == TypePush {
		m.ID = IDOf(m.Item)
	}
	return m, nil
}

func (m *Message) set(f frame.Field) error {
	switch f.Number {
	case fieldID:
		if len(f.Bytes) != len(m.ID) {
			return fmt.Errorf("an ID of %d bytes, not %d", len(f.Bytes), len(m.ID))
		}
		m.ID = ID(f.Bytes)
	case fieldItem:
		m.Item = f.Bytes
	case fieldStatus:
		if f.Varint < uint64(StatusNew) || f.Varint > uint64(StatusRefused) {
			return fmt.Errorf("status %d", f.Varint)
		}
		m.Status = Status(f.Varint)
	}
	return nil
}

// check says whether all is there that the type needs.
func (m *Message) check(kind frame.Type, seen frame.Once) error {
	has := func(n protowire.Number) bool { return seen&(1<<n) != 0 }
	switch {
	case kind != TypePush && !has(fieldID):
		return errors.New("the ID is missing")
	case (kind == TypePush || kind == TypeItem) && len(m.Item) == 0:
		return errors.New("the item is missing")
	case kind == TypePush && len(m.Item) > MaxInline:
		return fmt.Errorf("an item of %d bytes in a push, at most %d", len(m.Item), MaxInline)
	case kind == TypeAnswer && !has(fieldStatus):
		return errors.New("the status is missing")
	}
	return nil
}
