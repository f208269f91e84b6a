package dialing

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"pgregory.net/rapid"
)

const half = 500 * time.Millisecond

func TestTheLowerPeerIDDialsFirst(t *testing.T) {
	as := func(self core.PeerID) func(*Config) { return func(c *Config) { c.Self = self } }
	for name, c := range map[string]struct {
		self, peer core.PeerID
		unaware    bool
		want       time.Duration
	}{
		"lower":                 {self: "a", peer: "b"},
		"higher":                {self: "b", peer: "a", want: half},
		"higher, as raw bytes":  {self: "\xf0", peer: "a", want: half},
		"higher, by its length": {self: "aa", peer: "a", want: half},
		"higher, unaware":       {self: "b", peer: "a", unaware: true},
	} {
		b := newBench(t, as(c.self))
		b.handle(core.Discovered{Peer: c.peer, Addrs: addrs(c.peer), From: core.SourceClaim, Unaware: c.unaware})
		if c.want > 0 {
			b.wantDial()
			if s := b.state(c.peer); s.State != StateWaiting {
				t.Errorf("%s: shown as %v while it is the other's turn", name, s.State)
			}
			if waited := b.advanceToDeadline(); waited != c.want {
				t.Errorf("%s: waited %v, want %v", name, waited, c.want)
			}
		}
		b.wantDial(c.peer)
	}
}

func TestBootstrappersAndSavedPeersAreDialledWithoutWaitingForThem(t *testing.T) {
	self := func(c *Config) { c.Self = "z" }
	b := newBench(t, self, bootstrap("b1"), saved("s1"))
	b.wantDial("b1")
	b.fail("b1")
	b.wantDial("s1")
}

func TestAValidatorIsDialledInOrder(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Self = "z" })
	b.command(SetValidators{[]core.PeerID{"v"}})
	b.claim("v", addr(1))
	if waited := b.advanceToDeadline(); waited != half {
		t.Errorf("waited %v, want %v", waited, half)
	}
	b.wantDial("v")
}

func TestTheSecondWaitsLongerWhereDialsTakeLong(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Self = "z" }, bootstrap("b1"))
	b.wantDial("b1")
	b.advance(8 * time.Second)
	b.connect("b1") // 8 s, smoothed by 4, doubled
	b.claim("a", addr(1))
	b.wantDial()
	b.advance(4*time.Second - 1)
	b.wantDial()
	b.advance(1)
	b.wantDial("a")
}

// pair is two machines whose dials and connections take time.
type pair struct {
	now   time.Time
	m     map[core.PeerID]*Machine
	queue []delivery
	takes time.Duration // from a dial to the connection
	dials int
	up    int
}

type delivery struct {
	at time.Time
	to core.PeerID
	ev core.Event
}

func other(id core.PeerID) core.PeerID {
	if id == "a" {
		return "b"
	}
	return "a"
}

func newPair(seed uint64, takes time.Duration) *pair {
	p := &pair{now: start, m: map[core.PeerID]*Machine{}, takes: takes}
	for _, id := range []core.PeerID{"a", "b"} {
		cfg := DefaultConfig()
		cfg.Self = id
		p.m[id] = New(cfg, rand.New(rand.NewPCG(seed, uint64(id[0]))))
	}
	return p
}

func (p *pair) post(after time.Duration, to core.PeerID, ev core.Event) {
	p.queue = append(p.queue, delivery{p.now.Add(after), to, ev})
}

// run lets time pass in steps of a millisecond.
func (p *pair) run(d time.Duration) {
	for end := p.now.Add(d); p.now.Before(end); p.now = p.now.Add(time.Millisecond) {
		for _, id := range []core.PeerID{"a", "b"} {
			p.step(id)
		}
	}
}

func (p *pair) step(id core.PeerID) {
	var out []core.Effect
	rest := p.queue[:0]
	for _, d := range p.queue {
		if d.to != id || d.at.After(p.now) {
			rest = append(rest, d)
			continue
		}
		if _, is := d.ev.(core.Connected); is {
			p.up++
		}
		p.m[id].Handle(p.now, d.ev, &out)
	}
	p.queue = rest
	if d := p.m[id].Deadline(); !d.IsZero() && !d.After(p.now) {
		p.m[id].Tick(p.now, &out)
	}
	for _, e := range out {
		if d, is := e.(core.Dial); is {
			p.dials++
			p.post(p.takes, id, core.Connected{Peer: d.Peer, Addr: addr(1)})
			p.post(p.takes, d.Peer, core.Connected{Peer: id, Addr: addr(2), Inbound: true})
		}
	}
}

func TestOfAPairOnlyOneDials(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		takes := time.Duration(rapid.IntRange(1, 499).Draw(rt, "ms to connect")) * time.Millisecond
		lag := time.Duration(rapid.IntRange(0, 2000).Draw(rt, "ms between their learning of each other")) * time.Millisecond
		first := rapid.SampledFrom([]core.PeerID{"a", "b"}).Draw(rt, "first")
		lasts := time.Duration(rapid.IntRange(1, 100).Draw(rt, "seconds up")) * time.Second
		p := newPair(rapid.Uint64().Draw(rt, "seed"), takes)
		if first == "b" { // it dials after 500 ms: the other must have heard by then
			lag = min(lag, half-takes)
		}
		p.post(0, first, core.Discovered{Peer: other(first), Addrs: addrs("x"), From: core.SourceClaim})
		p.post(lag, other(first), core.Discovered{Peer: first, Addrs: addrs("y"), From: core.SourceClaim})
		p.run(3 * time.Second)
		if p.dials != 1 || p.up != 2 {
			rt.Fatalf("%d dials, %d ends up, want one link", p.dials, p.up)
		}
		p.run(lasts)
		for _, id := range []core.PeerID{"a", "b"} {
			p.post(0, id, core.Disconnected{Peer: other(id)})
		}
		p.run(4 * time.Second)
		if p.dials != 2 || p.up != 4 {
			rt.Fatalf("%d dials, %d ends up after the link was lost, want a second link", p.dials, p.up)
		}
	})
}
