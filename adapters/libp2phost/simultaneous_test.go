package libp2phost

import (
	"fmt"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// simultaneousRounds is for each combination: 150 in all.
const simultaneousRounds = 25

func TestSimultaneousDialsLeaveTwoConnectionsAtMostAndPubsubWorks(t *testing.T) {
	for _, symmetry := range []bool{false, true} {
		for name, at := range map[string]func(*testHost) peer.AddrInfo{
			"tcp":     func(h *testHost) peer.AddrInfo { return h.on("tcp") },
			"quic-v1": func(h *testHost) peer.AddrInfo { return h.on("quic-v1") },
			"both":    (*testHost).info,
		} {
			t.Run(fmt.Sprintf("%s/symmetry=%v", name, symmetry), func(t *testing.T) {
				set := func(c *Config) { c.Symmetry = symmetry }
				a, b := openHost(t, set), openHost(t, set)
				ca, cb := newChatter(t, a.Overlay(), 1<<20), newChatter(t, b.Overlay(), 1<<20)
				double := 0
				for i := range simultaneousRounds {
					double += meetAtOnce(t, a, b, at, symmetry)
					talk(t, a, b, ca, cb, fmt.Sprint("round ", i))
					if n := max(len(booked(a, b.ID())), len(booked(b, a.ID()))); n > 2 {
						t.Fatalf("round %d: %d connections", i, n)
					}
					part(t, a, b, ca, cb)
				}
				t.Logf("two connections in %d of %d rounds", double, simultaneousRounds)
			})
		}
	}
}

// meetAtOnce makes two hosts dial each other at the same moment, and waits until
// both agree on what is left. It returns 1 when two connections are.
func meetAtOnce(t *testing.T, a, b *testHost, at func(*testHost) peer.AddrInfo, symmetry bool) int {
	t.Helper()
	toA, toB := at(a), at(b)
	dialled := a.Stats().DialsStarted + b.Stats().DialsStarted
	a.Dial(toB.ID, toB.Addrs) // as nodes do; both only wake a worker
	b.Dial(toA.ID, toA.Addrs)
	eventually(t, "the dials have ended", func() bool {
		return a.Stats().DialsStarted+b.Stats().DialsStarted == dialled+2 && idle(a.dialer) && idle(b.dialer)
	})
	conns := 0
	eventually(t, "both agree on the connections, of which there are two at most", func() bool {
		ours, theirs := booked(a, b.ID()), booked(b, a.ID())
		conns = len(ours)
		if symmetry {
			return slices.Equal(ours, eachWay) && slices.Equal(theirs, eachWay)
		}
		if !a.book.shown(b.ID()) || !b.book.shown(a.ID()) { // one had seen the other's dial before it was given up
			return false
		}
		return conns >= 1 && conns <= 2 && len(theirs) == conns && slices.Contains(theirs, network.DirInbound) == slices.Contains(ours, network.DirOutbound)
	})
	return conns - 1
}

// idle says whether no dial is under way.
func idle(d *dialer) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.running) == 0
}

func part(t *testing.T, a, b *testHost, ca, cb *chatter) {
	t.Helper()
	eventually(t, "both have parted", func() bool {
		_ = a.Disconnect(b.ID()) // again: a connection may come to be only now
		_ = b.Disconnect(a.ID())
		return len(a.Peers())+len(b.Peers()) == 0 && !ca.knows(b.ID()) && !cb.knows(a.ID())
	})
}

// A connection that carried pubsub goes, another stays: both ends forget the
// topics of the other, and nobody would tell them again.
func TestPubsubSurvivesTheLossOfOneOfTwoConnections(t *testing.T) {
	for _, transport := range bothTransports {
		for _, dir := range eachWay {
			t.Run(fmt.Sprintf("%s/%s", transport, dir), func(t *testing.T) {
				t.Parallel() // most of the time it waits for peers to settle
				village := village{transport: transport}
				a, b := village.host(t), village.host(t)
				ca, cb := newChatter(t, a.Overlay(), 1<<20), newChatter(t, b.Overlay(), 1<<20)
				mustConnect(t, a, b.on(transport))
				talk(t, a, b, ca, cb, "before")
				for i := range 2 {
					lose(t, a, b.ID(), dir)
					eventually(t, "the loss is noticed by both", func() bool { return !ca.knows(b.ID()) && !cb.knows(a.ID()) })
					eventually(t, "both are linked again", func() bool {
						return slices.Equal(booked(a, b.ID()), eachWay) && slices.Equal(booked(b, a.ID()), eachWay)
					})
					talk(t, a, b, ca, cb, fmt.Sprint("after loss ", i))
				}
			})
		}
	}
}

// Without symmetry, and against one that has it and so made the second connection.
func TestPubsubSurvivesThatWithoutSymmetryToo(t *testing.T) {
	for _, dir := range eachWay {
		t.Run(dir.String(), func(t *testing.T) {
			t.Parallel()
			a, b := openHost(t), openHost(t, symmetric)
			ca, cb := newChatter(t, a.Overlay(), 1<<20), newChatter(t, b.Overlay(), 1<<20)
			connectEachWay(t, a, b, "tcp")
			talk(t, a, b, ca, cb, "before")
			lose(t, a, b.ID(), dir)
			eventually(t, "both have noticed", func() bool { return len(booked(a, b.ID())) == 1 && len(booked(b, a.ID())) == 1 })
			left := 1
			if dir == network.DirInbound { // b's own: without it, b speaks to nobody
				mustConnect(t, b, a.on("tcp"))
				left = 2
			}
			eventually(t, "both are settled", func() bool {
				return a.book.shown(b.ID()) && b.book.shown(a.ID()) && len(booked(a, b.ID())) == left && len(booked(b, a.ID())) == left
			})
			talk(t, a, b, ca, cb, "after")
		})
	}
}

// lose closes the connections of one direction.
func lose(t *testing.T, h *testHost, p peer.ID, dir network.Direction) {
	t.Helper()
	for _, c := range h.Base().Network().ConnsToPeer(p) {
		if c.Stat().Direction == dir {
			_ = c.Close()
		}
	}
}
