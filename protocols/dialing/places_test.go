package dialing

import (
	"strings"
	"testing"

	"github.com/multiformats/go-multiaddr"
)

func TestPlacesAreTheAddressesThatWerePacked(t *testing.T) {
	long := multiaddr.StringCast("/dns4/" + strings.Repeat("a.", 120) + "example/tcp/1") // over one byte of length
	all := []multiaddr.Multiaddr{
		multiaddr.StringCast("/ip4/1.2.3.4/tcp/1"), multiaddr.StringCast("/ip6/::1/udp/2/quic-v1"), long,
	}
	for n := range len(all) + 1 {
		p := pack(all[:n])
		if !sameAddrs(p.addrs(), all[:n]) || !p.equal(all[:n]) {
			t.Errorf("%v became %v", all[:n], p.addrs())
		}
		for i, a := range all {
			if at := p.find(a); i < n && at != i || i >= n && at >= 0 || p.has(a) != (i < n) {
				t.Errorf("of %d addresses %v is at %d", n, a, at)
			}
			if i != n && p.equal(all[:i]) {
				t.Errorf("%d addresses equal %d", n, i)
			}
		}
	}
	if pack(all[:2]).equal([]multiaddr.Multiaddr{all[1], all[0]}) {
		t.Error("the order does not count, but the most trusted come first")
	}
}
