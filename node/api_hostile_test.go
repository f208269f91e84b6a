package node_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/node"
)

func TestWhatStrangersWriteDoesNotSpoilTheListOfPeers(t *testing.T) {
	const odd = "\xff\x1b[2J"
	a := start(t, withAPI, func(c *node.Config) {
		c.Bootstrap = []string{"/dns4/" + odd + ".invalid/tcp/1/p2p/12D3KooWGRYZDHBembyGJQqQ6WgLqJWYNjnECJwGBnCg8vbCeo8F"}
	})
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableRelay(), libp2p.DisableMetrics(),
		libp2p.UserAgent(odd+strings.Repeat("a", 4000)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	h.SetStreamHandler("/"+odd+"/1", func(network.Stream) {})
	info, err := peer.AddrInfoFromP2pAddr(a.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(soon(t), *info); err != nil {
		t.Fatal(err)
	}
	api := client(t, a)
	eventually(t, "identify", func() bool {
		r, err := api.Peers(soon(t), &weftv1.PeersRequest{All: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Peers) != 2 {
			return false
		}
		agent := r.Peers[0].Agent // connected peers come first
		if len(agent) > 200 || !utf8.ValidString(agent) {
			t.Fatalf("agent is %q", agent)
		}
		return agent != ""
	})
}
