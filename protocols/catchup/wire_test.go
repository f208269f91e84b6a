package catchup

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

func TestMessagesSurviveTheWire(t *testing.T) {
	names := make([]string, MaxTopics)
	for i := range names {
		names[i] = strconv.Itoa(i) + string(bytes.Repeat([]byte{'x'}, MaxTopicBytes-len(strconv.Itoa(i))))
	}
	topics := Topics{names}.Append(nil)
	if got, err := ParseTopics(topics); err != nil || !slices.Equal(got.Names, names) || len(topics) != MaxPayload {
		t.Errorf("topics of %d bytes: %d names, %v", len(topics), len(got.Names), err)
	}
	known := &bloom.Query{Filter: bloom.New(1<<20, 0.01, MaxFilterBytes), Salt: [bloom.SaltSize]byte{1}}
	for _, q := range []GetRecent{
		{Request: 1, Topic: "t"},
		{Request: math.MaxUint64, Topic: names[0], Since: math.MaxInt64, Cursor: math.MaxUint64, Known: known, Bits: MaxBits, Part: 255},
	} {
		b := q.Append(nil)
		got, err := ParseGetRecent(b)
		if err != nil || !bytes.Equal(got.Append(nil), b) || len(b) > MaxPayload {
			t.Errorf("%+v came back as %+v, %v", q, got, err)
		}
	}
	for _, p := range []Recent{{Request: 1}, {Request: math.MaxUint64, IDs: ids(0, MaxIDs), Next: math.MaxUint64, More: true}} {
		got, err := ParseRecent(p.Append(nil))
		if err != nil || got.Request != p.Request || !slices.Equal(got.IDs, p.IDs) || got.Next != p.Next || got.More != p.More {
			t.Errorf("%+v came back as %+v, %v", p, got, err)
		}
	}
}

func field[T uint64 | []byte](n protowire.Number, v T) []byte {
	switch v := any(v).(type) {
	case uint64:
		return frame.AppendVarint(nil, n, v)
	case []byte:
		return frame.AppendBytes(nil, n, v)
	}
	return nil
}

