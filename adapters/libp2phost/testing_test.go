package libp2phost

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/leaktest"
	"github.com/weftnet/weft/protocols/core"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience is how long a test waits for what must happen: it only ends a test that
// hangs, so it allows for a machine that has much else to do.
const patience = time.Minute

var (
	loopbackTCP  = ma.StringCast("/ip4/127.0.0.1/tcp/0")
	loopbackQUIC = ma.StringCast("/ip4/127.0.0.1/udp/0/quic-v1")
)

func testKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// events records what a host posts.
type events struct {
	mu      sync.Mutex
	all     []core.Event
	changed chan struct{}
}

func newEvents() *events { return &events{changed: make(chan struct{})} }

func (e *events) post(ev core.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *events) snapshot() ([]core.Event, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]core.Event(nil), e.all...), e.changed
}

// await returns the first event of type E that matches.
func await[E core.Event](t testing.TB, e *events, match func(E) bool) E {
	t.Helper()
	timeout := time.After(patience)
	for {
		all, changed := e.snapshot()
		for _, ev := range all {
			if got, ok := ev.(E); ok && match(got) {
				return got
			}
		}
		select {
		case <-changed:
		case <-timeout:
			var want E
			t.Fatalf("no such %T among %+v", want, all)
		}
	}
}

// eventually waits for what has no event.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

// testHost is a host on loopback, closed at the end of the test.
type testHost struct {
	*Host
	events *events
}

func newTestHost(t testing.TB, change ...func(*Config)) *testHost {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Key = testKey(t)
	cfg.Listen = []ma.Multiaddr{loopbackTCP, loopbackQUIC}
	ev := newEvents()
	cfg.Post = ev.post
	for _, f := range change {
		f(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return &testHost{h, ev}
}

func (h *testHost) info() peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

// on keeps the addresses with a transport: "tcp" or "quic-v1".
func (h *testHost) on(transport string) peer.AddrInfo { return withTransport(h.info(), transport) }

func withTransport(info peer.AddrInfo, transport string) peer.AddrInfo {
	info.Addrs = filter(info.Addrs, func(a ma.Multiaddr) bool {
		_, err := a.ValueForProtocol(ma.ProtocolWithName(transport).Code)
		return err == nil
	})
	return info
}

// plainHost is a libp2p host that knows nothing of weft.
func plainHost(t testing.TB, opts ...libp2p.Option) host.Host {
	t.Helper()
	h, err := libp2p.New(append([]libp2p.Option{
		libp2p.ListenAddrs(loopbackTCP),
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.DisableRelay(), libp2p.DisableMetrics(), libp2p.ForceReachabilityPublic(),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func mustConnect(t testing.TB, from *testHost, to peer.AddrInfo) {
	t.Helper()
	if err := from.Connect(testContext(t), to); err != nil {
		t.Fatal(err)
	}
}

func any1[T any](T) bool { return true }
