package bloom

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
		{"the largest filter", encode(16, make([]byte, mostBytes), salt), nil},
		{"half the bits with ten hashes affirm 0.1 %", encode(10, half, salt), nil},
		{"half the bits with four hashes affirm 6 %", encode(4, half, salt), ErrSaturated},
		{"all ones", encode(10, ones, salt), ErrSaturated},
		{"all ones with the most hashes", encode(16, ones, salt), ErrSaturated},
		{"no hash", encode(0, zeros, salt), ErrHashes},
		{"17 hashes", encode(17, zeros, salt), ErrHashes},
		{"2^64-1 hashes", encode(1<<64-1, zeros, salt), ErrHashes},
		{"empty filter", encode(10, nil, salt), ErrFilterSize},
		{"one byte over the largest filter", encode(10, make([]byte, mostBytes+1), salt), ErrFilterSize},
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
			if _, err := ParseQuery(tc.msg, mostBytes); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add(encode(10, make([]byte, 30), make([]byte, SaltSize)))
	f.Add(encode(1, bytes.Repeat([]byte{0xff}, 9), make([]byte, SaltSize)))
	for _, v := range readVectors(f) {
		f.Add([]byte(v.Query))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		q, err := ParseQuery(msg, mostBytes)
		if err != nil {
			return
		}
		again, err := ParseQuery(q.Append(nil), mostBytes)
		if err != nil || !bytes.Equal(again.Filter.bits, q.Filter.bits) || again.Salt != q.Salt {
			t.Fatalf("%x does not survive: %v", msg, err)
		}
		q.Filter.Contains(NewKeyer(q.Salt).Key([EntrySize]byte{1})) // stays inside the filter
	})
}
