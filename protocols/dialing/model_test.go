package dialing

import (
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"pgregory.net/rapid"
)

// check compares what the machine did and holds with the model.
func (w *model) check(rt *rapid.T, out []core.Effect) {
	for _, e := range out {
		if d, is := e.(core.Dial); is {
			if _, already := w.dialling[d.Peer]; already {
				w.checkExtension(rt, d)
				continue
			}
			w.checkDial(rt, d)
			w.dialling[d.Peer], w.dialled[d.Peer] = w.now, d.Addrs
		}
	}
	if len(w.dialling) > w.cfg.MaxDialing {
		rt.Fatalf("%d dials are outstanding, at most %d may be", len(w.dialling), w.cfg.MaxDialing)
	}
	w.checkStats(rt)
	recount(rt, w.m)
	dropUnknown(w, w.notBefore)
	dropUnknown(w, w.cool)
	dropUnknown(w, w.claimed)
}

// dropUnknown: whoever is evicted or forgotten takes everything along.
func dropUnknown[V any](w *model, of map[core.PeerID]V) {
	for id := range of {
		if w.m.book.get(id) == nil {
			delete(of, id)
		}
	}
}

// checkExtension: a dial under way gets addresses that it lacks, of the newest claim.
func (w *model) checkExtension(rt *rapid.T, d core.Dial) {
	for _, a := range d.Addrs {
		if slices.ContainsFunc(w.dialled[d.Peer], a.Equal) || !slices.ContainsFunc(w.claimed[d.Peer], a.Equal) {
			rt.Fatalf("dialled %q, which is being dialled, at %v too", d.Peer, a)
		}
	}
	w.dialled[d.Peer] = slices.Concat(w.dialled[d.Peer], d.Addrs)
	if len(d.Addrs) == 0 || len(w.dialled[d.Peer]) > w.cfg.MaxAddrs || w.now.Before(w.cool[d.Peer]) {
		rt.Fatalf("dialled %q at %v, and at %d addresses in all", d.Peer, d.Addrs, len(w.dialled[d.Peer]))
	}
}

func (w *model) checkDial(rt *rapid.T, d core.Dial) {
	place := w.boots[d.Peer] || w.vals[d.Peer]
	link := w.linked[d.Peer]
	switch {
	case d.Peer == w.cfg.Self:
		rt.Fatal("dialled itself")
	case w.now.Before(w.notBefore[d.Peer]):
		rt.Fatalf("dialled %q %v before its wait ends", d.Peer, w.notBefore[d.Peer].Sub(w.now))
	case link != idle && w.now.Before(w.backFrom[d.Peer]):
		rt.Fatalf("dialled %q back %v before its wait ends", d.Peer, w.backFrom[d.Peer].Sub(w.now))
	case w.now.Before(w.cool[d.Peer]):
		rt.Fatalf("dialled %q, which is banned or cools down", d.Peer)
	case len(d.Addrs) == 0 || len(d.Addrs) > w.cfg.MaxAddrs:
		rt.Fatalf("dialled %q at %d addresses", d.Peer, len(d.Addrs))
	case link != idle && (!w.cfg.Symmetry || link != inbound):
		rt.Fatalf("dialled %q, which is connected", d.Peer)
	case link == idle && !place && w.places()+len(w.dialling) >= w.cfg.MaxPeers+w.dialledBack():
		rt.Fatalf("dialled %q beyond %d peers", d.Peer, w.cfg.MaxPeers)
	}
	for _, a := range d.Addrs {
		if link != idle && !slices.ContainsFunc(w.claimed[d.Peer], a.Equal) {
			rt.Fatalf("dialled %q back at %v, which it does not claim", d.Peer, a)
		}
	}
}

// places are those that connected peers take.
func (w *model) places() (n int) {
	for id := range w.linked {
		if !w.guests[id] {
			n++
		}
	}
	return n
}

