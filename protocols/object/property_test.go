package object

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func genID(t *rapid.T) ID { return ID(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "id")) }

func genObject(t *rapid.T) Object {
	return Object{
		Network: rapid.StringN(1, -1, MaxNetwork).Draw(t, "network"),
		Topic:   rapid.StringN(1, -1, MaxTopic).Draw(t, "topic"),
		Kind:    rapid.Uint16().Draw(t, "kind"),
		Time:    time.UnixMilli(rapid.Int64Range(0, maxMillis).Draw(t, "time")),
		Deps:    rapid.SliceOfNDistinct(rapid.Custom(genID), 0, 40, rapid.ID).Draw(t, "deps"),
		Payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"),
	}
}

func TestEveryObjectSurvivesAndHasOneEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, signer := genObject(t), rapid.SampledFrom([]ed25519.PrivateKey{nil, key, otherKey}).Draw(t, "key")
		b, err := o.Seal(signer)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Verify(); err != nil {
			t.Fatal(err)
		}
		if diff := difference(o, got); diff != "" {
			t.Fatal(diff)
		}
		if !bytes.Equal(encode(got), b) {
			t.Fatal("it has two encodings")
		}
	})
}

// Two objects that differ have two IDs: no field can run into the next.
func TestObjectsThatDifferHaveDifferentEncodings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genObject(t), genObject(t)
		x, errX := a.Seal(nil)
		y, errY := b.Seal(nil)
		if errX != nil || errY != nil {
			t.Fatal(errX, errY)
		}
		if same := cmp.Equal(a, b, cmpopts.EquateEmpty()); same != (IDOf(x) == IDOf(y)) {
			t.Fatalf("equal objects: %t, equal IDs: %t", same, IDOf(x) == IDOf(y))
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add(seal(f, sample(), nil))
	f.Add(seal(f, sample(), key))
	many := sample()
	many.Deps = manyDeps(20)
	f.Add(seal(f, many, key))
	v := readVectors(f)
	for _, o := range v.Objects {
		f.Add([]byte(o.Encoded))
	}
	for _, r := range v.Refused {
		f.Add([]byte(r.Encoded))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again := encode(o); !bytes.Equal(again, b) {
			t.Fatalf("%x is encoded again as %x", b, again)
		}
		if err := o.Verify(); err != nil && !errors.Is(err, ErrSignature) {
			t.Fatal(err)
		}
		if o.Author == nil {
			if again, err := o.Seal(nil); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("sealed again: %x, %v", again, err)
			}
		}
	})
}
