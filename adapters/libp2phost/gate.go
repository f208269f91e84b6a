package libp2phost

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// The overlay sees a peer that is admitted, to whom we have a connection of our
// own, if there is symmetry, and with whom pubsub is settled.

// settleTime is for how long a peer is hidden from the overlay when a connection
// that carried pubsub is lost and others stay. pubsub forgets the topics of a peer
// when a stream in either direction ends, and is told them only at the beginning
// of a new one; with one stream gone and the other alive it would never be told
// again. So all of them are ended, and new ones begin when both ends have noticed:
// chosen because a dozen round trips pass in it. A stream that could not be opened
// is the same: pubsub gives up on the peer until it is shown again.
const settleTime = time.Second

// unsettle hides a peer until settleTime has passed.
func (b *book) unsettle(pl *place) {
	pl.settles = time.Now().Add(settleTime)
	pl.failed = false
	b.look()
}

// try counts in that pubsub opens a stream, until end is called.
func (b *book) try(p peer.ID) (end func(ok bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pl := b.places[p]
	if pl == nil {
		return func(bool) {}
	}
	pl.trying++
	return func(ok bool) {
		b.mu.Lock()
		defer b.mu.Unlock()
		pl.trying--
		pl.failed = !ok
		if !ok && !pl.settles.IsZero() { // let pubsub notice
			b.unsettle(pl)
		}
	}
}

// settle lets the overlay see a peer again. What pubsub opened in the meantime,
// when it noticed the end of its stream before the peer was hidden, ends first.
func (b *book) settle(p peer.ID, conns []network.Conn) {
	resetPubsub(conns, network.DirOutbound)
	b.mu.Lock()
	defer b.mu.Unlock()
	pl := b.places[p]
	if pl == nil {
		return
	}
	pl.settling = false
	if pl.trying > 0 {
		b.unsettle(pl)
	}
	if time.Now().Before(pl.settles) { // for that, or another connection was lost
		b.look()
		return
	}
	pl.settles = time.Time{}
	b.show(p, pl)
}

// resetPubsub ends the streams of pubsub that have one of the directions.
func resetPubsub(conns []network.Conn, dirs ...network.Direction) {
	for _, c := range conns {
		for _, s := range c.GetStreams() {
			if isPubsub(s.Protocol()) && slices.Contains(dirs, s.Stat().Direction) {
				_ = s.Reset()
			}
		}
	}
}

// show makes the overlay see a peer, or hides it, as it should be now.
func (b *book) show(p peer.ID, pl *place) {
	shown := pl.admitted && pl.settles.IsZero() && (pl.linked.Outbound || !b.symmetry)
	if shown == pl.shown {
		return
	}
	pl.shown = shown
	if shown {
		close(pl.open)
		b.changes.Push(change{peer: p, to: visible})
		return
	}
	pl.open = make(chan struct{})
	b.changes.Push(change{peer: p, to: hidden})
}

// admitPeer opens the gate for a connected peer that is not a guest.
func (b *book) admitPeer(p peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pl := b.places[p]; pl != nil && !pl.guest {
		pl.admitted = true
		b.show(p, pl)
	}
}

// shown says whether the overlay sees a peer.
func (b *book) shown(p peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	pl := b.places[p]
	return pl != nil && pl.shown
}

// use says whether the overlay may use a connection for a stream, and remembers
// which ones carry pubsub.
func (b *book) use(c network.Conn, pubsub bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	pl := b.places[c.RemotePeer()]
	if pl == nil || !pl.shown || !slices.Contains(pl.conns, c) {
		return false
	}
	if pubsub && !slices.Contains(pl.carriers, c) {
		pl.carriers = append(pl.carriers, c)
	}
	return true
}

// place returns the channels on which a peer's visibility and end can be awaited.
func (b *book) place(p peer.ID) (open, gone <-chan struct{}, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pl := b.places[p]; pl != nil {
		return pl.open, pl.gone, true
	}
	return nil, nil, false
}

// hold counts a waiting stream in; it fails when limit of them wait. release
// must be called afterwards.
func (b *book) hold(p peer.ID, limit int) (release func(), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pl := b.places[p]
	if pl == nil || pl.held >= limit {
		return nil, false
	}
	pl.held++
	return func() { b.mu.Lock(); pl.held--; b.mu.Unlock() }, true
}
