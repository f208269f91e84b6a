package dialing

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
	"pgregory.net/rapid"
)

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// model is what the machine must believe, kept the dumb way.
type model struct {
	m         *Machine
	cfg       Config
	now       time.Time
	dialling  map[core.PeerID]time.Time
	dialled   map[core.PeerID][]multiaddr.Multiaddr // in the dial under way, or the last
	linked    map[core.PeerID]direction
	claimed   map[core.PeerID][]multiaddr.Multiaddr
	guests    map[core.PeerID]bool
	notBefore map[core.PeerID]time.Time // backoff or rejection, at its shortest
	backFrom  map[core.PeerID]time.Time // the same of a dial-back
	cool      map[core.PeerID]time.Time
	boots     map[core.PeerID]bool
	vals      map[core.PeerID]bool
}

func newModel(rt *rapid.T) *model {
	cfg := DefaultConfig()
	cfg.Self = "m" // lower than some, higher than others
	cfg.MaxDialing = rapid.IntRange(3, 8).Draw(rt, "max dialing")
	cfg.MaxKnown = rapid.IntRange(1, 8).Draw(rt, "max known")
	cfg.TargetDegree = rapid.IntRange(0, 6).Draw(rt, "degree")
	cfg.MaxPeers = rapid.IntRange(1, 8).Draw(rt, "max peers")
	cfg.Topology = rapid.SampledFrom([]Topology{Bounded, Mesh}).Draw(rt, "topology")
	cfg.Symmetry = rapid.Bool().Draw(rt, "symmetry")
	cfg.DialBurst = rapid.IntRange(1, 8).Draw(rt, "burst")
	cfg.DialsPerSecond = rapid.IntRange(1, 50).Draw(rt, "rate")
	cfg.MaxIPs = rapid.IntRange(1, 8).Draw(rt, "max ips")
	cfg.IPDialsPerMinute = rapid.IntRange(1, 20).Draw(rt, "ip dials")
	cfg.LimitLoopback = rapid.Bool().Draw(rt, "limit loopback")
	cfg.Saved = savedPeers("s1", "s2", "m")
	w := &model{
		cfg: cfg, now: start, dialling: map[core.PeerID]time.Time{}, dialled: map[core.PeerID][]multiaddr.Multiaddr{}, linked: map[core.PeerID]direction{},
		claimed: map[core.PeerID][]multiaddr.Multiaddr{}, guests: map[core.PeerID]bool{},
		notBefore: map[core.PeerID]time.Time{}, cool: map[core.PeerID]time.Time{},
		backFrom: map[core.PeerID]time.Time{}, boots: map[core.PeerID]bool{}, vals: map[core.PeerID]bool{},
	}
	w.m = New(cfg, newRand())
	return w
}

func TestWhateverHappensDialsStayInBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newModel(rt)
		w.tick(rt)
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			w.step(rt)
		}
	})
}

// step lets something happen.
func (w *model) step(rt *rapid.T) {
	id := rapid.SampledFrom([]core.PeerID{
		"b1", "b2", "b3", "s1", "s2", "d1", "d2", "d3", "d4", "n1", "n2", "n3", "n4", "v1", "v2", "m",
	}).Draw(rt, "peer")
	var ev core.Event
	switch rapid.SampledFrom([]string{
		"hear", "claim", "connect", "link", "disconnect", "fail", "command", "command", "time", "deadline", "deadline",
	}).Draw(rt, "action") {
	case "hear":
		ev = core.Discovered{Peer: id, Addrs: addrs(id), From: core.SourceDHT, By: w.teller(rt)}
	case "claim":
		ev = w.claim(rt, id)
	case "connect":
		ev = w.connect(rt, id)
	case "link":
		ev = w.link(rt, id)
	case "disconnect":
		ev = core.Disconnected{Peer: id}
		delete(w.linked, id)
		delete(w.guests, id)
	case "fail":
		ev = core.DialFailed{Peer: id, Reason: "no"}
		w.ended(id)
	case "command":
		ev = core.Command{Body: w.command(rt, id)}
	case "time":
		w.advance(rapid.Int64Range(1, int64(2*time.Minute)).Draw(rt, "time"))
		w.tick(rt)
		return
	case "deadline":
		w.advanceToDeadline()
		w.tick(rt)
		return
	}
	var out []core.Effect
	w.m.Handle(w.now, ev, &out)
	w.check(rt, out)
}

func (w *model) claim(rt *rapid.T, id core.PeerID) core.Event {
	var claimed []multiaddr.Multiaddr
	for _, port := range rapid.SliceOfNDistinct(rapid.IntRange(1, 5), 0, 3, rapid.ID).Draw(rt, "ports") {
		claimed = append(claimed, addr(port))
	}
	if id != w.cfg.Self {
		w.claimed[id] = claimed
	}
	return core.Discovered{Peer: id, Addrs: claimed, From: core.SourceClaim, By: w.teller(rt)}
}

