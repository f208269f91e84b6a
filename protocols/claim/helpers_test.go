package claim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

const testSkew = time.Minute

var now = time.UnixMilli(1_750_000_000_123)

// identity is a key made from a number, the same in each run.
type identity struct {
	key crypto.PrivKey
	id  core.PeerID
}

func newIdentity(t testing.TB, n uint64) identity {
	t.Helper()
	seed := binary.BigEndian.AppendUint64(make([]byte, 24), n)
	key, _, err := crypto.GenerateEd25519Key(bytes.NewReader(seed))
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return identity{key, id}
}

func addrs(texts ...string) (all []multiaddr.Multiaddr) {
	for _, s := range texts {
		all = append(all, multiaddr.StringCast(s))
	}
	return all
}

// claim is a valid one, to be changed by a test.
func (i identity) claim() Claim {
	return Claim{
		Network: "weft", Peer: i.id, Time: now, Expiry: now.Add(Lifetime),
		Addrs: addrs("/ip4/192.0.2.1/tcp/30303", "/ip4/192.0.2.1/udp/30303/quic-v1", "/ip6/2001:db8::1/tcp/30303"),
	}
}

func (i identity) sign(t testing.TB, change ...func(*Claim)) Signed {
	t.Helper()
	c := i.claim()
	for _, f := range change {
		f(&c)
	}
	s, err := Seal(c, i.key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(d time.Duration) func(*Claim) {
	return func(c *Claim) { c.Time, c.Expiry = now.Add(d), now.Add(d+Lifetime) }
}

func on(texts ...string) func(*Claim) { return func(c *Claim) { c.Addrs = addrs(texts...) } }

// forge is a claim of somebody that nobody signed: all is well but the signature.
func forge(c Claim) []byte {
	payload, _ := c.MarshalRecord()
	return envelope([]byte(c.Peer)[len(peerPrefix):], codec, payload, make([]byte, sigSize))
}

func envelope(key, kind, payload, sig []byte) []byte {
	var b []byte
	for _, f := range []struct {
		num   byte
		value []byte
	}{{1, key}, {2, kind}, {3, payload}, {5, sig}} {
		b = append(b, f.num<<3|2)
		b = binary.AppendUvarint(b, uint64(len(f.value)))
		b = append(b, f.value...)
	}
	return b
}

// unsigned is a claim that a book takes for verified, for tests that need more
// of them than can be signed.
func unsigned(t testing.TB, n uint64) Signed {
	t.Helper()
	id := []byte(peerPrefix + keyPrefix)
	id = binary.BigEndian.AppendUint64(append(id, make([]byte, 24)...), n)
	raw := forge(Claim{Network: "weft", Peer: core.PeerID(id), Time: now, Expiry: now.Add(Lifetime), Addrs: addrs("/ip4/192.0.2.1/tcp/30303")})
	v, err := peek(raw)
	if err != nil {
		t.Fatal(err)
	}
	return newSigned(v, raw)
}

func newBook(t testing.TB, change ...func(*Config)) *Book {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Network, cfg.Self = "weft", newIdentity(t, 0).id
	for _, f := range change {
		f(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return NewBook(cfg)
}

func relay(n int) core.PeerID { return core.PeerID(fmt.Sprintf("relay%d", n)) }
