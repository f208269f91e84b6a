package libp2phost

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/protocols/core"
)

const (
	// A peer has one connection that we dialled and one that it dialled: peers
	// that dial each other at the same moment end up with both, and closing
	// either would break streams that are already on it. Of its own it may have a
	// second one: when two of its dials succeed at once it drops one, and we may
	// see that one first; and one that broke may look alive to us when it is back.
	outboundPerPeer = 1
	inboundPerPeer  = 2

	// connsPerPeer is what lasts.
	connsPerPeer = 2

	// staleAfter is from when on a connection may be of a former life of its peer: chosen
	// above what two dials at once are apart.
	staleAfter = time.Second
)

// place is what one connected peer takes up, whatever its connections.
type place struct {
	conns    []network.Conn // the oldest first; closed ones until they are struck out
	reserved bool           // not counted towards the limits
	inbound  bool           // it dialled us first
	guest    bool           // all places were taken: never admitted
	leaves   time.Time      // when a guest must go
	site     netip.Prefix   // that a guest comes from
	leaving  bool           // its connections are being closed, and no further ones may come
	told     bool           // Connected was posted
	linked   core.Linked    // the last one posted
	admitted bool
	carriers []network.Conn // of conns, those that have carried a pubsub stream
	trying   int            // streams of pubsub that are being opened
	failed   bool           // the last of them could not be
	settles  time.Time      // pubsub starts anew with the peer at this time; zero: it need not
	settling bool           // that has begun
	shown    bool           // the overlay sees the peer
	open     chan struct{}  // closed while it does
	gone     chan struct{}  // closed with the last connection
	held     int            // inbound streams that wait for the overlay to see the peer
}

// book knows who is connected. The gater enters a connection before libp2p uses
// it, so the limits hold exactly; the notifier strikes it out.
type book struct {
	self       peer.ID
	max        int // places
	maxInbound int // of them, for peers that dial us
	guestTime  time.Duration
	symmetry   bool
	reserved   func(peer.ID) bool
	blocks     *blocks
	denials    *denials
	changes    *queue.Queue[change]     // for the overlay
	events     *queue.Queue[core.Event] // for the node
	messages   *messenger               // nil: none

	mu       sync.Mutex
	places   map[peer.ID]*place
	ordinary int // places that count towards max
	inbound  int // of them, towards maxInbound
	guests   guests
	late     []network.Conn // to be closed: up when their peer was leaving already, or retired
	wake     chan struct{}  // has room for one: run should look again
}

func newBook(self peer.ID, cfg Config) *book {
	return &book{
		self: self, max: cfg.MaxPeers, maxInbound: cfg.MaxPeers - cfg.KeepOutbound,
		guests: newGuests(cfg), guestTime: cfg.GuestTime, symmetry: cfg.Symmetry,
		reserved: cfg.Reserved, blocks: newBlocks(cfg.Group), denials: &denials{list: make(map[peer.ID]*refusal)},
		places: make(map[peer.ID]*place),
		wake:   make(chan struct{}, 1),
	}
}

// watch says who is told of changes, in their order. It is called before there
// are connections.
func (b *book) watch(changes *queue.Queue[change], events *queue.Queue[core.Event]) {
	b.changes, b.events = changes, events
}

