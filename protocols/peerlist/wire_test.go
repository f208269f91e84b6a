package peerlist

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/weftnet/weft/protocols/frame"
)

func TestMessagesSurviveTheWire(t *testing.T) {
	b := openTracker()
	for i := range 100 {
		if err := b.Add(start, who("a"), claimOf(peerN(i), 1)); err != nil {
			t.Fatal(err)
		}
	}
	q := GetPeerList{ID: 1 << 63, Query: b.Query()}
	back, err := ParseGetPeerList(q.Append(nil))
	if err != nil || back.ID != q.ID || !bytes.Equal(back.Query.Append(nil), q.Query.Append(nil)) {
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
		if m, err := ParseGetPeerList(msg); err == nil && m.Query.Filter == nil {
			t.Fatal("a question without a filter")
		}
	})
}