// dialledBack are the dials to connected peers, which have their place.
func (w *model) dialledBack() (n int) {
	for id := range w.dialling {
		if w.linked[id] != idle {
			n++
		}
	}
	return n
}

func (w *model) checkStats(rt *rapid.T) {
	s := w.m.Stats()
	if s.Dialling != len(w.dialling) || s.Inbound+s.Outbound+s.Both != len(w.linked) {
		rt.Fatalf("stats %+v, want %d dialling and %d connected", s, len(w.dialling), len(w.linked))
	}
	if s.Bootstrappers != len(w.boots) || s.Validators != len(w.vals) {
		rt.Fatalf("stats %+v, want %d bootstrappers, %d validators", s, len(w.boots), len(w.vals))
	}
	most := w.cfg.MaxKnown + w.cfg.MaxDialing + len(w.boots) + len(w.vals) + len(w.linked)
	if s.Known > most || len(w.m.Peers(w.now)) != s.Known {
		rt.Fatalf("%d known, want at most %d", s.Known, most)
	}
	if len(w.m.ips.byIP) > w.cfg.MaxIPs || len(w.m.ips.order) != len(w.m.ips.byIP) {
		rt.Fatalf("%d IPs are watched, %d in order", len(w.m.ips.byIP), len(w.m.ips.order))
	}
}

// recount compares the counters and queues of the book with its peers.
func recount(rt *rapid.T, m *Machine) {
	b := m.book
	var sum tally
	var open [lanes]int
	queued := map[*queue]int{}
	for id, k := range b.byID {
		switch {
		case k.id != id || b.useless(k):
			rt.Fatalf("%q is in the book as %q: %+v", k.id, id, k)
		case k.in[waits] != b.line(k) || k.in[spares] != b.spare(k):
			rt.Fatalf("%q is in the wrong queues", id)
		case k.bootstrapper != slices.Contains(b.bootstrappers, k) || k.validator != slices.Contains(b.validators, k):
			rt.Fatalf("%q is on the wrong list", id)
		}
		for s, q := range k.in {
			if q != nil && (q.peers[k.at[s]] != k || q.slot != slot(s)) {
				rt.Fatalf("%q has another's place", id)
			}
			queued[q]++
		}
		sum.links[k.direction]++
		sum.guests += one(k.connected() && k.guest)
		sum.own += one(k.own)
		sum.loose += one(!k.connected() && !k.pinned())
		if k.dial != nil {
			open[k.lane()]++
		}
	}
	if sum != b.tally || open != b.open {
		rt.Fatalf("counted %+v, %v; there are %+v, %v", b.tally, b.open, sum, open)
	}
	queues := []*queue{&b.pinned, &b.back, &b.saved.queue, &b.leaving, &b.failing, &b.cooling, &b.settling}
	for _, t := range b.tellers.byOrigin {
		queues = append(queues, &t.queue)
	}
	recountTellers(rt, b)
	for _, q := range queues {
		if q.Len() != queued[q] {
			rt.Fatalf("a queue holds %d, of which %d are known", q.Len(), queued[q])
		}
		for i := range q.peers {
			if i > 0 && q.before(q.peers[i], q.peers[(i-1)/2]) {
				rt.Fatalf("place %d of a queue is out of order", i)
			}
		}
	}
}

// recountTellers compares the tellers with the peers and dials that refer to them,
// and the lines with what their order should be.
func recountTellers(rt *rapid.T, b *book) {
	uses, open := map[*teller]int{}, map[*teller]int{}
	for _, k := range b.byID {
		if k.by != nil {
			uses[k.by]++
		}
		if k.dial != nil && k.dial.by != nil {
			uses[k.dial.by]++
			open[k.dial.by]++
		}
	}
	stand := 0
	for o, t := range b.tellers.byOrigin {
		if t.origin != o || t.uses != uses[t] || t.open != open[t] || t.uses == 0 {
			rt.Fatalf("teller %v: %d uses, %d dials; counted %d, %d", o, t.uses, t.open, uses[t], open[t])
		}
		if (t.Len() > 0) != (t.line != nil) {
			rt.Fatalf("teller %v has %d candidates and stands in line: %v", o, t.Len(), t.line != nil)
		}
		stand += one(t.line != nil)
		delete(uses, t)
	}
	if delete(uses, b.saved); len(uses) > 0 {
		rt.Fatalf("%d tellers are used and not known", len(uses))
	}
	for _, l := range []*line{b.tellers.waiting, b.tellers.ready} {
		stand -= l.Len()
		for i, t := range l.tellers {
			if t.line != l || t.place != i || i > 0 && l.before(t, l.tellers[(i-1)/2]) {
				rt.Fatalf("place %d of a line is out of order", i)
			}
		}
	}
	if stand != 0 {
		rt.Fatalf("%d tellers stand in no line", stand)
	}
}