func TestMessageBounds(t *testing.T) {
	question, page := GetRecent{Request: 1, Topic: "t"}.Append(nil), Recent{Request: 1}.Append(nil)
	filter := func(size int) []byte {
		q := bloom.Query{Filter: bloom.New(1<<30, 0.01, size)}
		return field(getKnown, q.Append(nil))
	}
	for name, tc := range map[string]struct {
		kind    frame.Type
		payload []byte
		want    error
	}{
		"1,025 topics":                  {TypeTopics, bytes.Repeat(Topics{[]string{"t"}}.Append(nil), MaxTopics+1), ErrTopics},
		"a name of 513 bytes":           {TypeTopics, field(topicsName, make([]byte, MaxTopicBytes+1)), ErrTopics},
		"an empty name":                 {TypeTopics, field(topicsName, []byte{}), ErrTopics},
		"topics cut short":              {TypeTopics, []byte{0x0a, 2, 'x'}, frame.ErrFields},
		"a question of nothing":         {TypeGetRecent, nil, ErrMalformed},
		"a question without topic":      {TypeGetRecent, field(getRequest, uint64(1)), ErrMalformed},
		"a question without a number":   {TypeGetRecent, field(getTopic, []byte("t")), ErrMalformed},
		"a question about a long topic": {TypeGetRecent, append(field(getRequest, uint64(1)), field(getTopic, make([]byte, 1<<20))...), ErrMalformed},
		"two topics":                    {TypeGetRecent, slices.Concat(question, field(getTopic, []byte("u"))), frame.ErrFields},
		"since 2^63 ms":                 {TypeGetRecent, slices.Concat(question, field(getSince, uint64(1<<63))), ErrMalformed},
		"2^9 parts":                     {TypeGetRecent, slices.Concat(question, field(getBits, uint64(9))), ErrMalformed},
		"2^264 parts":                   {TypeGetRecent, slices.Concat(question, field(getBits, uint64(264))), ErrMalformed},
		"part 2 of 2":                   {TypeGetRecent, slices.Concat(question, field(getBits, uint64(1)), field(getPart, uint64(2))), ErrMalformed},
		"part 256 of 2^8":               {TypeGetRecent, slices.Concat(question, field(getBits, uint64(8)), field(getPart, uint64(256))), ErrMalformed},
		"a filter over 64 KiB":          {TypeGetRecent, slices.Concat(question, filter(MaxFilterBytes+1)), bloom.ErrFilterSize},
		"no filter where one is":        {TypeGetRecent, slices.Concat(question, field(getKnown, []byte{})), bloom.ErrHashes},
		"a page of nothing":             {TypeRecent, nil, ErrMalformed},
		"an ID of 31 bytes":             {TypeRecent, slices.Concat(page, field(recentIDs, make([]byte, 31))), ErrMalformed},
		"1,025 IDs":                     {TypeRecent, slices.Concat(page, field(recentIDs, make([]byte, 32*(MaxIDs+1)))), ErrMalformed},
		"more is 2":                     {TypeRecent, slices.Concat(page, field(recentMore, uint64(2))), ErrMalformed},
		"two numbers":                   {TypeRecent, slices.Concat(page, page), frame.ErrFields},
	} {
		if err := parse(tc.kind, tc.payload); !errors.Is(err, tc.want) || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tc := range map[string]struct {
		kind    frame.Type
		payload []byte
	}{
		"no topics":               {TypeTopics, nil},
		"the largest filter":      {TypeGetRecent, slices.Concat(question, filter(MaxFilterBytes))},
		"a field of a newer weft": {TypeGetRecent, slices.Concat(question, field(20, uint64(1)))},
		"what may be left out":    {TypeRecent, slices.Concat(page, field(recentNext, uint64(0)), field(recentMore, uint64(0)))},
	} {
		if err := parse(tc.kind, tc.payload); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func parse(kind frame.Type, payload []byte) (err error) {
	switch kind {
	case TypeTopics:
		_, err = ParseTopics(payload)
	case TypeGetRecent:
		_, err = ParseGetRecent(payload)
	case TypeRecent:
		_, err = ParseRecent(payload)
	}
	return err
}

func seeds(f *testing.F, kind frame.Type) {
	v := readVectors(f)
	for _, r := range v.Refused {
		f.Add([]byte(r.Payload))
	}
	for _, payload := range v.payloads(kind) {
		f.Add([]byte(payload))
	}
}

func FuzzParseTopics(f *testing.F) {
	seeds(f, TypeTopics)
	f.Fuzz(func(t *testing.T, msg []byte) {
		m, err := ParseTopics(msg)
		if err != nil {
			return
		}
		if again, err := ParseTopics(m.Append(nil)); err != nil || !slices.Equal(again.Names, m.Names) || len(m.Names) > MaxTopics {
			t.Fatalf("%x does not survive: %v", msg, err)
		}
	})
}

func FuzzParseGetRecent(f *testing.F) {
	seeds(f, TypeGetRecent)
	f.Fuzz(func(t *testing.T, msg []byte) {
		m, err := ParseGetRecent(msg)
		if err != nil {
			return
		}
		if again, err := ParseGetRecent(m.Append(nil)); err != nil || !bytes.Equal(again.Append(nil), m.Append(nil)) {
			t.Fatalf("%x does not survive: %v", msg, err)
		}
		r := newRig(t, "t")
		l := r.newList(alice, m)
		l.Lacks(object.ID{}) // stays inside the filter
	})
}

func FuzzParseRecent(f *testing.F) {
	seeds(f, TypeRecent)
	f.Fuzz(func(t *testing.T, msg []byte) {
		m, err := ParseRecent(msg)
		if err != nil {
			return
		}
		again, err := ParseRecent(m.Append(nil))
		if err != nil || !bytes.Equal(again.Append(nil), m.Append(nil)) || len(m.IDs) > MaxIDs {
			t.Fatalf("%x does not survive: %v", msg, err)
		}
	})
}