func (w *model) teller(rt *rapid.T) core.PeerID {
	return rapid.SampledFrom([]core.PeerID{"", "t1", "t2", "d1"}).Draw(rt, "teller")
}

func (w *model) connect(rt *rapid.T, id core.PeerID) core.Event {
	ev := core.Connected{Peer: id, Addr: addrs(id)[0], Inbound: rapid.Bool().Draw(rt, "inbound")}
	ev.Guest = ev.Inbound && rapid.Bool().Draw(rt, "guest")
	if id != w.cfg.Self && w.linked[id] == idle {
		w.linked[id], w.guests[id] = directionOf(ev.Inbound, !ev.Inbound), ev.Guest
		delete(w.notBefore, id)
		delete(w.backFrom, id)
		if !ev.Inbound || !w.cfg.Symmetry {
			delete(w.dialling, id)
		}
	}
	return ev
}

func (w *model) link(rt *rapid.T, id core.PeerID) core.Event {
	now := rapid.SampledFrom([]direction{inbound, outbound, both}).Draw(rt, "link")
	if was := w.linked[id]; was != idle {
		w.linked[id] = now
		if now.out() && !was.out() {
			delete(w.dialling, id)
		}
		if was.out() && !now.out() {
			w.backFrom[id] = w.now.Add(w.cfg.DialBackAfter)
		}
	}
	return core.Linked{Peer: id, Inbound: now.in(), Outbound: now.out()}
}

func (w *model) command(rt *rapid.T, id core.PeerID) any {
	switch rapid.SampledFrom([]string{"boots", "validators", "reject", "ban", "lift", "forget"}).Draw(rt, "command") {
	case "boots":
		boots := rapid.SliceOfDistinct(rapid.SampledFrom([]core.PeerID{"b1", "b2", "b3", "v1", "m"}), rapid.ID).Draw(rt, "boots")
		w.boots = w.set(boots)
		return SetBootstrappers{infos(boots...)}
	case "validators":
		vals := rapid.SliceOf(rapid.SampledFrom([]core.PeerID{"b1", "d1", "v1", "v2", "m"})).Draw(rt, "validators")
		w.vals = w.set(vals)
		return SetValidators{vals}
	case "reject":
		lasting := rapid.Bool().Draw(rt, "lasting")
		wait := scale(w.cfg.BackoffBase, .75)
		if lasting {
			wait = w.cfg.RejectedFor
		}
		w.notBefore[id] = w.now.Add(wait)
		return Rejected{Peer: id, Reason: "no", Lasting: lasting, Full: !lasting}
	case "ban":
		w.cool[id] = w.now.Add(5 * time.Minute)
		return CoolDown{Peer: id, Until: w.cool[id], Banned: rapid.Bool().Draw(rt, "banned")}
	case "lift":
		delete(w.cool, id)
		return CoolDown{Peer: id}
	}
	delete(w.claimed, id)
	delete(w.notBefore, id)
	delete(w.backFrom, id)
	return Forget{id}
}

// set is a set of peers; whoever is new in it or moved may be dialled at once.
func (w *model) set(ids []core.PeerID) map[core.PeerID]bool {
	set := map[core.PeerID]bool{}
	for _, id := range ids {
		if id != w.cfg.Self {
			set[id] = true
			delete(w.notBefore, id)
			delete(w.backFrom, id)
		}
	}
	return set
}

func (w *model) ended(id core.PeerID) {
	if _, was := w.dialling[id]; was {
		delete(w.dialling, id)
		if w.linked[id] != idle {
			w.backFrom[id] = w.now.Add(w.cfg.DialBackAfter)
			return
		}
		w.notBefore[id] = w.now.Add(scale(w.cfg.BackoffBase, .75))
	}
}

func (w *model) advance(ns int64) {
	w.now = w.now.Add(time.Duration(ns))
	for id, since := range w.dialling {
		if w.now.Sub(since) >= w.cfg.DialSweep {
			w.ended(id)
		}
	}
}

func (w *model) advanceToDeadline() {
	if d := w.m.Deadline(); d.After(w.now) {
		w.advance(int64(d.Sub(w.now)))
	}
}

func (w *model) tick(rt *rapid.T) {
	var out []core.Effect
	w.m.Tick(w.now, &out)
	w.check(rt, out)
	if d := w.m.Deadline(); !d.IsZero() && !d.After(w.now) {
		rt.Fatalf("after Tick the deadline is %v in the past", w.now.Sub(d))
	}
}
