package dialing

import (
	"math/rand/v2"
	"testing"
	"time"

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
	connected map[core.PeerID]bool
	notBefore map[core.PeerID]time.Time // backoff, at its shortest
	boots     map[core.PeerID]bool
}

func newModel(rt *rapid.T) *model {
	cfg := DefaultConfig()
	cfg.Self = "Self"
	cfg.MaxDialing = rapid.IntRange(3, 6).Draw(rt, "max dialing")
	cfg.MaxKnown = rapid.IntRange(1, 8).Draw(rt, "max known")
	cfg.TargetDegree = rapid.IntRange(0, 6).Draw(rt, "degree")
	cfg.MaxPeers = rapid.IntRange(1, 8).Draw(rt, "max peers")
	cfg.Saved = savedPeers("s1", "s2", "Self")
	w := &model{
		cfg: cfg, now: start, dialling: map[core.PeerID]time.Time{}, connected: map[core.PeerID]bool{},
		notBefore: map[core.PeerID]time.Time{}, boots: map[core.PeerID]bool{},
	}
	w.m = New(cfg, newRand())
	return w
}

func (w *model) step(rt *rapid.T) {
	id := rapid.SampledFrom([]core.PeerID{"b1", "b2", "b3", "s1", "s2", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "Self"}).Draw(rt, "peer")
	var ev core.Event
	switch rapid.IntRange(0, 7).Draw(rt, "action") {
	case 0, 1:
		ev = core.Discovered{Peer: id, Addrs: addrs(id), From: core.SourceDHT}
	case 2:
		ev = core.Connected{Peer: id, Addr: addrs(id)[0], Inbound: rapid.Bool().Draw(rt, "inbound")}
		if id != "Self" {
			w.connected[id] = true
			delete(w.dialling, id)
			delete(w.notBefore, id)
		}
	case 3:
		ev = core.Disconnected{Peer: id}
		delete(w.connected, id)
	case 4:
		ev = core.DialFailed{Peer: id, Reason: "no"}
		w.ended(id)
	case 5:
		boots := rapid.SliceOfDistinct(rapid.SampledFrom([]core.PeerID{"b1", "b2", "b3", "Self"}), rapid.ID).Draw(rt, "boots")
		clear(w.boots)
		for _, b := range boots {
			w.boots[b] = b != "Self"
			delete(w.notBefore, b) // it may have moved
		}
		ev = core.Command{Body: SetBootstrappers{infos(boots...)}}
	case 6:
		w.advance(rapid.Int64Range(1, int64(2*time.Minute)).Draw(rt, "time"))
		w.tick(rt)
		return
	case 7:
		if d := w.m.Deadline(); d.After(w.now) {
			w.advance(int64(d.Sub(w.now)))
		}
		w.tick(rt)
		return
	}
	var out []core.Effect
	w.m.Handle(w.now, ev, &out)
	w.check(rt, out)
}

func (w *model) ended(id core.PeerID) {
	if _, was := w.dialling[id]; was {
		delete(w.dialling, id)
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

func (w *model) tick(rt *rapid.T) {
	var out []core.Effect
	w.m.Tick(w.now, &out)
	w.check(rt, out)
	if d := w.m.Deadline(); !d.IsZero() && !d.After(w.now) {
		rt.Fatalf("after Tick the deadline is %v in the past", w.now.Sub(d))
	}
}

func (w *model) check(rt *rapid.T, out []core.Effect) {
	defer w.dropUnknown()
	for _, e := range out {
		d, is := e.(core.Dial)
		if !is {
			continue
		}
		_, already := w.dialling[d.Peer]
		switch {
		case d.Peer == "Self":
			rt.Fatal("dialled itself")
		case already || w.connected[d.Peer]:
			rt.Fatalf("dialled %q, which is dialled or connected already", d.Peer)
		case w.now.Before(w.notBefore[d.Peer]):
			rt.Fatalf("dialled %q %v before its backoff ends", d.Peer, w.notBefore[d.Peer].Sub(w.now))
		case len(d.Addrs) == 0 || len(d.Addrs) > w.cfg.MaxAddrs:
			rt.Fatalf("dialled %q at %d addresses", d.Peer, len(d.Addrs))
		case !w.boots[d.Peer] && len(w.connected)+len(w.dialling) >= w.cfg.MaxPeers:
			rt.Fatalf("dialled %q beyond %d peers", d.Peer, w.cfg.MaxPeers)
		}
		w.dialling[d.Peer] = w.now
	}
	if len(w.dialling) > w.cfg.MaxDialing {
		rt.Fatalf("%d dials are outstanding, at most %d may be", len(w.dialling), w.cfg.MaxDialing)
	}
	s := w.m.Stats()
	if s.Dialling != len(w.dialling) || s.Inbound+s.Outbound != len(w.connected) {
		rt.Fatalf("stats %+v, want %d dialling and %d connected", s, len(w.dialling), len(w.connected))
	}
	if most := w.cfg.MaxKnown + s.Bootstrappers + s.Inbound + s.Outbound; s.Known > most+s.Dialling {
		rt.Fatalf("%d known, want at most %d", s.Known, most)
	}
	if len(w.m.book.byID) != s.Known || len(w.m.Peers(w.now)) != s.Known {
		rt.Fatalf("the book has %d keys and %d entries", len(w.m.book.byID), s.Known)
	}
}

// dropUnknown: whoever is evicted or forgotten takes the backoff along.
func (w *model) dropUnknown() {
	for id := range w.notBefore {
		if w.m.book.get(id) == nil {
			delete(w.notBefore, id)
		}
	}
}

func TestWhateverHappensDialsStayInBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newModel(rt)
		w.tick(rt)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			w.step(rt)
		}
	})
}

func TestEveryBootstrapperIsAlwaysRedialledInTheEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newModel(rt)
		w.tick(rt)
		for range rapid.IntRange(0, 40).Draw(rt, "steps") {
			w.step(rt)
		}
		waiting := map[core.PeerID]bool{}
		for b, is := range w.boots {
			if _, dialling := w.dialling[b]; is && !dialling && !w.connected[b] {
				waiting[b] = true
			}
		}
		// All dials fail from now on; backoff is at most a minute, and so is a dial.
		for end := w.now.Add(5 * time.Minute); len(waiting) > 0; {
			d := w.m.Deadline()
			if d.IsZero() || d.After(end) {
				rt.Fatalf("bootstrappers %v are never dialled again", waiting)
			}
			w.advance(int64(max(0, d.Sub(w.now))))
			w.tick(rt)
			for id := range w.dialling {
				delete(waiting, id)
			}
		}
	})
}
