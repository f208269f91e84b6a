package frame

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestEachFieldVisitsVarintsAndBytesInOrder(t *testing.T) {
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 300)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 2, protowire.Fixed64Type), 7) // skipped
	b = protowire.AppendString(protowire.AppendTag(b, 3, protowire.BytesType), "abc")
	var got []Field
	if err := EachField(b, func(f Field) error { got = append(got, f); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Number != 1 || got[0].Varint != 300 || got[1].Number != 3 || string(got[1].Bytes) != "abc" {
		t.Errorf("visited %v", got)
	}
}

func TestEachFieldRefusesWhatIsNoMessage(t *testing.T) {
	for name, b := range map[string][]byte{
		"field number zero":           {0x00, 0x01},
		"a tag cut short":             {0x80},
		"a varint cut short":          {0x08, 0x80},
		"a varint of eleven bytes":    {0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01},
		"a length beyond the message": {0x12, 0xff, 0xff, 0xff, 0xff, 0x0f},
		"an end group alone":          {0x0c},
	} {
		if err := EachField(b, func(Field) error { return nil }); !errors.Is(err, ErrFields) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnceRefusesTheSecond(t *testing.T) {
	var once Once
	if once.Take(1) != nil || once.Take(63) != nil || once.Take(64) != nil || once.Take(64) != nil {
		t.Error("a first field, or an unknown one, is refused")
	}
	if err := once.Take(63); !errors.Is(err, ErrFields) {
		t.Errorf("a second field passes: %v", err)
	}
}

func FuzzEachField(f *testing.F) {
	f.Add([]byte{0x08, 0x01, 0x12, 0x01, 0x00})
	for _, m := range readVectors(f).Messages {
		f.Add([]byte(m.Payload))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		_ = EachField(b, func(f Field) error { total += len(f.Bytes); return nil })
		if total > len(b) {
			t.Fatalf("%d bytes of fields in %d bytes", total, len(b))
		}
	})
}
