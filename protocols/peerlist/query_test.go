package peerlist

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/frame"
)

// encode builds a query field by field, also impossible ones.
func encode(hashes uint64, filter, salt []byte) []byte {
	b := protowire.AppendVarint(protowire.AppendTag(nil, queryHashes, protowire.VarintType), hashes)
	b = protowire.AppendBytes(protowire.AppendTag(b, queryFilter, protowire.BytesType), filter)
	return protowire.AppendBytes(protowire.AppendTag(b, querySalt, protowire.BytesType), salt)
}

func TestQueryBounds(t *testing.T) {
	salt := make([]byte, SaltSize)
	zeros, ones := make([]byte, 230), bytes.Repeat([]byte{0xff}, 230)
	half := slices.Concat(zeros[:115], ones[:115])
	for _, tc := range []struct {
		name string
		msg  []byte
		want error
	}{
		{"a newcomer who knows nobody sends zeros", encode(10, zeros, salt), nil},
		{"one byte is a filter", encode(1, zeros[:1], salt), nil},
		{"the largest filter", encode(16, make([]byte, MaxFilterBytes), salt), nil},
		{"half the bits with ten hashes affirm 0.1 %", encode(10, half, salt), nil},
		{"half the bits with four hashes affirm 6 %", encode(4, half, salt), ErrSaturated},
		{"all ones", encode(10, ones, salt), ErrSaturated},
		{"all ones with the most hashes", encode(16, ones, salt), ErrSaturated},
		{"no hash", encode(0, zeros, salt), ErrHashes},
		{"17 hashes", encode(17, zeros, salt), ErrHashes},
		{"2^64-1 hashes", encode(1<<64-1, zeros, salt), ErrHashes},
		{"empty filter", encode(10, nil, salt), ErrFilterSize},
		{"one byte over the largest filter", encode(10, make([]byte, MaxFilterBytes+1), salt), ErrFilterSize},
		{"33 bytes of salt", encode(10, zeros, make([]byte, 33)), ErrSaltSize},
		{"31 bytes of salt", encode(10, zeros, make([]byte, 31)), ErrSaltSize},
		{"no salt", encode(10, zeros, nil), ErrSaltSize},
		{"nothing", nil, ErrHashes},
		{"cut short", encode(10, zeros, salt)[:100], frame.ErrFields},
		{"a length beyond the message", []byte{0x12, 0xff, 0xff, 0xff, 0xff, 0x0f}, frame.ErrFields},
		{"a salt twice", append(encode(10, zeros, salt), encode(10, zeros, salt)[235:]...), frame.ErrFields},
		{"field number zero", []byte{0x00, 0x01}, frame.ErrFields},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := ParseQuery(tc.msg); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestMessagesSurviveTheWire(t *testing.T) {
	b := openTracker()
	for i := range 100 {
		if err := b.Add(start, who("a"), claimOf(peerN(i), 1)); err != nil {
			t.Fatal(err)
		}
	}
	q := GetPeerList{ID: 1 << 63, Query: b.Query()}
	back, err := ParseGetPeerList(q.Append(nil))
	if err != nil || back.ID != q.ID || back.Query.salt != q.Query.salt || !bytes.Equal(back.Query.filter.bits, q.Query.filter.bits) || back.Query.filter.hashes != q.Query.filter.hashes {
		t.Errorf("question came back as %v, %v", back, err)
	}
	list := PeerList{ID: 9, Envelopes: [][]byte{{1}, {2, 3}}}
	got, err := ParsePeerList(list.Append(nil))
	if err != nil || got.ID != 9 || !slices.EqualFunc(got.Envelopes, list.Envelopes, bytes.Equal) {
		t.Errorf("answer came back as %v, %v", got, err)
	}
}

func TestPeerListBounds(t *testing.T) {
	claims := func(n, size int) []byte {
		return PeerList{ID: 1, Envelopes: slices.Repeat([][]byte{make([]byte, size)}, n)}.Append(nil)
	}
	for _, tc := range []struct {
		name string
		msg  []byte
		want error
	}{
		{"empty", nil, nil},
		{"as many and as large as allowed", claims(MaxAnswer, MaxEnvelopeBytes), nil},
		{"one too many", claims(MaxAnswer+1, 1), ErrOversized},
		{"one too large", claims(1, MaxEnvelopeBytes+1), ErrOversized},
		{"an empty claim", claims(1, 0), ErrOversized},
		{"cut short", claims(2, 10)[:20], frame.ErrFields},
		{"an unknown field is skipped", append(claims(1, 1), 0x7a, 1, 0), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := ParsePeerList(tc.msg); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add(encode(10, make([]byte, 30), make([]byte, SaltSize)))
	f.Add(encode(1, bytes.Repeat([]byte{0xff}, 9), make([]byte, SaltSize)))
	for _, v := range readVectors(f).Filters {
		f.Add([]byte(v.Query))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		q, err := ParseQuery(msg)
		if err != nil {
			return
		}
		again, err := ParseQuery(q.Append(nil))
		if err != nil || !bytes.Equal(again.filter.bits, q.filter.bits) || again.salt != q.salt {
			t.Fatalf("%x does not survive: %v", msg, err)
		}
		id := NewEntryID("p", 1)
		q.filter.Contains(NewKeyer(q.salt).Key(id)) // stays inside the filter
	})
}

func FuzzParsePeerList(f *testing.F) {
	f.Add(PeerList{ID: 3, Envelopes: [][]byte{{1}, {2, 3}}}.Append(nil))
	v := readVectors(f)
	for _, l := range v.Lists {
		f.Add([]byte(l.Payload))
	}
	for _, r := range v.Refused {
		f.Add([]byte(r.Payload))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		list, err := ParsePeerList(msg)
		if err != nil {
			return
		}
		if len(list.Envelopes) > MaxAnswer {
			t.Fatalf("%d claims got through", len(list.Envelopes))
		}
		if again, err := ParsePeerList(list.Append(nil)); err != nil || again.ID != list.ID || len(again.Envelopes) != len(list.Envelopes) {
			t.Fatalf("%x does not survive: %v", msg, err)
		}
	})
}

func FuzzParseGetPeerList(f *testing.F) {
	f.Add(GetPeerList{ID: 3, Query: openTracker().Query()}.Append(nil))
	v := readVectors(f)
	for _, q := range v.Questions {
		f.Add([]byte(q.Payload))
	}
	for _, r := range v.Refused {
		f.Add([]byte(r.Payload))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		if m, err := ParseGetPeerList(msg); err == nil && m.Query.filter == nil {
			t.Fatal("a question without a filter")
		}
	})
}