// refuse says why a further connection with p may not be; nil when it may. addr is
// the other end; nil while that is not known.
func (b *book) refuse(p peer.ID, dir network.Direction, addr ma.Multiaddr) *refusal {
	reserved := b.reserved(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	_, why := b.refuseLocked(p, reserved, dir, addr)
	return why
}

// refuseLocked also says whether the peer would be a guest.
func (b *book) refuseLocked(p peer.ID, reserved bool, dir network.Direction, addr ma.Multiaddr) (guest bool, why *refusal) {
	if p == b.self {
		return false, &refusal{ReasonSelf, "it is this node itself"}
	}
	if why := b.blocks.refuse(time.Now(), p); why != nil {
		return false, why
	}
	if addr != nil {
		if why := b.blocks.refuseAt(time.Now(), addr, reserved); why != nil {
			return false, why
		}
	}
	if pl := b.places[p]; pl != nil {
		if why = pl.refuse(dir, b.symmetry); why != nil && dir == network.DirInbound {
			b.retire(pl)
		}
		return pl.guest, why
	}
	if reserved {
		return false, nil
	}
	if why = b.full(dir); why != nil && b.guests.may(dir, addr) {
		return true, nil
	}
	return false, why
}

// refuse says why a connected peer may not have a further connection.
func (pl *place) refuse(dir network.Direction, symmetry bool) *refusal {
	if pl.leaving {
		return &refusal{ReasonPerPeer, "the peer is being disconnected: connect again when that is done"}
	}
	n, most, whose := pl.live(dir), inboundPerPeer, "of its own"
	if dir == network.DirOutbound && pl.guest && !symmetry { // with it, we can answer on a connection of our own only
		return &refusal{ReasonFull, "the peer is here as a guest, since all places are taken"}
	}
	if dir == network.DirOutbound {
		most, whose = outboundPerPeer, "of ours"
	}
	if n < most {
		return nil
	}
	return &refusal{ReasonPerPeer, fmt.Sprintf("the peer has %d connections %s already", n, whose)}
}

// retire closes the oldest connection of a peer that dials us again much later: it may have
// been killed twice, and QUIC connections of its former lives look alive for half a minute.
// The next one finds a place.
func (b *book) retire(pl *place) {
	for _, c := range pl.conns {
		if c.Stat().Direction != network.DirInbound || c.IsClosed() {
			continue
		}
		if time.Since(c.Stat().Opened) >= staleAfter && !slices.Contains(b.late, c) {
			b.late = append(b.late, c)
			b.look()
		}
		return
	}
}

// live counts the connections in a direction.
func (pl *place) live(dir network.Direction) (n int) {
	for _, c := range pl.conns {
		if c.Stat().Direction == dir && !c.IsClosed() {
			n++
		}
	}
	return n
}

// enter books a connection, or says why not.
func (b *book) enter(c network.Conn) *refusal {
	p := c.RemotePeer()
	reserved := b.reserved(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	guest, why := b.refuseLocked(p, reserved, c.Stat().Direction, c.RemoteMultiaddr())
	if why != nil {
		return why
	}
	pl := b.places[p]
	if pl == nil {
		pl = &place{
			reserved: reserved, inbound: c.Stat().Direction == network.DirInbound, guest: guest,
			open: make(chan struct{}), gone: make(chan struct{}),
		}
		b.places[p] = pl
		if guest {
			pl.site = b.guests.site(c.RemoteMultiaddr())
			pl.leaves = time.Now().Add(b.guestTime)
			b.look()
		}
		b.count(pl, 1)
	}
	pl.conns = append(pl.conns, c)
	return nil
}

// strike removes a connection that is gone. When it has carried pubsub, or was to,
// and others stay, streams of pubsub on those must end: see settleTime.
func (b *book) strike(c network.Conn) {
	p := c.RemotePeer()
	b.mu.Lock()
	pl := b.places[p]
	if pl == nil {
		b.mu.Unlock()
		return
	}
	if pl.conns = without(pl.conns, c); len(pl.conns) == 0 {
		b.leave(p, pl)
		b.mu.Unlock()
		return
	}
	if linked, changed := pl.link(p); changed && pl.told {
		b.events.Push(linked)
	}
	var others []network.Conn
	if slices.Contains(pl.carriers, c) || pl.trying > 0 || pl.failed {
		pl.carriers = without(pl.carriers, c)
		others = slices.Clone(pl.conns)
		b.unsettle(pl)
	}
	b.show(p, pl)
	b.mu.Unlock()
	resetPubsub(others, network.DirInbound, network.DirOutbound)
}

func without(conns []network.Conn, c network.Conn) []network.Conn {
	return slices.DeleteFunc(conns, func(have network.Conn) bool { return have == c })
}

// dismiss says that a peer's connections are about to be closed. Closing takes a
// moment, and who makes a further connection in it would stay without anybody
// being told that it went and came.
func (b *book) dismiss(p peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pl := b.places[p]; pl != nil {
		pl.leaving = true
	}
}

// leave removes a peer whose last connection is gone.
func (b *book) leave(p peer.ID, pl *place) {
	delete(b.places, p)
	b.count(pl, -1)
	close(pl.gone)
	b.changes.Push(change{peer: p, to: gone})
	b.messages.shut(p)
	if pl.told {
		b.events.Push(core.Disconnected{Peer: p})
	}
}

func (b *book) count(pl *place, by int) {
	switch {
	case pl.reserved:
		return
	case pl.guest:
		b.guests.count(pl.site, by)
		return
	}
	b.ordinary += by
	if pl.inbound {
		b.inbound += by
	}
}

// tell posts what is new now that a connection is up; false if nothing is.
func (b *book) tell(c network.Conn) bool {
	p := c.RemotePeer()
	b.mu.Lock()
	defer b.mu.Unlock()
	pl := b.places[p]
	if pl == nil {
		return false
	}
	if !pl.told {
		pl.told = true
		b.events.Push(opened{core.Connected{
			Peer: p, Addr: c.RemoteMultiaddr(), Guest: pl.guest,
			Inbound: c.Stat().Direction == network.DirInbound,
		}, b.messages.open(p)})
	}
	if pl.leaving {
		b.late = append(b.late, c)
		b.look()
	}
	linked, changed := pl.link(p)
	if changed {
		b.events.Push(counted{linked})
		b.show(p, pl)
	}
	return changed
}

// link says in which directions there are connections now, and whether that
// differs from the last time.
func (pl *place) link(p peer.ID) (linked core.Linked, changed bool) {
	linked = core.Linked{Peer: p}
	for _, c := range pl.conns {
		inbound := c.Stat().Direction == network.DirInbound
		linked.Inbound = linked.Inbound || inbound
		linked.Outbound = linked.Outbound || !inbound
	}
	changed = linked != pl.linked
	pl.linked = linked
	return linked, changed
}

// connected says whether a peer has a connection.
func (b *book) connected(p peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.places[p] != nil
}

// dialled says whether there is a connection that we dialled.
func (b *book) dialled(p peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	pl := b.places[p]
	return pl != nil && pl.live(network.DirOutbound) > 0
}

// sizes counts peers without the guests, admitted ones, guests and waiting streams.
func (b *book) sizes() (peers, admitted, guests, held int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, pl := range b.places {
		held += pl.held
		if pl.admitted {
			admitted++
		}
	}
	return len(b.places) - b.guests.all, admitted, b.guests.all, held
}
