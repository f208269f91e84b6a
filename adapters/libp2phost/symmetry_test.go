package libp2phost

import (
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

var bothTransports = []string{"tcp", "quic-v1"}

func symmetric(c *Config) { c.Symmetry = true }

// booked are the directions of a peer's connections in the book, inbound first.
func booked(h *testHost, p peer.ID) (dirs []network.Direction) {
	for _, pl := range h.book.list() {
		if pl.conns[0].RemotePeer() == p {
			for _, c := range pl.conns {
				dirs = append(dirs, c.Stat().Direction)
			}
		}
	}
	slices.Sort(dirs)
	return dirs
}

var eachWay = []network.Direction{network.DirInbound, network.DirOutbound}

func TestAPeerThatDialledUsIsDialledBack(t *testing.T) {
	for _, transport := range bothTransports {
		t.Run(transport, func(t *testing.T) {
			a, b := newTestHost(t, symmetric), newTestHost(t, symmetric)
			mustConnect(t, a, b.on(transport))
			await(t, b.events, any1[core.Connected])
			mustConnect(t, b, a.on(transport))
			for _, pair := range [][2]*testHost{{a, b}, {b, a}} {
				eventually(t, "there is a connection each way", func() bool { return slices.Equal(booked(pair[0], pair[1].ID()), eachWay) })
			}
			mustConnect(t, b, a.on(transport)) // no third
			if got := booked(b, a.ID()); !slices.Equal(got, eachWay) {
				t.Errorf("dialled again: %v", got)
			}
		})
	}
}

func TestWithoutSymmetryAPeerThatDialledUsIsNotDialled(t *testing.T) {
	a, b := newTestHost(t), newTestHost(t)
	mustConnect(t, a, b.info())
	await(t, b.events, any1[core.Connected])
	mustConnect(t, b, a.info())
	if got := booked(b, a.ID()); len(got) != 1 || got[0] != network.DirInbound {
		t.Errorf("connections %v", got)
	}
}
