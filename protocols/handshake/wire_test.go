package handshake

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

var sample = Handshake{
	Network: "test", Genesis: []byte{1, 2}, Version: Version{1, 2, 65535}, Time: start,
	Claim: []byte("claim"), Query: []byte("query"),
	Proof: IdentityProof{Key: make([]byte, 32), Signature: make([]byte, 64)},
}

func TestHandshakeSurvivesTheWire(t *testing.T) {
	for _, h := range []Handshake{sample, {Network: "n", Time: start}} {
		got, err := Parse(h.Append(nil))
		if err != nil || !reflect.DeepEqual(got, h) {
			t.Errorf("%+v came back as %+v, %v", h, got, err)
		}
	}
}

func TestHandshakeBounds(t *testing.T) {
	with := func(change func(*Handshake)) []byte {
		h := sample
		change(&h)
		return h.Append(nil)
	}
	field := func(n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(Handshake{Network: "n", Time: start}.Append(nil)[:3:3], n, protowire.VarintType), v)
	}
	for _, tc := range []struct {
		name string
		msg  []byte
		ok   bool
	}{
		{"the sample", sample.Append(nil), true},
		{"the largest of everything", with(func(h *Handshake) {
			h.Network, h.Genesis = strings.Repeat("n", MaxNetwork), make([]byte, MaxGenesis)
			h.Claim, h.Query = make([]byte, 1024), make([]byte, MaxQuery)
		}), true},
		{"an unknown field", append(sample.Append(nil), 0x7a, 0), true},
		{"nothing", nil, false},
		{"no network", with(func(h *Handshake) { h.Network = "" }), false},
		{"a network of 65 bytes", with(func(h *Handshake) { h.Network = strings.Repeat("n", 65) }), false},
		{"a genesis of 65 bytes", with(func(h *Handshake) { h.Genesis = make([]byte, 65) }), false},
		{"a claim of 1,025 bytes", with(func(h *Handshake) { h.Claim = make([]byte, 1025) }), false},
		{"a query over the limit", with(func(h *Handshake) { h.Query = make([]byte, MaxQuery+1) }), false},
		{"a proof without signature", with(func(h *Handshake) { h.Proof.Signature = nil }), false},
		{"a proof with a key of 31 bytes", with(func(h *Handshake) { h.Proof.Key = make([]byte, 31) }), false},
		{"a proof with a signature of 65 bytes", with(func(h *Handshake) { h.Proof.Signature = make([]byte, 65) }), false},
		{"a time at the end of time", field(fieldTime, maxMillis), true},
		{"a time beyond it", field(fieldTime, maxMillis+1), false},
		{"time zero", field(fieldTime, 0), false},
		{"a version of 65,536", append(field(fieldTime, 1), 0x18, 0x80, 0x80, 0x04), false},
		{"the network twice", append(sample.Append(nil), sample.Append(nil)...), false},
		{"cut short", sample.Append(nil)[:20], false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse(tc.msg)
			if (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v, want ok: %v", err, tc.ok)
			}
			if tc.ok && len(tc.msg) > MaxPayload {
				t.Errorf("%d bytes are over MaxPayload", len(tc.msg))
			}
		})
	}
}

func TestARejectionsTextIsFitToBeShown(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                            "plain",
		"\x1b[31mred\x1b[0m\r\n\x00":       "[31mred[0m",
		"bad \xff\xfe utf-8":               "bad  utf-8",
		"grün":                             "grün",
		strings.Repeat("x", 10_000):        strings.Repeat("x", MaxText),
		strings.Repeat("ü", MaxText):       strings.Repeat("ü", MaxText/2),
		"a" + strings.Repeat("ü", MaxText): "a" + strings.Repeat("ü", (MaxText-1)/2),
	} {
		raw := appendBytes(frame.AppendVarint(nil, rejectReason, 5), rejectText, []byte(in))
		if got, err := ParseReject(raw); err != nil || got.Text != want || got.Reason != Clock {
			t.Errorf("%.20q: shown as %.20q, %v", in, got.Text, err)
		}
	}
}

