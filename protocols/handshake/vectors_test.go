package handshake

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// handshakeVectors is docs/protocols/vectors/handshake.json.
type handshakeVectors struct {
	vectors.Page
	Handshakes []struct {
		Name    string      `json:"name"`
		Network string      `json:"network"`
		Genesis vectors.Hex `json:"genesis"`
		Version string      `json:"version"`
		Time    int64       `json:"time_ms"`
		Claim   vectors.Hex `json:"claim"`
		Query   vectors.Hex `json:"query"`
		Proof   *struct {
			Key       vectors.Hex `json:"key"`
			Signature vectors.Hex `json:"signature"`
		} `json:"proof"`
		Payload vectors.Hex `json:"payload"`
	} `json:"handshakes"`
	Proofs []struct {
		Name      string      `json:"name"`
		Key       string      `json:"key"`
		Network   string      `json:"network"`
		Genesis   vectors.Hex `json:"genesis"`
		Prover    vectors.Hex `json:"prover"`
		Verifier  vectors.Hex `json:"verifier"`
		Time      int64       `json:"time_ms"`
		Signed    vectors.Hex `json:"signed"`
		Signature vectors.Hex `json:"signature"`
	} `json:"proofs"`
	Rejects []struct {
		Name    string      `json:"name"`
		Reason  Reason      `json:"reason"`
		Text    string      `json:"text"`
		List    vectors.Hex `json:"list"`
		Payload vectors.Hex `json:"payload"`
	} `json:"rejects"`
	Refused []struct {
		Name    string      `json:"name"`
		Type    frame.Type  `json:"type"`
		Payload vectors.Hex `json:"payload"`
	} `json:"refused"`
	Versions []struct {
		Ours    string `json:"ours"`
		Oldest  string `json:"oldest"`
		Theirs  string `json:"theirs"`
		Verdict string `json:"verdict"` // "compatible", or the name of a reason
	} `json:"versions"`
	Reasons []struct {
		Number  Reason `json:"number"`
		Name    string `json:"name"`
		Offence bool   `json:"offence"`
		Lasting bool   `json:"lasting"`
	} `json:"reasons"`
}

func readVectors(t testing.TB) (v handshakeVectors) {
	t.Helper()
	if err := vectors.Read("handshake", &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func version(t *testing.T, s string) (v Version) {
	t.Helper()
	if _, err := fmt.Sscanf(s, "%d.%d.%d", &v.Major, &v.Minor, &v.Patch); err != nil {
		t.Fatalf("version %q: %v", s, err)
	}
	return v
}

func TestVectorsOfHandshakes(t *testing.T) {
	for _, h := range readVectors(t).Handshakes {
		want := Handshake{
			Network: h.Network, Genesis: h.Genesis, Version: version(t, h.Version), Time: time.UnixMilli(h.Time),
			Claim: h.Claim, Query: h.Query,
		}
		if h.Proof != nil {
			want.Proof = IdentityProof{Key: h.Proof.Key, Signature: h.Proof.Signature}
		}
		if got := want.Append(nil); !h.Payload.Is(got) {
			t.Errorf("%s: %x\n want %v", h.Name, got, h.Payload)
		}
		if got, err := Parse(h.Payload); err != nil || !reflect.DeepEqual(got.Append(nil), want.Append(nil)) {
			t.Errorf("%s is read as %+v, %v", h.Name, got, err)
		}
	}
}

func TestVectorsOfProofs(t *testing.T) {
	keys, err := vectors.Keys()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range readVectors(t).Proofs {
		h := Handshake{Network: p.Network, Genesis: p.Genesis, Time: time.UnixMilli(p.Time)}
		prover, verifier := core.PeerID(p.Prover), core.PeerID(p.Verifier)
		proof := Prove(keys[p.Key].Private(), h, prover, verifier)
		if got := Proven(h, prover, verifier); !p.Signed.Is(got) || !p.Signature.Is(proof.Signature) {
			t.Errorf("%s: signs %x with %x\n want %v, %v", p.Name, got, proof.Signature, p.Signed, p.Signature)
		}
		if !ed25519.Verify(ed25519.PublicKey(keys[p.Key].Public), p.Signed, p.Signature) || proof.Verify(h, prover, verifier) != nil {
			t.Errorf("%s: the signature is wrong", p.Name)
		}
	}
}

func TestVectorsOfRejections(t *testing.T) {
	v := readVectors(t)
	for _, r := range v.Rejects {
		want := Reject{Reason: r.Reason, Text: r.Text, List: r.List}
		if got := want.Append(nil); !r.Payload.Is(got) {
			t.Errorf("%s: %x\n want %v", r.Name, got, r.Payload)
		}
		if got, err := ParseReject(r.Payload); err != nil || got.Reason != r.Reason || got.Text != r.Text || !r.List.Is(got.List) {
			t.Errorf("%s is read as %+v, %v", r.Name, got, err)
		}
	}
	for _, r := range v.Refused {
		_, err := Parse(r.Payload)
		if r.Type == TypeReject {
			_, err = ParseReject(r.Payload)
		}
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}

func TestVectorsOfVersionsAndReasons(t *testing.T) {
	v := readVectors(t)
	for _, x := range v.Versions {
		got := "compatible"
		if why := Compatible(version(t, x.Ours), version(t, x.Oldest), version(t, x.Theirs)); why != Unspecified {
			got = why.String()
		}
		if got != x.Verdict {
			t.Errorf("%+v: got %s", x, got)
		}
	}
	if len(v.Reasons) != int(numReasons) {
		t.Errorf("%d reasons, want %d", len(v.Reasons), numReasons)
	}
	for i, r := range v.Reasons {
		if int(r.Number) != i || r.Number.String() != r.Name || r.Number.Offence() != r.Offence || r.Number.Lasting() != r.Lasting {
			t.Errorf("reason %d is %s, offence %v, lasting %v; want %+v", i, r.Number, r.Number.Offence(), r.Number.Lasting(), r)
		}
	}
}

func TestVectorLimits(t *testing.T) {
	v := readVectors(t)
	cfg := DefaultConfig(alice, "test", Version{1, 0, 0})
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"max-network": vectors.Of(MaxNetwork, "bytes"),
		"max-genesis": vectors.Of(MaxGenesis, "bytes"),
		"max-version": vectors.Of(math.MaxUint16, "in each part"),
		"max-claim":   vectors.Of(claim.MaxEnvelope, "bytes"),
		"max-query":   vectors.Of(MaxQuery, "bytes"),
		"max-list":    vectors.Of(MaxList, "bytes"),
		"max-text":    vectors.Of(MaxText, "bytes"),
		"max-payload": vectors.Of(MaxPayload, "bytes"),
		"max-early":   vectors.Of(maxEarly, "messages"),
		"clock-skew":  vectors.Time(cfg.MaxSkew),
		"within":      vectors.Time(cfg.Within),
		"linger":      vectors.Time(cfg.Linger),
		"latest-time": vectors.Of(maxMillis, "ms"),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
	offences := []core.Offence{OffenceMalformed, OffenceOrder, OffenceRefused, OffenceUnknownType}
	for _, diff := range vectors.OddOffences(v.Offences, offences) {
		t.Errorf("offence %s: only in the vectors or only in the code", diff)
	}
}
