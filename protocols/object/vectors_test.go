package object

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/docs/protocols/vectors"
)

// objectVectors is docs/protocols/vectors/objects.json.
type objectVectors struct {
	vectors.Page
	Objects []objectVector `json:"objects"`
	Refused []struct {
		Name    string      `json:"name"`
		Verdict string      `json:"verdict"` // malformed or forged
		Encoded vectors.Hex `json:"encoded"`
	} `json:"refused"`
	IDs []struct {
		Name string      `json:"name"`
		Text string      `json:"text"`
		ID   vectors.Hex `json:"id"` // empty: it is refused
	} `json:"ids"`
}

type objectVector struct {
	Name      string      `json:"name"`
	Key       string      `json:"key"` // empty: unsigned
	Network   string      `json:"network"`
	Topic     string      `json:"topic"`
	Kind      uint16      `json:"kind"`
	Time      int64       `json:"time_ms"`
	Deps      []string    `json:"deps"`
	Payload   vectors.Hex `json:"payload"`
	Signed    vectors.Hex `json:"signed"`
	Signature vectors.Hex `json:"signature"`
	Encoded   vectors.Hex `json:"encoded"`
	ID        string      `json:"id"`
}

func readVectors(t testing.TB) (v objectVectors) {
	t.Helper()
	if err := vectors.Read("objects", &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// object is what the vector says in words.
func (v objectVector) object(t *testing.T) Object {
	o := Object{Network: v.Network, Topic: v.Topic, Kind: v.Kind, Time: time.UnixMilli(v.Time), Payload: v.Payload}
	for _, text := range v.Deps {
		id, err := ParseID(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Deps = append(o.Deps, id)
	}
	return o
}

func TestVectors(t *testing.T) {
	keys, err := vectors.Keys()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range readVectors(t).Objects {
		var key ed25519.PrivateKey
		if v.Key != "" {
			key = keys[v.Key].Private()
		}
		got, err := v.object(t).Seal(key)
		if err != nil || !v.Encoded.Is(got) || IDOf(got).String() != v.ID {
			t.Errorf("%s: %x, %s, %v\n want %v", v.Name, got, IDOf(got), err, v.Encoded)
		}
		read, err := Parse(v.Encoded)
		if err != nil || read.Verify() != nil || !v.Payload.Is(read.Payload) || !v.Signature.Is(read.Signature) {
			t.Errorf("%s is read as %v, %v, %v", v.Name, read, err, read.Verify())
		}
		if key != nil && !ed25519.Verify(key.Public().(ed25519.PublicKey), v.Signed, v.Signature) {
			t.Errorf("%s: the signature does not cover the signed bytes", v.Name)
		}
	}
}

func TestVectorsOfWhatIsRefused(t *testing.T) {
	v := readVectors(t)
	for _, r := range v.Refused {
		o, err := Parse(r.Encoded)
		want := ErrMalformed
		if r.Verdict == "forged" && err == nil {
			want, err = ErrSignature, o.Verify()
		}
		if !errors.Is(err, want) || strings.Contains(r.Verdict, "forged") != (want == ErrSignature) {
			t.Errorf("%s: %v, want %s", r.Name, err, r.Verdict)
		}
	}
	for _, i := range v.IDs {
		id, err := ParseID(i.Text)
		if len(i.ID) == 0 && !errors.Is(err, ErrID) || len(i.ID) > 0 && (err != nil || !i.ID.Is(id[:])) {
			t.Errorf("%s: %x, %v, want %v", i.Name, id, err, i.ID)
		}
	}
}

func TestVectorLimits(t *testing.T) {
	v := readVectors(t)
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"max-size":    vectors.Of(MaxSize, "bytes"),
		"max-network": vectors.Of(MaxNetwork, "bytes"),
		"max-topic":   vectors.Of(MaxTopic, "bytes"),
		"max-deps":    vectors.Of(MaxDeps, "dependencies"),
		"latest-time": vectors.Of(maxMillis, "ms"),
		"fixed-size":  vectors.Of(fixedSize, "bytes"),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
	for _, diff := range vectors.OddOffences[string](v.Offences, nil) {
		t.Errorf("offence %s: only in the vectors or only in the code", diff)
	}
}
