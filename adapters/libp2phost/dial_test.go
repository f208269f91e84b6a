package libp2phost

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/weftnet/weft/protocols/core"
)

func testID(t testing.TB) peer.ID {
	t.Helper()
	id, err := peer.IDFromPrivateKey(testKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// silentAddr is a TCP listener that never answers.
func silentAddr(t *testing.T) ma.Multiaddr {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	addr, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// closedAddr is where nobody listens.
func closedAddr(t *testing.T) ma.Multiaddr {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func TestDialIsAnsweredByConnected(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	a.Dial(b.ID(), b.Addrs())
	if got := await(t, a.events, any1[core.Connected]); got.Peer != b.ID() || got.Inbound {
		t.Fatalf("posted %+v", got)
	}
}

func TestADialGoesToTheNamedAddressesOnly(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	a.Base().Peerstore().AddAddrs(b.ID(), b.Addrs(), time.Hour) // hearsay, and true
	a.Dial(b.ID(), []ma.Multiaddr{closedAddr(t)})
	await(t, a.events, any1[core.DialFailed])
	if a.Connected(b.ID()) {
		t.Error("connected at an address that the dial did not name")
	}
}

func TestAFailedDialSaysWhy(t *testing.T) {
	patient, hasty := newTestHost(t), newTestHost(t, func(c *Config) { c.DialTimeout = 700 * time.Millisecond })
	b := newTestHost(t)
	stranger := testID(t)
	withID := ma.StringCast(fmt.Sprintf("%s/p2p/%s", closedAddr(t), b.ID()))
	for name, tc := range map[string]struct {
		peer  peer.ID
		addrs []ma.Multiaddr
		want  []string
	}{
		"another peer answers on TCP":  {stranger, b.on("tcp").Addrs, []string{"another peer answers", b.ID().String()}},
		"another peer answers on QUIC": {stranger, b.on("quic-v1").Addrs, []string{"another peer answers", b.ID().String()}},
		"nobody listens":               {testID(t), []ma.Multiaddr{closedAddr(t)}, []string{"connection refused"}},
		"nobody answers":               {testID(t), []ma.Multiaddr{silentAddr(t)}, []string{"no answer"}},
		"no address":                   {testID(t), nil, []string{"no address of it is known"}},
		"unknown transport":            {testID(t), []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/udp/1")}, []string{"/ip4/127.0.0.1/udp/1", "no transport"}},
		"address of another peer":      {testID(t), []ma.Multiaddr{withID}, []string{"names another peer"}},
		"ourselves":                    {patient.ID(), patient.Addrs(), []string{"this node itself"}},
		"no peer ID":                   {"", b.Addrs(), []string{"/p2p/PEERID"}},
		"unresolvable name":            {testID(t), []ma.Multiaddr{ma.StringCast("/dnsaddr/nothing.invalid")}, []string{"does not resolve"}},
	} {
		t.Run(name, func(t *testing.T) {
			from := patient
			if name == "nobody answers" {
				from = hasty
			}
			from.Dial(tc.peer, tc.addrs)
			got := await(t, from.events, func(f core.DialFailed) bool { return f.Peer == tc.peer })
			for _, want := range tc.want {
				if !strings.Contains(got.Reason, want) {
					t.Errorf("reason %q lacks %q", got.Reason, want)
				}
			}
			if strings.Contains(got.Reason, "\n") {
				t.Errorf("reason has several lines: %q", got.Reason)
			}
		})
	}
	if n := patient.NumPeers() + hasty.NumPeers(); n != 0 {
		t.Errorf("%d peers", n)
	}
}

func TestConnectAnswersWithTheSameReason(t *testing.T) {
	a := newTestHost(t)
	err := a.Connect(testContext(t), peer.AddrInfo{ID: testID(t), Addrs: []ma.Multiaddr{closedAddr(t)}})
	var de *DialError
	if !errors.As(err, &de) || !strings.Contains(err.Error(), "nobody listens there") {
		t.Fatalf("got %v", err)
	}
}

func TestAnAddressMayEndInThePeersID(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	full, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	mustConnect(t, a, peer.AddrInfo{ID: b.ID(), Addrs: full})
}

func TestARepeatedDialIsNotHeldBackByLibp2p(t *testing.T) {
	a := newTestHost(t)
	p, addr := testID(t), []ma.Multiaddr{closedAddr(t)}
	for range 3 {
		err := a.Connect(testContext(t), peer.AddrInfo{ID: p, Addrs: addr})
		if err == nil || !strings.Contains(err.Error(), "nobody listens there") {
			t.Fatalf("got %v", err)
		}
	}
}

func TestDialsBeyondTheQueueFailAtOnce(t *testing.T) {
	t.Parallel() // it waits for time to pass
	a := newTestHost(t, func(c *Config) { c.DialTimeout = 300 * time.Millisecond })
	silent := []ma.Multiaddr{silentAddr(t)}
	refused := func() bool {
		all, _ := a.events.snapshot()
		return slices.ContainsFunc(all, func(ev core.Event) bool {
			f, ok := ev.(core.DialFailed)
			return ok && strings.Contains(f.Reason, "waiting already")
		})
	}
	dials := 0 // as many as it takes: those of a busy machine come slowly
	for ; !refused() && dials < 10*dialQueue; dials++ {
		a.Dial(testID(t), silent)
	}
	if !refused() {
		t.Fatal("none was refused")
	}
	eventually(t, "every dial is answered", func() bool { all, _ := a.events.snapshot(); return len(all) == dials })
}

func TestAnotherDialAddsAddressesAndBothHaveOneAnswer(t *testing.T) {
	t.Parallel() // it waits for time to pass
	const timeout = 5 * time.Second
	a := newTestHost(t, func(c *Config) { c.DialTimeout = timeout })
	b, gone := newTestHost(t), testID(t)
	begun := time.Now()
	for _, p := range []peer.ID{b.ID(), gone} {
		a.Dial(p, []ma.Multiaddr{silentAddr(t)})
	}
	eventually(t, "both dials are under way", func() bool { return a.dialer.started.Load() == 2 })
	a.Dial(b.ID(), b.on("tcp").Addrs)
	a.Dial(gone, []ma.Multiaddr{closedAddr(t)}) // fails at once, while the other waits
	await(t, a.events, func(c core.Connected) bool { return c.Peer == b.ID() })
	if took := time.Since(begun); took >= timeout {
		t.Errorf("connected after %v, when the dead address had timed out", took)
	}
	eventually(t, "all dials have ended", func() bool {
		a.dialer.mu.Lock()
		defer a.dialer.mu.Unlock()
		return len(a.dialer.running) == 0
	})
	failures := 0
	all, _ := a.events.snapshot()
	for _, ev := range all {
		if f, is := ev.(core.DialFailed); is {
			failures++
			if f.Peer != gone || time.Since(begun) < timeout {
				t.Errorf("told %+v after %v", f, time.Since(begun))
			}
		}
	}
	if failures != 1 {
		t.Errorf("%d failures were told, want one", failures)
	}
}
