package kaddht

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/test"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftnet/weft/adapters/leaktest"
)

// chain is three nodes of which the ends do not know each other; only the first
// looks around by itself.
func chain(t *testing.T, set ...func(*Config)) (a, b, c *DHT) {
	a, b, c = newNode(t, set...), newQuietNode(t, newHost(t), DefaultBucketSize), newQuietNode(t, newHost(t), DefaultBucketSize)
	connect(t, b, c)
	connect(t, a, b)
	return a, b, c
}

func TestAPeerTwoHopsAwayIsFound(t *testing.T) {
	a, b, c := chain(t)
	found, err := a.FindPeer(soon(t), c.host.ID())
	if err != nil || len(found.Addrs) == 0 {
		t.Fatalf("got %v, %v", found, err)
	}
	if self, err := a.FindPeer(soon(t), a.host.ID()); err != nil || len(self.Addrs) == 0 {
		t.Errorf("ourselves: %v, %v", self, err)
	}
	if s := b.Stats(); s.Inbound["FIND_NODE"] == 0 {
		t.Errorf("the peer in between counted %v", s.Inbound)
	}
}

func TestWhoProvidesSomethingIsFound(t *testing.T) {
	a, b, c := chain(t)
	named := peer.ToCid(test.RandPeerIDFatal(t))
	if found, err := a.FindProviders(soon(t), named, 5); err != nil || len(found) != 0 {
		t.Errorf("before anybody provides it: %v, %v", found, err)
	}
	if err := c.Provide(soon(t), named); err != nil {
		t.Fatal(err)
	}
	found, err := a.FindProviders(soon(t), named, 5)
	if err != nil || len(found) != 1 || found[0].ID != c.host.ID() || len(found[0].Addrs) == 0 {
		t.Errorf("found %v, %v, want %s with its addresses", found, err, c.host.ID())
	}
	if own, err := c.FindProviders(soon(t), named, 5); err != nil || len(own) != 0 {
		t.Errorf("the provider itself finds %v, %v", own, err)
	}
	if err := newNode(t).Provide(soon(t), named); !errors.Is(err, ErrNoPeers) {
		t.Errorf("alone: %v", err)
	}
	if s := b.Stats(); s.Inbound["GET_PROVIDERS"] == 0 {
		t.Errorf("the peer in between counted %v", s.Inbound)
	}
}

