package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

func TestMessagesSurviveTheWire(t *testing.T) {
	have := make([]object.ID, MaxHave)
	have[3] = object.ID{3}
	for _, tc := range []struct {
		kind frame.Type
		m    Message
	}{
		{TypeRequest, Message{Request: 1, ID: id1}},
		{TypeRequest, Message{Request: 1 << 63, ID: id1, Closure: true}},
		{TypeRequest, Message{Request: 2, ID: id1, Closure: true, Have: have}},
		{TypeAnswer, Message{Request: 3, ID: id1, Status: StatusPruned}},
		{TypeAnswer, Message{Request: 3, ID: id1, Status: StatusFound, Object: []byte{0}}},
		{TypeAnswer, Message{Request: 3, ID: id1, Status: StatusFound, Object: []byte{1}, Extras: [][]byte{{2}, {3, 4}}}},
		{TypeComing, Message{Request: 4, ID: id2, Bytes: MaxComing}},
	} {
		got, err := Parse(tc.kind, tc.m.Append(tc.kind, nil))
		if err != nil || !reflect.DeepEqual(got, tc.m) {
			t.Errorf("%+v came back as %+v, %v", tc.m, got, err)
		}
	}
}

func TestTheLargestMessagesFit(t *testing.T) {
	full := Message{Request: 1<<64 - 1, ID: id1, Status: StatusFound, Object: make([]byte, object.MaxSize)}
	if n := len(full.Append(TypeAnswer, nil)); n > MaxBulkPayload {
		t.Errorf("the largest object takes %d bytes", n)
	}
	closure := Message{Request: 1<<64 - 1, ID: id1, Status: StatusFound, Object: make([]byte, 1), Extras: [][]byte{make([]byte, MaxClosure-lengthSize-1)}}
	b := closure.Append(TypeAnswer, nil)
	if m, err := Parse(TypeAnswer, b); err != nil || len(m.Extras) != 1 || len(b) > MaxClosure+extra {
		t.Errorf("the largest closure takes %d bytes: %v", len(b), err)
	}
	request := Message{Request: 1<<64 - 1, ID: id1, Closure: true, Have: make([]object.ID, MaxHave)}
	if n := len(request.Append(TypeRequest, nil)); n > MaxPayload {
		t.Errorf("the largest request takes %d bytes", n)
	}
}

func TestMessageBounds(t *testing.T) {
	head := Message{Request: 1, ID: id1}.Append(0, nil)
	with := func(more ...byte) []byte { return append(bytes.Clone(head), more...) }
	locator := func(n int) []byte { return frame.AppendBytes(with(0x18, 1), fieldHave, make([]byte, n)) }
	extras := func(field []byte) []byte {
		return frame.AppendBytes(Message{Request: 1, ID: id1, Status: StatusFound, Object: []byte{1}}.Append(TypeAnswer, nil), fieldExtras, field)
	}
	for name, tc := range map[string]struct {
		kind    frame.Type
		payload []byte
	}{
		"type zero":                         {0, head},
		"type four":                         {4, head},
		"nothing":                           {TypeRequest, nil},
		"number zero":                       {TypeRequest, Message{ID: id1}.Append(TypeRequest, nil)},
		"no ID":                             {TypeRequest, []byte{0x08, 1}},
		"an ID of 31 bytes":                 {TypeRequest, append([]byte{0x08, 1, 0x12, 31}, make([]byte, 31)...)},
		"two numbers":                       {TypeRequest, with(0x08, 1)},
		"closure 2":                         {TypeRequest, with(0x18, 2)},
		"a locator without a closure":       {TypeRequest, frame.AppendBytes(with(), fieldHave, make([]byte, 32))},
		"a locator of 33 bytes":             {TypeRequest, locator(33)},
		"a locator of 65 IDs":               {TypeRequest, locator(65 * 32)},
		"an answer without status":          {TypeAnswer, head},
		"an answer with status 5":           {TypeAnswer, with(0x28, 5)},
		"found without an object":           {TypeAnswer, with(0x28, 1)},
		"not found with an object":          {TypeAnswer, with(0x28, 2, 0x32, 1, 0)},
		"not found with a closure":          {TypeAnswer, with(0x28, 2, 0x3a, 5, 0, 0, 0, 1, 0)},
		"a closure that ends in a length":   {TypeAnswer, extras([]byte{0, 0, 0})},
		"a closure that ends in an object":  {TypeAnswer, extras([]byte{0, 0, 0, 2, 1})},
		"a closure with an empty object":    {TypeAnswer, extras([]byte{0, 0, 0, 0})},
		"a closure with a huge length":      {TypeAnswer, extras([]byte{0xff, 0xff, 0xff, 0xff, 1})},
		"nothing is coming":                 {TypeComing, head},
		"more is coming than can be queued": {TypeComing, Message{Request: 1, ID: id1, Bytes: MaxComing + 1}.Append(TypeComing, nil)},
		"noise":                             {TypeAnswer, []byte{0xff}},
	} {
		if _, err := Parse(tc.kind, tc.payload); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := bytes.Repeat(append(binary.BigEndian.AppendUint32(nil, 1), 9), MaxObjects)
	if _, err := Parse(TypeAnswer, extras(many)); !errors.Is(err, ErrOversized) {
		t.Errorf("too many objects: %v", err)
	}
	if m, err := Parse(TypeAnswer, extras(many[5:])); err != nil || len(m.Extras) != MaxObjects-1 {
		t.Errorf("as many as may be: %v", err)
	}
	if _, err := Parse(TypeAnswer, extras(append(binary.BigEndian.AppendUint32(nil, MaxClosure-4), make([]byte, MaxClosure-4)...))); !errors.Is(err, ErrOversized) {
		t.Errorf("too many bytes: %v", err)
	}
}

// An object cannot be appended to without copying: what follows it in the message
// belongs to another.
func TestExtrasDoNotReachIntoEachOther(t *testing.T) {
	m, err := Parse(TypeAnswer, Message{Request: 1, ID: id1, Status: StatusFound, Object: []byte{1}, Extras: [][]byte{{2}, {3}}}.Append(TypeAnswer, nil))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(m.Extras[0], 9, 9, 9, 9, 9, 9)
	if m.Extras[1][0] != 3 {
		t.Error("the next one is overwritten")
	}
}

func FuzzParse(f *testing.F) {
	for kind := TypeRequest; kind <= TypeComing; kind++ {
		m := Message{Request: 7, ID: id1, Closure: true, Have: []object.ID{id2}, Status: StatusFound, Object: []byte{1}, Extras: [][]byte{{2}}, Bytes: 9}
		f.Add(uint8(kind), m.Append(kind, nil))
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
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrOversized) {
				t.Fatal(err)
			}
			return
		}
		if len(m.Have) > MaxHave || len(m.Extras) >= MaxObjects || len(m.Object)+bytesOf(nil, m.Extras) > len(b) {
			t.Fatalf("out of bounds: %d IDs, %d objects", len(m.Have), len(m.Extras))
		}
		again, err := Parse(frame.Type(kind), m.Append(frame.Type(kind), nil))
		if err != nil || again.ID != m.ID || again.Request != m.Request || again.Status != m.Status || again.Bytes != m.Bytes ||
			len(again.Have) != len(m.Have) || len(again.Extras) != len(m.Extras) || !bytes.Equal(again.Object, m.Object) {
			t.Fatalf("%x does not survive: %v", b, err)
		}
	})
}
