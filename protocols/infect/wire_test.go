package infect

import (
	"bytes"
	"errors"
	"testing"

	"github.com/weftnet/weft/protocols/frame"
)

func TestMessagesSurviveTheWire(t *testing.T) {
	item := []byte("item")
	for kind, m := range map[frame.Type]Message{
		TypePush:     {ID: IDOf(item), Item: item},
		TypeAnnounce: {ID: ID{1}},
		TypeAnswer:   {ID: ID{1}, Status: StatusRefused},
		TypeGet:      {ID: ID{2}},
		TypeItem:     {ID: ID{3}, Item: make([]byte, 1<<20)},
	} {
		got, err := Parse(kind, m.Append(kind, nil))
		if err != nil || got.ID != m.ID || !bytes.Equal(got.Item, m.Item) || got.Status != m.Status {
			t.Errorf("type %d came back as %v %d, %v", kind, got.ID, got.Status, err)
		}
	}
}

func TestMessageBounds(t *testing.T) {
	id := Message{}.Append(TypeAnnounce, nil)
	for name, tc := range map[string]struct {
		kind    frame.Type
		payload []byte
	}{
		"type zero":                {0, id},
		"type six":                 {6, id},
		"an announcement of none":  {TypeAnnounce, nil},
		"an ID of 31 bytes":        {TypeAnnounce, append([]byte{0x0a, 31}, make([]byte, 31)...)},
		"two IDs":                  {TypeAnnounce, append(id, id...)},
		"a push of nothing":        {TypePush, nil},
		"a push of 1,025 bytes":    {TypePush, Message{Item: make([]byte, MaxInline+1)}.Append(TypePush, nil)},
		"an answer without status": {TypeAnswer, id},
		"an answer with status 0":  {TypeAnswer, append(id, 0x18, 0)},
		"an answer with status 4":  {TypeAnswer, append(id, 0x18, 4)},
		"an item without bytes":    {TypeItem, id},
		"noise":                    {TypeGet, []byte{0xff}},
	} {
		if _, err := Parse(tc.kind, tc.payload); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for kind := TypePush; kind <= TypeItem; kind++ {
		f.Add(uint8(kind), Message{Item: []byte{1}, Status: StatusNew}.Append(kind, nil))
	}
	v := readVectors(f)
	for _, m := range v.Messages {
		f.Add(uint8(m.Type), []byte(m.Payload))
	}
	for _, r := range v.Refused {
		f.Add(uint8(r.Type), []byte(r.Payload))
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		m, err := Parse(frame.Type(kind), b)
		if err != nil {
			return
		}
		again, err := Parse(frame.Type(kind), m.Append(frame.Type(kind), nil))
		if err != nil || again.ID != m.ID || frame.Type(kind) == TypeAnswer && again.Status != m.Status {
			t.Fatalf("%x does not survive: %v", b, err)
		}
	})
}