func TestLookupErrorsSayWhatToDo(t *testing.T) {
	alone := newNode(t)
	absent := test.RandPeerIDFatal(t)
	if _, err := alone.FindPeer(soon(t), absent); !errors.Is(err, ErrNoPeers) || !strings.Contains(err.Error(), "connect to a peer") {
		t.Errorf("alone: %v", err)
	}
	if _, err := alone.Closest(soon(t), "key"); !errors.Is(err, ErrNoPeers) {
		t.Errorf("alone, closest: %v", err)
	}
	a, _, _ := chain(t)
	if _, err := a.FindPeer(soon(t), absent); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), absent.String()) {
		t.Errorf("absent: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.FindPeer(ended, absent); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	for name, err := range map[string]error{
		"no key":     second(a.Closest(soon(t), "")),
		"no peer ID": second(a.FindPeer(soon(t), "")),
	} {
		if !errors.Is(err, ErrBadKey) {
			t.Errorf("%s: %v, want ErrBadKey", name, err)
		}
	}
	want := LookupStats{NotFound: 1, Failed: 1}
	if got := a.Stats().Lookups["find_peer"]; got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func second[T any](_ T, err error) error { return err }

func TestClosestTakesPeerIDsAndAnyText(t *testing.T) {
	a, b, c := chain(t)
	for _, key := range []string{c.host.ID().String(), "any text", "\x00"} {
		got, err := a.Closest(soon(t), key)
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		var ids []peer.ID
		for _, i := range got {
			ids = append(ids, i.ID)
			if len(i.Addrs) == 0 {
				t.Errorf("%q: no address of %s", key, i.ID)
			}
		}
		if len(ids) != 2 || !slices.Contains(ids, b.host.ID()) || !slices.Contains(ids, c.host.ID()) {
			t.Errorf("%q: got %v, want the two others", key, ids)
		}
		if key == c.host.ID().String() && ids[0] != c.host.ID() {
			t.Error("the peer itself is not the closest to its ID")
		}
	}
}

func TestPeersHeardOfAreReported(t *testing.T) {
	var mu sync.Mutex
	found := map[peer.ID]bool{}
	a, _, c := chain(t, func(cfg *Config) {
		cfg.Found = func(i peer.AddrInfo) {
			mu.Lock()
			defer mu.Unlock()
			found[i.ID] = len(i.Addrs) > 0
		}
	})
	if err := a.Refresh(soon(t)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !found[c.host.ID()] || found[a.host.ID()] {
		t.Errorf("reported %v, want the peer two hops away and not ourselves", found)
	}
	if a.Stats().Found == 0 {
		t.Error("not counted")
	}
}

func TestAddressesThatKeepRefusesAreNeitherDialledNorTold(t *testing.T) {
	var mu sync.Mutex
	reported := 0
	asked := func(cfg *Config) { cfg.Found = func(peer.AddrInfo) { mu.Lock(); reported++; mu.Unlock() } }
	a, b, c := chain(t, asked, func(cfg *Config) { cfg.Keep = func(ma.Multiaddr) bool { return false } })
	if got, err := a.FindPeer(soon(t), c.host.ID()); !errors.Is(err, ErrNotFound) {
		t.Errorf("found %v, %v", got, err)
	}
	for _, i := range a.Table() {
		if len(i.Addrs) > 0 {
			t.Errorf("the table shows %v", i)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if reported != 0 || a.Size() != 1 || !a.holds(b) {
		t.Errorf("%d reported, %d in the table", reported, a.Size())
	}
}

func TestNetworksOfDifferentNamesDoNotMix(t *testing.T) {
	a, b := newNode(t), newNode(t, func(c *Config) { c.Network = "other" })
	if err := a.host.Connect(soon(t), info(b.host)); err != nil {
		t.Fatal(err)
	}
	c := newNode(t)
	connect(t, a, c) // by now a has looked at b as well
	if a.holds(b) || b.Size() != 0 {
		t.Error("they are in one table")
	}
	if p := b.cfg.Protocol(); p != "/weft/other/kad/1.0.0" || !slices.Contains(b.host.Mux().Protocols(), p) {
		t.Errorf("the protocol is %s of %v", p, b.host.Mux().Protocols())
	}
}

func TestValuesAreRefused(t *testing.T) {
	a, b := newNode(t), newNode(t)
	connect(t, a, b)
	if err := a.dht.PutValue(soon(t), "/pk/x", []byte("v")); err == nil {
		t.Error("a value was stored")
	}
}

func TestConfigErrorsNameTheSetting(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"network":     func(c *Config) { c.Network = "a/b" },
		"BucketSize":  func(c *Config) { c.BucketSize = 0 },
		"Concurrency": func(c *Config) { c.Concurrency = 0 },
		"Logger":      func(c *Config) { c.Logger = nil },
	} {
		cfg := DefaultConfig()
		spoil(&cfg)
		if err := cfg.Validate(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLookupDurationsAreRegisteredPerNode(t *testing.T) {
	reg := prometheus.NewRegistry()
	set := func(c *Config) { c.Registerer = reg }
	a, _, c := chain(t, set)
	if _, err := a.FindPeer(soon(t), c.host.ID()); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil || len(families) != 1 || families[0].GetMetric()[0].GetHistogram().GetSampleCount() != 1 {
		t.Errorf("gathered %v, %v", families, err)
	}
	cfg := DefaultConfig()
	cfg.Registerer = reg
	if _, err := New(newHost(t), cfg); err == nil || !strings.Contains(err.Error(), "registry of its own") {
		t.Errorf("a second node on one registry: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if families, _ := reg.Gather(); len(families) != 0 {
		t.Error("still registered after Close")
	}
}

func TestCloseEndsEverythingWhileTheHostsStayOpen(t *testing.T) {
	ha, hb := newHost(t), newHost(t)
	if err := ha.Connect(soon(t), info(hb)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "identify is over", func() bool {
		protos, _ := ha.Peerstore().GetProtocols(hb.ID())
		return len(protos) > 0
	})
	noLeak := leaktest.Begin()
	a, errA := New(ha, DefaultConfig())
	b, errB := New(hb, DefaultConfig())
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	eventually(t, "they know each other", func() bool { return a.holds(b) && b.holds(a) })
	if _, err := a.Closest(soon(t), "key"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	noLeak(t)
}
