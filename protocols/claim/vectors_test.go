package claim

import (
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/core"
)

// claimVectors is docs/protocols/vectors/claim.json.
type claimVectors struct {
	vectors.Page
	Claims  []claimVector `json:"claims"`
	Refused []struct {
		Name     string      `json:"name"`
		Verdict  string      `json:"verdict"`
		Envelope vectors.Hex `json:"envelope"`
	} `json:"refused"`
	Judged []judgement `json:"judged"`
}

type claimVector struct {
	Name      string      `json:"name"`
	Key       string      `json:"key"`
	Network   string      `json:"network"`
	Time      int64       `json:"time_ms"`
	Expiry    int64       `json:"expiry_ms"`
	Addresses []string    `json:"addresses"`
	Payload   vectors.Hex `json:"payload"`
	Signed    vectors.Hex `json:"signed"`
	Signature vectors.Hex `json:"signature"`
	Envelope  vectors.Hex `json:"envelope"`
}

// judgement says what becomes of a claim that is offered to whoever holds another.
type judgement struct {
	Name    string `json:"name"`
	Network string `json:"network"`
	Self    string `json:"self"`
	Now     int64  `json:"now_ms"`
	Held    string `json:"held"`    // the name of a claim; empty: none
	Offered string `json:"offered"` // the name of a claim
	Verdict string `json:"verdict"` // "accepted", or the label of a Reason
}

func readVectors(t testing.TB) (v claimVectors, keys map[string]vectors.Key) {
	t.Helper()
	keys, err := vectors.Keys()
	if err != nil {
		t.Fatal(err)
	}
	if err := vectors.Read("claim", &v); err != nil {
		t.Fatal(err)
	}
	return v, keys
}

// claim is what the vector says in words.
func (v claimVector) claim(key vectors.Key) Claim {
	return Claim{
		Network: v.Network, Peer: core.PeerID(key.PeerID),
		Time: time.UnixMilli(v.Time), Expiry: time.UnixMilli(v.Expiry), Addrs: addrs(v.Addresses...),
	}
}

func TestVectors(t *testing.T) {
	v, keys := readVectors(t)
	for _, c := range v.Claims {
		key, err := crypto.UnmarshalEd25519PrivateKey(keys[c.Key].Private())
		if err != nil {
			t.Fatal(err)
		}
		want := c.claim(keys[c.Key])
		if got, _ := want.MarshalRecord(); !c.Payload.Is(got) {
			t.Errorf("%s: payload %x\n want %v", c.Name, got, c.Payload)
		}
		s, err := Seal(want, key)
		if err != nil || !c.Envelope.Is(s.Bytes()) {
			t.Errorf("%s: envelope %x, %v\n want %v", c.Name, s.Bytes(), err, c.Envelope)
		}
		pub, _ := peer.ID(keys[c.Key].PeerID).ExtractPublicKey()
		if ok, err := pub.Verify(c.Signed, c.Signature); !ok {
			t.Errorf("%s: the signature does not cover the signed bytes: %v", c.Name, err)
		}
		if read, err := Verify(c.Envelope); err != nil || read.Peer != want.Peer || len(read.Claim().Addrs) != len(c.Addresses) {
			t.Errorf("%s is read as %v, %v", c.Name, read.Claim(), err)
		}
	}
	for _, r := range v.Refused {
		if _, err := Verify(r.Envelope); reasonOf(err) == 0 || reasonOf(err).Label() != r.Verdict {
			t.Errorf("%s: %v, want %s", r.Name, err, r.Verdict)
		}
	}
}

func TestVectorsOfTheRules(t *testing.T) {
	v, keys := readVectors(t)
	signed := map[string]Signed{}
	for _, c := range v.Claims {
		s, err := Verify(c.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		signed[c.Name] = s
	}
	for _, j := range v.Judged {
		cfg := DefaultConfig()
		cfg.Network, cfg.Self = j.Network, core.PeerID(keys[j.Self].PeerID)
		b := NewBook(cfg)
		if held, any := signed[j.Held]; any {
			if err := b.Add(held.Time, relay(1), held); err != nil {
				t.Fatalf("%s: %v", j.Name, err)
			}
		}
		offered := signed[j.Offered]
		err := b.Precheck(time.UnixMilli(j.Now), relay(1), offered.Bytes())
		if err == nil {
			err = b.Add(time.UnixMilli(j.Now), relay(1), offered)
		}
		if got := verdict(err); got != j.Verdict {
			t.Errorf("%s: %s, want %s", j.Name, got, j.Verdict)
		}
	}
}

func verdict(err error) string {
	var why Reason
	if errors.As(err, &why) {
		return why.Label()
	}
	return "accepted"
}

func TestVectorLimits(t *testing.T) {
	v, _ := readVectors(t)
	cfg := DefaultConfig()
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"max-envelope":     vectors.Of(MaxEnvelope, "bytes"),
		"largest-claim":    vectors.Of(largest, "bytes"),
		"max-network":      vectors.Of(MaxNetwork, "bytes"),
		"max-addresses":    vectors.Of(MaxAddrs, "addresses"),
		"lifetime":         vectors.Time(Lifetime),
		"skew":             vectors.Time(cfg.Skew),
		"book":             vectors.Of(cfg.Capacity, "claims"),
		"introducers":      vectors.Of(maxIntroducers, "peers"),
		"used-timestamps":  vectors.Of(maxUsed, "timestamps"),
		"latest-timestamp": vectors.Of(maxMillis, "ms"),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
}
