package dialing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// bench drives one machine by hand and keeps what it asked for.
type bench struct {
	t   *testing.T
	m   *Machine
	now time.Time
	out []core.Effect
}

func newBench(t *testing.T, change ...func(*Config)) *bench {
	cfg := DefaultConfig()
	cfg.Self = "Self"
	for _, f := range change {
		f(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, m: New(cfg, rand.New(rand.NewPCG(1, 2))), now: start}
	b.tick()
	return b
}

func (b *bench) tick()                     { b.m.Tick(b.now, &b.out) }
func (b *bench) handle(ev core.Event)      { b.m.Handle(b.now, ev, &b.out) }
func (b *bench) command(body any)          { b.handle(core.Command{Body: body}) }
func (b *bench) advance(d time.Duration)   { b.now = b.now.Add(d); b.tick() }
func (b *bench) fail(id core.PeerID)       { b.handle(core.DialFailed{Peer: id, Reason: "refused"}) }
func (b *bench) disconnect(id core.PeerID) { b.handle(core.Disconnected{Peer: id}) }
func (b *bench) discover(ids ...core.PeerID) {
	for _, id := range ids {
		b.handle(core.Discovered{Peer: id, Addrs: addrs(id), From: core.SourceDHT})
	}
}

// claim says that a peer signed a claim of addresses.
func (b *bench) claim(id core.PeerID, addrs ...multiaddr.Multiaddr) {
	b.handle(core.Discovered{Peer: id, Addrs: addrs, From: core.SourceClaim})
}

// hear says that the DHT named a peer at some addresses.
func (b *bench) hear(id core.PeerID, addrs ...multiaddr.Multiaddr) {
	b.handle(core.Discovered{Peer: id, Addrs: addrs, From: core.SourceDHT})
}

func (b *bench) link(id core.PeerID, in, out bool) {
	b.handle(core.Linked{Peer: id, Inbound: in, Outbound: out})
}

// wantDialAt says where the only dial since it was asked last went.
func (b *bench) wantDialAt(id core.PeerID, want ...multiaddr.Multiaddr) {
	b.t.Helper()
	dials := take[core.Dial](b)
	if len(dials) != 1 || dials[0].Peer != id || !sameAddrs(dials[0].Addrs, want) {
		b.t.Fatalf("dials %v, want one of %q at %v", dials, id, want)
	}
}

// connect says that our own dial to a peer succeeded.
func (b *bench) connect(id core.PeerID) { b.handle(core.Connected{Peer: id, Addr: addrs(id)[0]}) }

// accept says that a peer dialled us.
func (b *bench) accept(id core.PeerID) {
	b.handle(core.Connected{Peer: id, Addr: addr(40000), Inbound: true})
}

// advanceToDeadline lets the time pass that the machine asked for.
func (b *bench) advanceToDeadline() time.Duration {
	b.t.Helper()
	d := b.m.Deadline()
	if d.IsZero() {
		b.t.Fatal("the machine waits for nothing, want a deadline")
	}
	waited := d.Sub(b.now)
	if waited <= 0 {
		b.t.Fatalf("the deadline is %v in the past", -waited)
	}
	b.advance(waited)
	return waited
}

// take removes the effects of one type and returns them.
func take[E core.Effect](b *bench) []E {
	var found []E
	b.out = slices.DeleteFunc(b.out, func(e core.Effect) bool {
		f, is := e.(E)
		if is {
			found = append(found, f)
		}
		return is
	})
	return found
}

// wantDial says who is dialled, in any order, since it was asked last.
func (b *bench) wantDial(want ...core.PeerID) {
	b.t.Helper()
	got := []core.PeerID{}
	for _, d := range take[core.Dial](b) {
		got = append(got, d.Peer)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		b.t.Fatalf("dialled %q, want %q", got, want)
	}
}

// wantNotice says which notices came since it was asked last.
func (b *bench) wantNotice(want ...string) {
	b.t.Helper()
	got := []string{}
	for _, n := range take[core.Notify](b) {
		got = append(got, n.Notice.Kind)
	}
	if !slices.Equal(got, want) {
		b.t.Fatalf("notices %q, want %q", got, want)
	}
}

func (b *bench) wantSaved(id core.PeerID, want ...multiaddr.Multiaddr) {
	b.t.Helper()
	saved := take[core.Persist](b)
	if len(saved) != 1 {
		b.t.Fatalf("saved %v, want one record of %q", saved, id)
	}
	s := saved[0].Record.(core.SavedPeer)
	if s.Peer != id || !sameAddrs(s.Addrs, want) || !s.LastSeen.Equal(b.now) {
		b.t.Fatalf("saved %v, want %q at %v, seen now", s, id, want)
	}
}

func (b *bench) state(id core.PeerID) PeerState {
	b.t.Helper()
	for _, p := range b.m.Peers(b.now) {
		if p.ID == id {
			return p
		}
	}
	b.t.Fatalf("%q is unknown", id)
	return PeerState{}
}

func (b *bench) knows(id core.PeerID) bool { return b.m.book.get(id) != nil }

// at is an address on a host of its own.
func at(host string, port int) multiaddr.Multiaddr {
	return multiaddr.StringCast(fmt.Sprintf("/ip4/%s/tcp/%d", host, port))
}

func addr(port int) multiaddr.Multiaddr {
	return multiaddr.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port))
}

// addrs gives every peer an address of its own.
func addrs(id core.PeerID) []multiaddr.Multiaddr {
	port := 0
	for _, c := range []byte(id) {
		port = (port*31 + int(c)) % 60000
	}
	return []multiaddr.Multiaddr{addr(port + 1)}
}

func info(id core.PeerID) peer.AddrInfo { return peer.AddrInfo{ID: id, Addrs: addrs(id)} }

func infos(ids ...core.PeerID) (all []peer.AddrInfo) {
	for _, id := range ids {
		all = append(all, info(id))
	}
	return all
}

func savedPeers(ids ...core.PeerID) (all []core.SavedPeer) {
	for _, id := range ids {
		all = append(all, core.SavedPeer{Peer: id, Addrs: addrs(id), LastSeen: start})
	}
	return all
}

func names(prefix string, n int) (ids []core.PeerID) {
	for i := range n {
		ids = append(ids, core.PeerID(fmt.Sprintf("%s%04d", prefix, i)))
	}
	return ids
}

func mesh(c *Config)      { c.Topology = Mesh }
func symmetric(c *Config) { c.Symmetry = true }

func bootstrap(ids ...core.PeerID) func(*Config) {
	return func(c *Config) { c.Bootstrappers = infos(ids...) }
}

func saved(ids ...core.PeerID) func(*Config) {
	return func(c *Config) { c.Saved = savedPeers(ids...) }
}

func sameAddrs(a, b []multiaddr.Multiaddr) bool {
	return slices.EqualFunc(a, b, func(x, y multiaddr.Multiaddr) bool { return x.Equal(y) })
}
