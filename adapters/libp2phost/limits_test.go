package libp2phost

import (
	"os"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"
)

func TestPerIPLimitsHoldAsConfigured(t *testing.T) {
	for name, tc := range map[string]struct {
		loopback bool
		want     int
	}{
		"loopback counts":    {true, 2},
		"loopback is exempt": {false, 5},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHost(t, func(c *Config) { c.ConnsPerIP, c.LimitLoopback = 2, tc.loopback })
			for range 5 {
				_ = plainHost(t).Connect(testContext(t), h.on("tcp"))
			}
			eventually(t, "the limit holds", func() bool {
				return h.NumPeers() == tc.want && h.Stats().Refused["resources"] >= uint64(5-tc.want)
			})
		})
	}
}

func TestPerIPLimitsCoverAllOfAnIPv6Site(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ConnsPerIP, cfg.ConnRatePerIP = 2, 0
	m, err := newLimits(cfg, newRefusals(cfg.withDefaults().Logger))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	open := func(addr string) error {
		_, err := m.OpenConnection(network.DirInbound, true, ma.StringCast(addr))
		return err
	}
	for i, tc := range []struct {
		addr string
		ok   bool
	}{
		{"/ip6/2001:db8:0:1::1/tcp/1", true},
		{"/ip6/2001:db8:0:1::2/tcp/1", true},
		{"/ip6/2001:db8:0:1::3/tcp/1", false},
		{"/ip6/2001:db8:0:ff::3/tcp/1", false},
		{"/ip6/2001:db8:0:100::1/tcp/1", true},
		{"/ip4/10.1.1.1/tcp/1", true},
		{"/ip4/10.1.1.1/tcp/2", true},
		{"/ip4/10.1.1.1/tcp/3", false},
		{"/ip4/10.1.1.2/tcp/1", true},
	} {
		if err := open(tc.addr); (err == nil) != tc.ok {
			t.Errorf("%d: %s: %v", i, tc.addr, err)
		}
	}
}

func TestNewConnectionsPerIPAreRated(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ConnsPerIP, cfg.ConnRatePerIP = 4, 0.001
	refused := newRefusals(cfg.withDefaults().Logger)
	m, err := newLimits(cfg, refused)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	opened := 0
	for range 20 {
		if scope, err := m.OpenConnection(network.DirInbound, true, ma.StringCast("/ip4/10.1.1.1/tcp/1")); err == nil {
			opened++
			scope.Done()
		}
	}
	if opened != 8 || refused.snapshot()["resources"] != 12 {
		t.Fatalf("%d opened, refused %v", opened, refused.snapshot())
	}
}

func TestLimitsGrowWithMemoryAndNeverBelowMaxPeers(t *testing.T) {
	small := concreteLimits(64<<20, 1).ToPartialLimitConfig()
	large := concreteLimits(64<<30, 1).ToPartialLimitConfig()
	if small.System.Memory != minMemoryBytes || large.System.Memory <= small.System.Memory {
		t.Errorf("memory %d and %d", small.System.Memory, large.System.Memory)
	}
	crowd := concreteLimits(64<<20, 500).ToPartialLimitConfig()
	if crowd.System.ConnsInbound < 1000 || crowd.Transient.ConnsInbound < 500 {
		t.Errorf("connections %d, in handshakes %d", crowd.System.ConnsInbound, crowd.Transient.ConnsInbound)
	}
	// yamux ends the whole connection when it cannot reserve a stream's window
	if streams := int(crowd.System.Memory) / streamWindow; streams < 500*windowsPerPeer {
		t.Errorf("windows for %d streams", streams)
	}
	if got := crowd.Protocol[identify.ID].StreamsInbound; got < 1000 {
		t.Errorf("%d identify streams", got)
	}
}

func TestTheMemoryLimitIsFoundAndCanBeSet(t *testing.T) {
	if got, err := memoryLimit(123); got != 123 || err != nil {
		t.Errorf("configured: %d, %v", got, err)
	}
	if _, err := os.Stat("/proc/meminfo"); err != nil {
		t.Skip("no /proc/meminfo here, so the memory cannot be told")
	}
	if got, err := memoryLimit(0); got < 64<<20 || err != nil {
		t.Errorf("found: %d, %v", got, err)
	}
}