func TestRejectBounds(t *testing.T) {
	if r, err := ParseReject(frame.AppendVarint(nil, rejectReason, 1<<40)); err != nil || r.Reason != 255 {
		t.Errorf("a reason of 2^40: %v, %v", r.Reason, err)
	}
	for name, raw := range map[string][]byte{
		"a list over the limit": Reject{List: make([]byte, MaxList+1)}.Append(nil),
		"two reasons":           frame.AppendVarint(frame.AppendVarint(nil, rejectReason, 1), rejectReason, 2),
		"noise":                 {0xff},
	} {
		if _, err := ParseReject(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	in := Reject{Reason: Full, Text: "later", List: []byte("list")}
	if got, err := ParseReject(in.Append(nil)); err != nil || !reflect.DeepEqual(got, in) {
		t.Errorf("%v came back as %v, %v", in, got, err)
	}
}

func TestVersionRule(t *testing.T) {
	ours, oldest := Version{2, 5, 0}, Version{1, 8, 2}
	for theirs, want := range map[Version]Reason{
		{2, 5, 0}:     Unspecified,
		{2, 99, 9}:    Unspecified, // a newer minor: theirs to judge
		{1, 8, 2}:     Unspecified,
		{1, 9, 0}:     Unspecified,
		{3, 0, 0}:     TooNew,
		{65535, 0, 0}: TooNew,
		{1, 8, 1}:     TooOld,
		{0, 99, 99}:   TooOld,
	} {
		if got := Compatible(ours, oldest, theirs); got != want {
			t.Errorf("%v, accepting from %v on, says of %v: %v, want %v", ours, oldest, theirs, got, want)
		}
	}
}

func TestAProofHoldsOnlyWhereItWasMadeFor(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	made := Handshake{Network: "test", Genesis: []byte{7}, Time: start}
	proof := Prove(key, made, alice, bob)
	for name, tc := range map[string]struct {
		change           func(*Handshake)
		prover, verifier core.PeerID
		ok               bool
	}{
		"as made":                  {func(*Handshake) {}, alice, bob, true},
		"replayed by another node": {func(*Handshake) {}, who("mallory"), bob, false},
		"replayed to another node": {func(*Handshake) {}, alice, who("carol"), false},
		"reflected":                {func(*Handshake) {}, bob, alice, false},
		"in another network":       {func(h *Handshake) { h.Network = "tesu" }, alice, bob, false},
		"in another genesis":       {func(h *Handshake) { h.Genesis = []byte{8} }, alice, bob, false},
		"at another time":          {func(h *Handshake) { h.Time = h.Time.Add(time.Millisecond) }, alice, bob, false},
		"with bytes moved over":    {func(h *Handshake) { h.Network, h.Genesis = "test\x07", nil }, alice, bob, false},
	} {
		h := made
		tc.change(&h)
		if err := proof.Verify(h, tc.prover, tc.verifier); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (IdentityProof{Key: []byte{1}}).Verify(made, alice, bob); !errors.Is(err, ErrProof) {
		t.Errorf("a short key: %v", err)
	}
	if !(IdentityProof{}).None() || proof.None() {
		t.Error("None is wrong")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample.Append(nil))
	v := readVectors(f)
	for _, h := range v.Handshakes {
		f.Add([]byte(h.Payload))
	}
	for _, r := range v.Refused {
		f.Add([]byte(r.Payload))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(h.Append(nil))
		if err != nil || again.Network != h.Network || !again.Time.Equal(h.Time) || !bytes.Equal(again.Query, h.Query) || !bytes.Equal(again.Proof.Key, h.Proof.Key) {
			t.Fatalf("%x does not survive: %v", b, err)
		}
	})
}

func FuzzParseReject(f *testing.F) {
	f.Add(Reject{Reason: Full, Text: "x", List: []byte{1}}.Append(nil))
	v := readVectors(f)
	for _, r := range v.Rejects {
		f.Add([]byte(r.Payload))
	}
	for _, r := range v.Refused {
		f.Add([]byte(r.Payload))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReject(b)
		if err != nil {
			return
		}
		if len(r.Text) > MaxText || len(r.List) > MaxList {
			t.Fatalf("%d bytes of text, %d of list", len(r.Text), len(r.List))
		}
		if again, err := ParseReject(r.Append(nil)); err != nil || again.Text != r.Text || again.Reason != r.Reason {
			t.Fatalf("%x does not survive: %v", b, err)
		}
	})
}
