package claim

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/multiformats/go-multiaddr"
)

// The bytes of a claim are a promise to other implementations.
func TestGoldenBytes(t *testing.T) {
	const want = "0a24080112203b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29" + // key
		"1204f6eec101" + // codec
		"1a"
	s := newIdentity(t, 0).sign(t)
	got := hex.EncodeToString(s.Bytes())
	if !strings.HasPrefix(got, want) {
		t.Errorf("envelope %s\n   want %s…", got, want)
	}
	c := s.Claim()
	payload, _ := c.MarshalRecord()
	wantPayload := "0a0477656674" + // network
		"1226002408011220" + "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29" + // peer
		"18fbb883a1f732" + // timestamp
		"20fbf09ccaf732" + // expiry
		"2a0804c000020106765f" + // /ip4/192.0.2.1/tcp/30303
		"2a0b" + "04c000020191" + "02765fcd03" + // /ip4/192.0.2.1/udp/30303/quic-v1
		"2a14" + "2920010db8000000000000000000000001" + "06765f" // /ip6/2001:db8::1/tcp/30303
	if got := hex.EncodeToString(payload); got != wantPayload {
		t.Errorf("payload %s\n   want %s", got, wantPayload)
	}
}

func TestAClaimIsReadAsItWasSigned(t *testing.T) {
	who := newIdentity(t, 1)
	s, err := Verify(who.sign(t).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	got, want := s.Claim(), who.claim()
	if got.Network != want.Network || got.Peer != want.Peer || !got.Time.Equal(want.Time) || !got.Expiry.Equal(want.Expiry) || fmt.Sprint(got.Addrs) != fmt.Sprint(want.Addrs) {
		t.Errorf("read %v\nwant %v", got, want)
	}
	if s.Peer != want.Peer || !s.Time.Equal(want.Time) || !s.Expiry.Equal(want.Expiry) {
		t.Errorf("head %v", s)
	}
}

func TestAnyLibp2pNodeCanOpenTheEnvelope(t *testing.T) {
	who := newIdentity(t, 1)
	var c Claim
	env, err := record.ConsumeTypedEnvelope(who.sign(t).Bytes(), &c)
	if err != nil || c.Peer != who.id || !who.id.MatchesPublicKey(env.PublicKey) {
		t.Errorf("opened %v, %v", c, err)
	}
}

func TestAChangeOfAnyBitIsRefused(t *testing.T) {
	raw := newIdentity(t, 1).sign(t).Bytes()
	for i := range len(raw) * 8 {
		changed := bytes.Clone(raw)
		changed[i/8] ^= 1 << (i % 8)
		if _, err := Verify(changed); err == nil {
			t.Fatalf("bit %d of byte %d can be changed", i%8, i/8)
		}
	}
	for n := range raw {
		if _, err := Verify(raw[:n]); err == nil {
			t.Fatalf("a claim cut to %d of %d bytes is accepted", n, len(raw))
		}
	}
}

func TestOnlyTheOneFormIsAccepted(t *testing.T) {
	who := newIdentity(t, 1)
	c := who.claim()
	payload, _ := c.MarshalRecord()
	key, sig := []byte(who.id)[len(peerPrefix):], make([]byte, sigSize)
	other := []byte(newIdentity(t, 2).id)[len(peerPrefix):]
	_, rsa, err := crypto.GenerateRSAKeyPair(2048, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, _ := crypto.MarshalPublicKey(rsa)
	raw := func(net string, t, exp int64, addrs ...[]byte) []byte {
		return envelope(key, codec, appendPayload(nil, net, string(who.id), t, exp, addrs), sig)
	}
	good, ms := c.Addrs[0].Bytes(), now.UnixMilli()
	later := ms + 1
	for name, b := range map[string][]byte{
		"empty":                  {},
		"no payload":             envelope(key, codec, nil, sig),
		"no signature":           envelope(key, codec, payload, nil),
		"long signature":         envelope(key, codec, payload, make([]byte, sigSize+1)),
		"other codec":            envelope(key, []byte{3, 1}, payload, sig),
		"signed by another key":  envelope(other, codec, payload, sig),
		"RSA key":                envelope(rsaKey, codec, payload, sig),
		"unknown field":          append(forge(c), 0x32, 0),
		"unknown inner field":    envelope(key, codec, append(bytes.Clone(payload), 0x32, 0), sig),
		"field twice":            append(forge(c), forge(c)...),
		"too large":              envelope(key, codec, append(bytes.Clone(payload), make([]byte, MaxEnvelope)...), sig),
		"no network":             raw("", ms, later, good),
		"long network":           raw(strings.Repeat("n", MaxNetwork+1), ms, later, good),
		"no time":                raw("weft", 0, later, good),
		"time before 1970":       raw("weft", -1, later, good),
		"time after 9999":        raw("weft", maxMillis+1, maxMillis+2, good),
		"no expiry":              raw("weft", ms, 0, good),
		"expiry before its time": raw("weft", ms, ms-1, good),
		"expiry at its time":     raw("weft", ms, ms, good),
		"expiry too late":        raw("weft", ms, ms+Lifetime.Milliseconds()+1, good),
		"address twice":          raw("weft", ms, later, good, good),
		"addresses descending":   raw("weft", ms, later, c.Addrs[2].Bytes(), good),
		"empty address":          raw("weft", ms, later, nil),
		"17 addresses":           raw("weft", ms, later, manyAddrs(MaxAddrs+1)...),
		"long varint":            longVarint(key, payload, sig),
	} {
		if _, err := Verify(b); !errors.Is(err, Malformed) {
			t.Errorf("%s: %v, want %v", name, err, Malformed)
		}
	}
	for name, b := range map[string][]byte{
		"as it is":     forge(c),
		"no address":   raw("weft", ms, later),
		"16 addresses": raw("weft", ms, later, manyAddrs(MaxAddrs)...),
		"longest life": raw("weft", ms, ms+Lifetime.Milliseconds(), good),
	} {
		if _, err := Verify(b); !errors.Is(err, Forged) {
			t.Errorf("%s: %v, want only the signature to be wrong", name, err)
		}
	}
}

// longVarint writes the length of the network's name in two bytes instead of one.
func longVarint(key, payload, sig []byte) []byte {
	long := append([]byte{payload[0], payload[1] | 0x80, 0}, payload[2:]...)
	return envelope(key, codec, long, sig)
}

func manyAddrs(n int) (all [][]byte) {
	for i := range n {
		all = append(all, multiaddr.StringCast(fmt.Sprintf("/ip6/2001:db8::%x/udp/30303/quic-v1", i+1)).Bytes())
	}
	return all
}

func TestTheLargestClaimFits(t *testing.T) {
	who := newIdentity(t, 1)
	s := who.sign(t, func(c *Claim) {
		c.Network, c.Addrs = strings.Repeat("n", MaxNetwork), nil
		for _, b := range manyAddrs(MaxAddrs) {
			a, _ := multiaddr.NewMultiaddrBytes(b)
			c.Addrs = append(c.Addrs, a)
		}
	})
	if n := len(s.Bytes()); n != largest {
		t.Errorf("the largest claim has %d bytes, doc says %d", n, largest)
	}
}

const largest = 633

func TestOnlyEndpointsAreUsable(t *testing.T) {
	for text, want := range map[string]bool{
		"/ip4/127.0.0.1/tcp/1":                      true,
		"/ip4/10.0.0.1/udp/65535/quic-v1":           true,
		"/ip6/::1/tcp/30303":                        true,
		"/ip6/fe80::1/udp/30303/quic-v1":            true,
		"/ip4/192.0.2.1/tcp/0":                      false,
		"/ip4/0.0.0.0/tcp/1":                        false,
		"/ip4/224.0.0.1/udp/1/quic-v1":              false,
		"/ip4/255.255.255.255/tcp/1":                false,
		"/ip6/::/tcp/1":                             false,
		"/ip6/ff02::1/tcp/1":                        false,
		"/ip6/::ffff:192.0.2.1/tcp/1":               false,
		"/ip4/192.0.2.1/udp/1":                      false,
		"/ip4/192.0.2.1/tcp/1/ws":                   false,
		"/ip4/192.0.2.1/udp/1/quic-v1/tcp/1":        false,
		"/ip4/192.0.2.1":                            false,
		"/dns4/example.org/tcp/1":                   false,
		"/ip4/192.0.2.1/udp/1/quic-v1/webtransport": false,
		"/ip4/192.0.2.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit": false,
	} {
		if got := Usable(multiaddr.StringCast(text)); got != want {
			t.Errorf("%s: usable %v, want %v", text, got, want)
		}
	}
}

func TestSealRefusesWhatOthersWouldRefuse(t *testing.T) {
	who := newIdentity(t, 1)
	for name, change := range map[string]func(*Claim){
		"another's claim": func(c *Claim) { c.Peer = newIdentity(t, 2).id },
		"DNS name":        on("/dns4/example.org/tcp/1"),
		"no network":      func(c *Claim) { c.Network = "" },
		"too long a life": func(c *Claim) { c.Expiry = c.Time.Add(Lifetime + time.Millisecond) },
	} {
		c := who.claim()
		change(&c)
		if _, err := Seal(c, who.key); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	key, pub, _ := crypto.GenerateSecp256k1Key(nil)
	c := who.claim()
	c.Peer, _ = peer.IDFromPublicKey(pub)
	if _, err := Seal(c, key); !errors.Is(err, ErrInvalid) {
		t.Errorf("secp256k1 key: %v", err)
	}
}

func TestASignatureOfAnotherDomainIsForged(t *testing.T) {
	who := newIdentity(t, 1)
	c := who.claim()
	env, err := record.Seal(&alien{c}, who.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := env.Marshal()
	if _, err := Verify(raw); !errors.Is(err, Forged) {
		t.Errorf("%v, want %v", err, Forged)
	}
}

// alien is a claim that was signed for another purpose.
type alien struct{ Claim }

func (a *alien) Domain() string { return "libp2p-peer-record" }

func TestEveryReasonIsExplained(t *testing.T) {
	for r := Malformed; r < NumReasons; r++ {
		if r.Error() == "" || r.Label() == "" {
			t.Errorf("reason %d has no text", r)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(i*7 + len(b))
	}
	return len(b), nil
}

func FuzzVerify(f *testing.F) {
	who := newIdentity(f, 1)
	f.Add(who.sign(f).Bytes())
	f.Add(forge(who.claim()))
	v, _ := readVectors(f)
	for _, c := range v.Claims {
		f.Add([]byte(c.Envelope))
	}
	for _, r := range v.Refused {
		f.Add([]byte(r.Envelope))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := peek(raw)
		if err != nil {
			return
		}
		key := v.peer[len(peerPrefix):]
		if again := envelope(key, codec, v.payload, raw[len(raw)-sigSize:]); !bytes.Equal(again, raw) {
			t.Fatalf("%x is accepted, but its one form is %x", raw, again)
		}
		if _, err := Verify(raw); err != nil && !errors.Is(err, Forged) {
			t.Fatalf("what passed in form is refused as %v", err)
		}
	})
}

func FuzzPayload(f *testing.F) {
	c := newIdentity(f, 1).claim()
	payload, _ := c.MarshalRecord()
	f.Add(payload)
	v, _ := readVectors(f)
	for _, c := range v.Claims {
		f.Add([]byte(c.Payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var c Claim
		_, malformed := peekPayload(payload)
		if err := c.UnmarshalRecord(payload); (err == nil) != (malformed == nil) {
			t.Fatalf("%x passes in form as %v, but is read as %v", payload, malformed, err)
		} else if err != nil {
			return
		}
		if again, _ := c.MarshalRecord(); !bytes.Equal(again, payload) {
			t.Fatalf("%x is read as %v, which is written as %x", payload, c, again)
		}
		for _, a := range c.Addrs {
			if !Usable(a) {
				t.Fatalf("address %s came through", a)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	raw := newIdentity(b, 1).sign(b).Bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	who := newIdentity(b, 1)
	c := who.claim()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Seal(c, who.key); err != nil {
			b.Fatal(err)
		}
	}
}
