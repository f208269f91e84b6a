package simtest

import (
	"slices"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// connsPerPeer is two, as in libp2phost: one from each side.
const connsPerPeer = 2

// maxPending is how many messages wait for a connection of our own; as many as
// libp2phost queues for one peer.
const maxPending = 256

// HostConfig is one host.
type HostConfig struct {
	ID           core.PeerID
	Addrs        []multiaddr.Multiaddr  // where it listens
	Places       int                    // peers connected at a time
	KeepOutbound int                    // of them, for peers that it dials
	Guests       int                    // newcomers without a place, at a time
	GuestFor     time.Duration          // that a guest may stay
	Reserved     func(core.PeerID) bool // has a place beyond Places; nil: nobody
	Symmetry     bool                   // sends on connections that it dialled only
}

// DefaultHostConfig has the limits of a node: 50 places (Basalt: max peers), and 16
// guests of 10 s beyond them.
func DefaultHostConfig(id core.PeerID, addrs ...multiaddr.Multiaddr) HostConfig {
	return HostConfig{ID: id, Addrs: addrs, Places: 50, Guests: 16, GuestFor: 10 * time.Second}
}

// Host is one end of the network.
type Host struct {
	net    *Network
	cfg    HostConfig
	index  int
	post   func(core.Event)     // to whoever is at home
	now    func() time.Time     // by the host's own clock
	up     bool                 // it runs
	closed bool                 // its port takes no connections
	side   int                  // of a partition
	life   uint64               // counts restarts
	peers  map[core.PeerID]*tie // connected ones
	order  []*tie               // the same, in the order in which they came
	dials  map[core.PeerID]int  // under way
	blocks map[core.PeerID]time.Time
	places int // ordinary ones that are taken
	inside int // of them, by peers that dialled us
	guests int
	bytes  []Traffic // by lane
}

// tie is one host's view of a connected peer.
type tie struct {
	to       *Host
	conns    []*conn
	reserved bool
	guest    bool
	inbound  bool        // the peer dialled us first
	pending  []core.Send // with symmetry, while there is no connection of our own
}

// linked says in which directions there are connections.
func (t *tie) linked(h *Host) core.Linked {
	l := core.Linked{Peer: t.to.cfg.ID}
	for _, c := range t.conns {
		l.Inbound = l.Inbound || c.listener == h
		l.Outbound = l.Outbound || c.dialler == h
	}
	return l
}

// NewHost adds a host, which is down until it is started.
func (n *Network) NewHost(cfg HostConfig, now func() time.Time, post func(core.Event)) *Host {
	h := &Host{net: n, cfg: cfg, index: len(n.hosts), post: post, now: now, blocks: map[core.PeerID]time.Time{}}
	if cfg.Reserved == nil {
		h.cfg.Reserved = func(core.PeerID) bool { return false }
	}
	n.hosts = append(n.hosts, h)
	h.listen(cfg.Addrs)
	h.reset()
	return h
}

func (h *Host) listen(addrs []multiaddr.Multiaddr) {
	for _, a := range addrs {
		h.net.byAddr[string(a.Bytes())] = h
	}
	h.cfg.Addrs = addrs
}

func (h *Host) reset() {
	for _, t := range h.order {
		for _, c := range t.conns {
			c.up[c.end(h)] = false
		}
	}
	h.peers, h.order, h.dials = map[core.PeerID]*tie{}, nil, map[core.PeerID]int{}
	h.places, h.inside, h.guests = 0, 0, 0
	h.life++
}

// Block refuses connections with a peer until a time.
func (h *Host) Block(peer core.PeerID, until time.Time) {
	if until.IsZero() {
		delete(h.blocks, peer)
		return
	}
	h.blocks[peer] = until
}

// refuse says why a connection may not be; guest, that it is one of a guest.
func (h *Host) refuse(peer core.PeerID, inbound bool) (why string, guest bool) {
	if h.blocks[peer].After(h.now()) {
		return "blocked", false
	}
	if t := h.peers[peer]; t != nil {
		if len(t.conns) >= connsPerPeer {
			return "two connections are enough", false
		}
		return "", false
	}
	full := h.places >= h.cfg.Places || inbound && h.inside >= h.cfg.Places-h.cfg.KeepOutbound
	switch {
	case h.cfg.Reserved(peer) || !full:
		return "", false
	case inbound && h.guests < h.cfg.Guests:
		return "", true
	}
	return "all places are taken", false
}

// enter books a connection and tells of it.
func (h *Host) enter(c *conn, inbound, guest bool) {
	to := c.other(h)
	c.up[c.end(h)] = true
	t := h.peers[to.cfg.ID]
	if t == nil {
		t = &tie{to: to, guest: guest, inbound: inbound, reserved: h.cfg.Reserved(to.cfg.ID)}
		h.peers[to.cfg.ID] = t
		h.order = append(h.order, t)
		h.count(t, 1)
		addr := multiaddr.Multiaddr(nil)
		if len(to.cfg.Addrs) > 0 {
			addr = to.cfg.Addrs[0]
		}
		t.conns = append(t.conns, c)
		h.post(core.Connected{Peer: to.cfg.ID, Addr: addr, Inbound: inbound, Guest: guest})
		if guest {
			h.expel(t)
		}
	} else {
		t.conns = append(t.conns, c)
	}
	h.post(t.linked(h))
	if !inbound {
		h.flush(t)
	}
}

// expel ends a guest's stay when its time is over.
func (h *Host) expel(t *tie) {
	h.net.sim.After(h.cfg.GuestFor, func() {
		if h.peers[t.to.cfg.ID] == t {
			h.Close(t.to.cfg.ID)
		}
	})
}

func (h *Host) count(t *tie, by int) {
	switch {
	case t.guest:
		h.guests += by
	case !t.reserved:
		h.places += by
		if t.inbound {
			h.inside += by
		}
	}
}

// Close ends every connection to a peer.
func (h *Host) Close(peer core.PeerID) {
	if t := h.peers[peer]; t != nil {
		for _, c := range slices.Clone(t.conns) {
			h.tellEnd(c)
			h.leave(c)
		}
	}
}

// tellEnd tells the other end that a connection is over, after all that was sent
// on it.
func (h *Host) tellEnd(c *conn) {
	other, life := c.other(h), c.other(h).life
	at := max(h.net.sim.now+h.net.latency(h, other), c.lastArrival(h))
	h.net.sim.schedule(at, call(func() {
		if other.life == life && h.side == other.side {
			other.leave(c)
		}
	}))
}

// leave strikes out a connection that is over.
func (h *Host) leave(c *conn) {
	if !h.up || !c.up[c.end(h)] {
		return
	}
	c.up[c.end(h)] = false
	peer := c.other(h).cfg.ID
	t := h.peers[peer]
	before := t.linked(h)
	t.conns = slices.DeleteFunc(t.conns, func(x *conn) bool { return x == c })
	if len(t.conns) > 0 {
		if now := t.linked(h); now != before {
			h.post(now)
		}
		return
	}
	delete(h.peers, peer)
	h.order = slices.DeleteFunc(h.order, func(x *tie) bool { return x == t })
	h.count(t, -1)
	h.post(core.Disconnected{Peer: peer})
}

// Send sends a message, or drops it where there is no connection.
func (h *Host) Send(m core.Send) {
	t := h.peers[m.Peer]
	if t == nil {
		return
	}
	at := 0
	if h.cfg.Symmetry {
		at = slices.IndexFunc(t.conns, func(c *conn) bool { return c.dialler == h })
	}
	if at >= 0 {
		h.sendOn(t.conns[at], m)
	} else if len(t.pending) < maxPending {
		t.pending = append(t.pending, m)
	}
}

func (h *Host) flush(t *tie) {
	pending := t.pending
	t.pending = nil
	for _, m := range pending {
		h.Send(m)
	}
}

func (h *Host) sendOn(c *conn, s core.Send) {
	n := h.net
	lane := n.lane(s.Protocol)
	h.traffic(lane).Sent.add(len(s.Payload))
	if n.cfg.Loss > 0 && n.sim.rng.Float64() < n.cfg.Loss {
		return
	}
	m := n.newMessage()
	m.conn, m.to, m.lane, m.kind, m.payload = c, c.other(h), lane, s.Type, s.Payload
	n.sim.schedule(c.arrival(h, lane), m)
}

// Connections is how many there are to a peer.
func (h *Host) Connections(peer core.PeerID) int {
	if t := h.peers[peer]; t != nil {
		return len(t.conns)
	}
	return 0
}

// NumPeers is how many peers are connected, guests included.
func (h *Host) NumPeers() int { return len(h.peers) }
