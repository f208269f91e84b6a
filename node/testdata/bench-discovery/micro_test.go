package main

import (
	"crypto"
	"crypto/rand"
	mathrand "math/rand/v2"
	"net/netip"
	"testing"
	"time"

	libp2pcrypto "github.com/libp2p/go-libp2p/core/crypto"
	libp2ppeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ava-labs/avalanchego/ids"
	"github.com/ava-labs/avalanchego/message"
	"github.com/ava-labs/avalanchego/network"
	"github.com/ava-labs/avalanchego/network/dialer"
	"github.com/ava-labs/avalanchego/network/peer"
	"github.com/ava-labs/avalanchego/snow/validators"
	"github.com/ava-labs/avalanchego/staking"
	"github.com/ava-labs/avalanchego/upgrade"
	"github.com/ava-labs/avalanchego/utils/bloom"
	"github.com/ava-labs/avalanchego/utils/constants"
	"github.com/ava-labs/avalanchego/utils/crypto/bls/signer/localsigner"
	"github.com/ava-labs/avalanchego/utils/hashing"
	"github.com/ava-labs/avalanchego/utils/ips"
	"github.com/ava-labs/avalanchego/utils/logging"
	"github.com/ava-labs/avalanchego/utils/set"

	ourbloom "github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/peerlist"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// signedIP is AvalancheGo's claim, and the certificate that signed it.
func signedIP() (*peer.SignedIP, *staking.Certificate) {
	tlsCert := must(staking.NewTLSCert())
	ip := peer.UnsignedIP{AddrPort: netip.MustParseAddrPort("127.0.0.1:9651"), Timestamp: uint64(time.Now().Unix())}
	return must(ip.Sign(tlsCert.PrivateKey.(crypto.Signer), must(localsigner.New()))), must(staking.ParseCertificate(tlsCert.Leaf.Raw))
}

// weftClaim is weft's claim of a new peer, with as many addresses as theirs: one.
func weftClaim() claim.Signed {
	key, _, err := libp2pcrypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		panic(err)
	}
	now := time.Now().Truncate(time.Millisecond)
	return must(claim.Seal(claim.Claim{
		Network: "bench", Peer: must(libp2ppeer.IDFromPrivateKey(key)), Time: now, Expiry: now.Add(claim.Lifetime - time.Second),
		Addrs: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/127.0.0.1/tcp/30303")},
	}, key))
}