// The dials of all lanes fail from now on, after some time or never. Backoff is
// at most a minute, and so is a dial.
func (w *model) dialAll(rt *rapid.T, waiting map[core.PeerID]bool, within time.Duration) {
	for end := w.now.Add(within); len(waiting) > 0; {
		d := w.m.Deadline()
		if d.IsZero() || d.After(end) {
			rt.Fatalf("%v are never dialled again", waiting)
		}
		w.advance(int64(max(0, d.Sub(w.now))))
		w.tick(rt)
		for id := range w.dialling {
			delete(waiting, id)
		}
	}
}

// waiting are those of a set that are neither connected nor being dialled.
func (w *model) waiting(set map[core.PeerID]bool) map[core.PeerID]bool {
	waiting := map[core.PeerID]bool{}
	for id := range set {
		if _, dialling := w.dialling[id]; !dialling && w.linked[id] == idle {
			waiting[id] = true
		}
	}
	return waiting
}

func TestEveryBootstrapperIsAlwaysRedialledInTheEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newModel(rt)
		w.tick(rt)
		for range rapid.IntRange(0, 40).Draw(rt, "steps") {
			w.step(rt)
		}
		// A rejection or a ban may last for 10 minutes, and every lane may be busy.
		w.dialAll(rt, w.waiting(w.boots), 20*time.Minute)
	})
}

func TestNobodyStarvesBesideThoseThatNeverAnswer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newModel(rt)
		w.cfg.MaxKnown, w.cfg.MaxPeers, w.cfg.Topology, w.cfg.TargetDegree = 100, 200, Mesh, 100
		w.cfg.DialsPerSecond, w.cfg.DialBurst, w.cfg.LimitLoopback = 1, 1, false
		w.m = New(w.cfg, newRand())
		everyone := map[core.PeerID]bool{}
		vals, found, in := names("v", 12), names("d", 12), names("i", 12)
		w.vals = w.set(vals)
		w.handle(rt, core.Command{Body: SetValidators{vals}})
		for _, id := range slices.Concat(vals, found, in) {
			everyone[id] = true
			w.claimed[id] = addrs(id)
			w.handle(rt, core.Discovered{Peer: id, Addrs: addrs(id), From: core.SourceClaim})
		}
		for _, id := range in {
			delete(w.dialling, id)
			w.linked[id] = inbound
			w.handle(rt, core.Connected{Peer: id, Addr: addr(1), Inbound: true})
			if !w.cfg.Symmetry {
				delete(everyone, id)
			}
		}
		// Each dial is swept after a minute; there are at least 3 at a time.
		w.dialAll(rt, w.waitingAll(everyone), 90*time.Minute)
	})
}

// waitingAll is waiting, with those that are dialled back.
func (w *model) waitingAll(set map[core.PeerID]bool) map[core.PeerID]bool {
	waiting := map[core.PeerID]bool{}
	for id := range set {
		if _, dialling := w.dialling[id]; !dialling {
			waiting[id] = true
		}
	}
	return waiting
}

func (w *model) handle(rt *rapid.T, ev core.Event) {
	var out []core.Effect
	w.m.Handle(w.now, ev, &out)
	w.check(rt, out)
}
