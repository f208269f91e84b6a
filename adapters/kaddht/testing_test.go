package kaddht

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"github.com/weftnet/weft/adapters/leaktest"
)

// patience is how long a test waits for what must happen: it only ends a test that
// hangs, so it allows for a machine that has much else to do.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { leaktest.Main(m) }

// newHost speaks plain TCP: dozens of hosts that dial one another would spend most
// of a test on TLS, on which nothing here depends.
func newHost(t testing.TB, opts ...libp2p.Option) host.Host {
	t.Helper()
	h, err := libp2p.New(append(opts, libp2p.Transport(tcp.NewTCPTransport), libp2p.NoSecurity,
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(), libp2p.DisableMetrics())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func newNode(t testing.TB, set ...func(*Config)) *DHT {
	t.Helper()
	return newNodeOn(t, newHost(t), set...)
}

func newNodeOn(t testing.TB, h host.Host, set ...func(*Config)) *DHT {
	t.Helper()
	cfg := DefaultConfig()
	for _, f := range set {
		f(&cfg)
	}
	d, err := New(h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// newQuietNode is a node that looks up nothing unless told to, and asks a peer, as
// the library does, before it enters the table: dozens of nodes that refresh their
// tables in one process are a storm, in which requests time out and peers are
// dropped.
func newQuietNode(t testing.TB, h host.Host, bucket int) *DHT {
	t.Helper()
	cfg := DefaultConfig()
	cfg.BucketSize = bucket
	d := &DHT{cfg: cfg, host: h, providers: newProviders(), rest: func() {}, counters: newCounters()}
	var err error
	if d.dht, err = dht.New(h, append(d.options(), dht.LookupCheckConcurrency(256))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// identity is the i-th of a fixed row of keys. A table depends on the IDs of its
// peers: random ones now and then overfill a bucket.
func identity(i int) libp2p.Option {
	seed := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		panic(err)
	}
	return libp2p.Identity(key)
}

func info(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

func connect(t testing.TB, a, b *DHT) {
	t.Helper()
	if err := a.host.Connect(soon(t), info(b.host)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are in each other's table", func() bool { return a.holds(b) && b.holds(a) })
}

func (d *DHT) holds(o *DHT) bool { return d.dht.RoutingTable().Find(o.host.ID()) != "" }

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls what no event announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