// A claim that arrives is checked. AvalancheGo's signature is by the key of a
// certificate that comes with it and must be parsed first: with and without that.
func BenchmarkVerify(b *testing.B) {
	ip, cert := signedIP()
	latest := time.Now().Add(time.Minute)
	b.Run("avalanchego", func(b *testing.B) {
		for b.Loop() {
			if err := ip.Verify(cert, latest); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("avalanchego+certificate", func(b *testing.B) {
		for b.Loop() {
			if err := ip.Verify(must(staking.ParseCertificate(cert.Raw)), latest); err != nil {
				b.Fatal(err)
			}
		}
	})
	raw := weftClaim().Bytes()
	b.Run("weft", func(b *testing.B) {
		for b.Loop() {
			if _, err := claim.Verify(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// filterKeys is how many keys a filter is made for: two for each of 10,000 nodes.
const filterKeys = 20_000

// filterRate is the share of false positives that both aim at.
const filterRate = 0.001

// hashes of keys are ready on both sides: the filters alone are compared.
func BenchmarkBloomAdd(b *testing.B) {
	b.Run("avalanchego", func(b *testing.B) {
		f, keys := theirFilter(), theirKeys()
		for i := 0; b.Loop(); i = (i + 1) % len(keys) {
			f.Add(keys[i])
		}
	})
	b.Run("weft", func(b *testing.B) {
		f, keys := ourbloom.New(filterKeys, filterRate, peerlist.MaxFilterBytes), ourKeys()
		for i := 0; b.Loop(); i = (i + 1) % len(keys) {
			f.Add(keys[i])
		}
	})
}

func BenchmarkBloomContains(b *testing.B) {
	b.Run("avalanchego", func(b *testing.B) {
		f, keys := theirFilter(), theirKeys()
		for _, k := range keys {
			f.Add(k)
		}
		read := must(bloom.Parse(f.Marshal())) // what answers a question
		for i := 0; b.Loop(); i = (i + 1) % len(keys) {
			if !read.Contains(keys[i]) {
				b.Fatal("denied")
			}
		}
	})
	b.Run("weft", func(b *testing.B) {
		f, keys := ourbloom.New(filterKeys, filterRate, peerlist.MaxFilterBytes), ourKeys()
		for _, k := range keys {
			f.Add(k)
		}
		for i := 0; b.Loop(); i = (i + 1) % len(keys) {
			if !f.Contains(keys[i]) {
				b.Fatal("denied")
			}
		}
	})
}

func theirFilter() *bloom.Filter {
	return must(bloom.New(bloom.OptimalParameters(filterKeys, filterRate)))
}

func theirKeys() (keys []uint64) {
	for range filterKeys {
		keys = append(keys, mathrand.Uint64())
	}
	return keys
}

func ourKeys() (keys []ourbloom.Key) {
	keyer := ourbloom.NewKeyer([ourbloom.SaltSize]byte{1})
	for i := range uint64(filterKeys) {
		keys = append(keys, keyer.Key(peerlist.NewEntryID("peer", i)))
	}
	return keys
}

// known is how many claims of connected validators both hold.
const known = 10_000

// The asker knows every one of 10,000 claims, or none: what the answer takes
// before it is encoded.
func BenchmarkAnswer(b *testing.B) {
	theirs, ours := theirBook(b), ourBook(b)
	theirBloom, theirSalt := theirs.KnownPeers()
	emptyBloom, emptySalt := emptyNetwork(b).KnownPeers()
	for _, q := range []struct {
		name                  string
		theirBloom, theirSalt []byte
		ours                  ourbloom.Query
	}{
		{"all-known", theirBloom, theirSalt, ours.Query()},
		{"none-known", emptyBloom, emptySalt, newTracker().Query()},
	} {
		filter := must(bloom.Parse(q.theirBloom))
		b.Run(q.name+"/avalanchego", func(b *testing.B) {
			for b.Loop() {
				theirs.Peers(ids.EmptyNodeID, set.Of(constants.PrimaryNetworkID), false, filter, q.theirSalt)
			}
		})
		b.Run(q.name+"/weft", func(b *testing.B) {
			for b.Loop() {
				ours.Answer(time.Now(), "asker", q.ours)
			}
		})
	}
}

// theirBook is a network that is, as far as its tracker knows, connected with
// 10,000 validators. They share a certificate, which no answer looks at.
func theirBook(b *testing.B) network.Network {
	ip, cert := signedIP()
	vdrs, claims := validators.NewManager(), []*ips.ClaimedIPPort{}
	for range known {
		c := ips.NewClaimedIPPort(cert, ip.AddrPort, ip.Timestamp, ip.TLSSignature)
		c.NodeID = ids.GenerateTestNodeID()
		c.GossipID = hashing.ComputeHash256Array(c.NodeID[:])
		claims = append(claims, c)
		if err := vdrs.AddStaker(constants.PrimaryNetworkID, c.NodeID, nil, ids.GenerateTestID(), 1); err != nil {
			b.Fatal(err)
		}
	}
	n := newNetwork(b, vdrs)
	tracker := trackerOf(n)
	for _, c := range claims {
		trackerConnected(tracker, c, set.Of(constants.PrimaryNetworkID))
	}
	return n
}

func emptyNetwork(b *testing.B) network.Network { return newNetwork(b, validators.NewManager()) }

func newNetwork(b *testing.B, vdrs validators.Manager) network.Network {
	registry := prometheus.NewRegistry()
	cfg := must(network.NewTestNetworkConfig(registry, constants.UnitTestID, vdrs, set.Set[ids.ID]{}))
	creator := must(message.NewCreator(registry, cfg.CompressionType, cfg.MaximumInboundMessageTimeout))
	dial := dialer.NewDialer(constants.NetworkType, dialer.Config{}, logging.NoLog{})
	n := must(network.NewNetwork(cfg, upgrade.InitiallyActiveTime, creator, registry, logging.NoLog{}, nil, dial, &avalancheNode{}))
	return n
}

func ourBook(b *testing.B) *peerlist.Tracker {
	t := newTracker()
	for range known {
		if err := t.Connected(time.Now(), weftClaim()); err != nil {
			b.Fatal(err)
		}
	}
	return t
}

func newTracker() *peerlist.Tracker {
	cfg := claim.DefaultConfig()
	cfg.Network, cfg.Self = "bench", core.PeerID(must(libp2ppeer.Decode("12D3KooWGC6TvWhfajpX6wvJHMYvKpDMXPb3ZnCZ8dMoQ1CdMG6h")))
	var seed [32]byte
	_, _ = rand.Read(seed[:])
	return must(peerlist.NewTracker(peerlist.DefaultConfig(), cfg, mathrand.New(mathrand.NewChaCha8(seed))))
}
