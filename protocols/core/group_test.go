package core

import (
	"testing"

	"github.com/multiformats/go-multiaddr"
)

func TestOnlyPublicAddressesHaveAGroup(t *testing.T) {
	for addr, want := range map[string]Group{
		"/ip4/8.8.4.4/tcp/1":              "8.8.4.0/24",
		"/ip4/8.8.4.255/udp/1/quic-v1":    "8.8.4.0/24",
		"/ip4/8.8.5.4/tcp/1":              "8.8.5.0/24",
		"/ip6/2600:1:2:3::4/tcp/1":        "2600:1:2::/48",
		"/ip6/2600:1:2:ffff::1/tcp/1":     "2600:1:2::/48",
		"/ip4/127.0.0.1/tcp/1":            "",
		"/ip4/10.1.2.3/tcp/1":             "",
		"/ip4/192.168.1.1/tcp/1":          "",
		"/ip4/172.17.0.2/tcp/1":           "",
		"/ip4/100.64.0.1/tcp/1":           "",
		"/ip4/169.254.1.1/tcp/1":          "",
		"/ip4/0.0.0.0/tcp/1":              "",
		"/ip6/::1/tcp/1":                  "",
		"/ip6/fd00::1/tcp/1":              "",
		"/ip6/fe80::1/tcp/1":              "",
		"/ip6zone/eth0/ip6/fe80::1/tcp/1": "",
		"/dns4/example.com/tcp/1":         "",
		"/ip4/8.8.4.4/tcp/1/p2p/12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB/p2p-circuit": "",
	} {
		if got := GroupOf(multiaddr.StringCast(addr)); got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
	if got := GroupOf(nil); got != "" {
		t.Errorf("no address is in %q", got)
	}
}
