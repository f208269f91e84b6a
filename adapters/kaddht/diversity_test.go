package kaddht

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p-kbucket/peerdiversity"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func TestOnlyPublicAddressesHaveAGroup(t *testing.T) {
	for addr, want := range map[string]group{
		"/ip4/8.8.8.8/tcp/1":                      "8.8.0.0",
		"/ip4/8.8.4.4/udp/1/quic-v1":              "8.8.0.0",
		"/ip4/8.9.0.1/tcp/1":                      "8.9.0.0",
		"/ip4/17.1.2.3/tcp/1":                     "17.0.0.0", // one owner has all of 17/8
		"/ip4/127.0.0.1/tcp/1":                    "",
		"/ip4/10.1.2.3/tcp/1":                     "",
		"/ip4/172.17.0.2/tcp/1":                   "",
		"/ip4/192.168.1.1/tcp/1":                  "",
		"/ip4/169.254.1.1/tcp/1":                  "",
		"/ip4/100.64.0.1/tcp/1":                   "",
		"/ip6/::1/tcp/1":                          "",
		"/ip6/fe80::1/tcp/1":                      "",
		"/ip6/fd00::1/tcp/1":                      "",
		"/ip6/2001:4860:4860::8888/tcp/1":         "AS15169",
		"/ip6/2001:4860:4860::8844/udp/1/quic-v1": "AS15169",
		"/dns4/example.org/tcp/1":                 "",
	} {
		got, public := groupOf(ma.StringCast(addr))
		if got != want || public != (want != "") {
			t.Errorf("%s: group %q, public %v; want %q", addr, got, public, want)
		}
	}
}

// Public IPv6 of no known system falls into groups by /32, not into one for all.
func TestUnknownIPv6SystemsAreToldApart(t *testing.T) {
	a, _ := groupOf(ma.StringCast("/ip6/3fff:1::1/tcp/1"))
	b, _ := groupOf(ma.StringCast("/ip6/3ffe:1::1/tcp/1"))
	c, _ := groupOf(ma.StringCast("/ip6/3ffe:1:2::9/tcp/1"))
	if a == b || b != c {
		t.Errorf("groups are %q, %q, %q", a, b, c)
	}
}

// table is a library filter over ours, with peers whose addresses the test makes up.
type table struct {
	*peerdiversity.Filter
	d     *diversity
	addrs map[peer.ID][]ma.Multiaddr
}

func newTable(t *testing.T, bucket func(peer.ID) int) *table {
	tab := &table{addrs: make(map[peer.ID][]ma.Multiaddr)}
	tab.d = newDiversity(func(p peer.ID) []ma.Multiaddr { return tab.addrs[p] })
	var err error
	if tab.Filter, err = peerdiversity.NewFilter(tab.d, "test", bucket); err != nil {
		t.Fatal(err)
	}
	return tab
}

func (tab *table) try(p peer.ID, addrs ...string) bool {
	tab.addrs[p] = nil
	for _, a := range addrs {
		tab.addrs[p] = append(tab.addrs[p], ma.StringCast(a))
	}
	return tab.TryAdd(p)
}

func apart(p peer.ID) int  { return int(p[0]) } // a bucket per first letter
func together(peer.ID) int { return 0 }

func TestAGroupGetsThreePlacesInTheTableAndTwoInABucket(t *testing.T) {
	for name, c := range map[string]struct {
		bucket func(peer.ID) int
		want   int
	}{"one bucket": {together, 2}, "many buckets": {apart, 3}} {
		t.Run(name, func(t *testing.T) {
			for _, format := range []string{"/ip4/8.8.1.%d/tcp/1", "/ip6/2001:4860::%d/tcp/1"} {
				tab := newTable(t, c.bucket)
				in := 0
				for i := range 10 {
					if tab.try(peer.ID(rune('a'+i)), fmt.Sprintf(format, i+1)) {
						in++
					}
				}
				if in != c.want {
					t.Errorf("%s: %d got in, want %d", format, in, c.want)
				}
			}
		})
	}
}

func TestPrivateNetworksAreNotThinnedOut(t *testing.T) {
	for _, format := range []string{"/ip4/127.0.0.1/tcp/%d", "/ip4/10.0.0.%d/tcp/1", "/ip4/172.17.0.%d/tcp/1", "/ip6/fd00::%d/tcp/1", "/ip6/::1/tcp/%d"} {
		tab := newTable(t, together)
		for i := range 50 {
			if !tab.try(peer.ID(fmt.Sprint(i)), fmt.Sprintf(format, i+1)) {
				t.Fatalf("%s: peer %d was refused", format, i)
			}
		}
		if len(tab.d.counts) != 0 {
			t.Errorf("%s: groups were counted: %v", format, tab.d.counts)
		}
	}
}

func TestAPeerWithManyAddressesCountsOncePerGroup(t *testing.T) {
	tab := newTable(t, apart)
	if !tab.try("a", "/ip4/8.8.1.1/tcp/1", "/ip4/8.8.1.1/udp/1/quic-v1", "/ip4/8.8.2.2/tcp/1", "/ip4/10.0.0.1/tcp/1") {
		t.Fatal("refused")
	}
	if n := tab.d.counts[slot{"8.8.0.0", wholeTable}]; n != 1 {
		t.Errorf("counted %d times", n)
	}
}

func TestAPlaceIsFreedByTheGroupsThatThePeerEnteredWith(t *testing.T) {
	tab := newTable(t, together)
	tab.try("a", "/ip4/8.8.1.1/tcp/1")
	tab.try("b", "/ip4/8.8.1.2/tcp/1")
	if tab.try("c", "/ip4/8.8.1.3/tcp/1") {
		t.Fatal("a third one got in")
	}
	tab.addrs["a"] = []ma.Multiaddr{ma.StringCast("/ip4/9.9.9.9/tcp/1")} // it moved meanwhile
	tab.Remove("a")
	tab.Remove("a")
	if !tab.try("c", "/ip4/8.8.1.3/tcp/1") {
		t.Error("its place was not freed")
	}
	tab.Remove("b")
	tab.Remove("c")
	if len(tab.d.counts)+len(tab.d.members) != 0 {
		t.Errorf("left over: %v, %v", tab.d.counts, tab.d.members)
	}
}
