package libp2phost

import (
	"errors"
	"strings"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

func TestScopeDecidesWhichAddressesCount(t *testing.T) {
	private := []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/tcp/1"), ma.StringCast("/ip4/10.0.0.1/tcp/1")}
	public := append(private[:2:2], ma.StringCast("/ip4/8.8.8.8/tcp/1"))
	for _, tc := range []struct {
		scope Scope
		own   []ma.Multiaddr
		addr  string
		want  bool
	}{
		{ScopeAuto, private, "/ip4/192.168.1.2/tcp/2", true},
		{ScopeAuto, private, "/ip4/127.0.0.1/tcp/2", true},
		{ScopeAuto, private, "/ip6/fd00::1/tcp/2", true},
		{ScopeAuto, private, "/ip4/1.1.1.1/tcp/2", true},
		{ScopeAuto, nil, "/ip4/10.0.0.2/tcp/2", true},
		{ScopeAuto, public, "/ip4/192.168.1.2/tcp/2", false},
		{ScopeAuto, public, "/ip4/127.0.0.1/tcp/2", false},
		{ScopeAuto, public, "/ip4/1.1.1.1/udp/2/quic-v1", true},
		{ScopeAuto, public, "/dns4/node.example.com/tcp/2", true},
		{ScopeAll, public, "/ip4/10.0.0.2/tcp/2", true},
		{ScopePublic, private, "/ip4/10.0.0.2/tcp/2", false},
		{ScopePublic, private, "/ip4/1.1.1.1/tcp/2", true},
		{ScopeAll, private, "/ip4/1.1.1.1/tcp/2/p2p/12D3KooWGRYZDHBembyGJQqQ6WgLqJWYNjnECJwGBnCg8vbCeo8F/p2p-circuit", false},
	} {
		if got := tc.scope.Keep(tc.own)(ma.StringCast(tc.addr)); got != tc.want {
			t.Errorf("scope %v, own %s: keeps %s: %v", tc.scope, tc.own, tc.addr, got)
		}
	}
	if ScopeAll.Keep(nil)(ma.StringCast("/dns4/" + strings.Repeat("a", maxAddrBytes) + "/tcp/1")) {
		t.Error("an endless address is kept")
	}
	if ScopeAll.Keep(nil)(nil) {
		t.Error("an empty address is kept")
	}
}

func TestScopeNamesGoBothWays(t *testing.T) {
	for _, s := range []Scope{ScopeAuto, ScopeAll, ScopePublic} {
		if got, err := ParseScope(s.String()); err != nil || got != s {
			t.Errorf("%v: %v, %v", s, got, err)
		}
	}
	if got, err := ParseScope(""); err != nil || got != ScopeAuto {
		t.Errorf("empty: %v, %v", got, err)
	}
	if _, err := ParseScope("lan"); !errors.Is(err, ErrScope) {
		t.Errorf("got %v", err)
	}
}
