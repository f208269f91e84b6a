package libp2phost

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

// startError is what New says; a host that starts after all is closed.
func startError(t *testing.T, addrs ...ma.Multiaddr) error {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Key = testKey(t)
	cfg.Listen = addrs
	h, err := New(cfg)
	if err == nil {
		t.Cleanup(func() { _ = h.Close() })
	}
	return err
}

func TestAPortInUseIsNamedWithARemedy(t *testing.T) {
	first := newTestHost(t)
	for transport, remedy := range map[string]string{
		"tcp":     "--listen /ip4/127.0.0.1/tcp/0",
		"quic-v1": "--listen /ip4/127.0.0.1/udp/0/quic-v1",
	} {
		taken := first.on(transport).Addrs[0]
		err := startError(t, taken)
		if !errors.Is(err, ErrAddrInUse) || !strings.Contains(err.Error(), taken.String()) || !strings.Contains(err.Error(), remedy) {
			t.Errorf("%s: %v", transport, err)
		}
	}
}

func TestOneFailingAddressFailsAll(t *testing.T) {
	taken := newTestHost(t).on("tcp").Addrs[0]
	if err := startError(t, loopbackTCP, loopbackQUIC, taken); !errors.Is(err, ErrAddrInUse) {
		t.Fatalf("got %v", err)
	}
}

func TestListenErrorsExplain(t *testing.T) {
	for name, tc := range map[string]struct {
		addr string
		want error
	}{
		"another machine's":     {"/ip4/192.0.2.1/tcp/0", ErrAddrNotOurs},
		"transport not offered": {"/ip4/127.0.0.1/tcp/0/ws", ErrAddrNotListens},
	} {
		if err := startError(t, ma.StringCast(tc.addr)); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), "listen") {
			t.Errorf("%s: %v", name, err)
		}
	}
	low := listenError(ma.StringCast("/ip4/0.0.0.0/tcp/80"), fmt.Errorf("bind: %w", syscall.EACCES))
	if !errors.Is(low, ErrAddrForbidden) || !strings.Contains(low.Error(), "/ip4/0.0.0.0/tcp/0") {
		t.Errorf("privileged port: %v", low)
	}
}

func TestAMachineWithoutIPv6IsNoErrorForTheWildcard(t *testing.T) {
	for addr, want := range map[string]bool{
		"/ip6/::/tcp/30303":         true,
		"/ip6/::/udp/30303/quic-v1": true,
		"/ip6/fd00::1/tcp/30303":    false,
		"/ip4/0.0.0.0/tcp/30303":    false,
	} {
		if got := noIPv6(ma.StringCast(addr), fmt.Errorf("socket: %w", syscall.EAFNOSUPPORT)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if noIPv6(ma.StringCast("/ip6/::/tcp/30303"), syscall.EADDRINUSE) {
		t.Error("a port in use is no lack of IPv6")
	}
}

func TestAHostWithoutListenAddressesOnlyDials(t *testing.T) {
	h, to := newTestHost(t, func(c *Config) { c.Listen = nil }), newTestHost(t)
	mustConnect(t, h, to.info())
	if got := h.Addrs(); len(got) != 0 {
		t.Fatalf("announces %s", got)
	}
}
