package fetch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// world is one machine among peers of all kinds, and its composer.
type world struct {
	*Machine
	t      *rapid.T
	now    time.Time
	events []event                        // to come
	lives  map[object.ID]int              // wants that have not ended
	asked  map[object.ID][]core.PeerID    // in this life
	kinds  map[core.PeerID]string         // honest, liar or staller
	given  map[core.PeerID]map[uint64]int // answers to each request that we serve
	ended  int
}

// event is a message on its way to the machine, or something else that happens.
type event struct {
	at time.Time
	do func(out *[]core.Action)
}

func content(id object.ID) []byte { return append([]byte("content "), id[:]...) }

func (w *world) later(d time.Duration, do func(out *[]core.Action)) {
	w.events = append(w.events, event{w.now.Add(d), do})
}

func (w *world) message(from core.PeerID, after time.Duration, kind frame.Type, m Message) {
	protocol := Protocol
	if kind == TypeAnswer && rapid.Bool().Draw(w.t, "bulk") {
		protocol = BulkProtocol
	}
	w.later(after, func(out *[]core.Action) { w.Receive(w.now, from, protocol, kind, m.Append(kind, nil), out) })
}

func (w *world) within(label string, from, to time.Duration) time.Duration {
	return time.Duration(rapid.IntRange(int(from.Milliseconds()), int(to.Milliseconds())).Draw(w.t, label)) * time.Millisecond
}

// run lets one thing happen and does what the composer and the peers do then.
func (w *world) run(do func(out *[]core.Action)) {
	var out []core.Action
	do(&out)
	for _, a := range out {
		switch a := a.(type) {
		case core.Send:
			w.sent(a)
		case core.Penalize:
			if w.kinds[a.Peer] == "honest" {
				w.t.Fatalf("honest %s is blamed: %s, %s", a.Peer, a.Offence, a.Detail)
			}
		case Got:
			w.got(a)
		case Exhausted:
			if !a.Full {
				w.end(a.ID)
			}
		case Serve:
			w.serves(a)
		}
	}
	w.check()
}

func (w *world) end(id object.ID) {
	if w.lives[id] == 0 {
		w.t.Fatalf("%x ends twice", id[0])
	}
	delete(w.lives, id)
	delete(w.asked, id)
	w.ended++
}

// got is the composer's check, which takes its time.
func (w *world) got(g Got) {
	w.later(w.within("check", 0, time.Second), func(out *[]core.Action) {
		switch right := string(g.Object) == string(content(g.ID)); {
		case g.Extra && right:
			w.t.Fatal("the object itself is no extra")
		case g.Extra:
		case !right:
			w.Wrong(w.now, g.ID, g.Peer, out)
		case w.lives[g.ID] > 0:
			w.Accepted(w.now, g.ID)
			w.end(g.ID)
		}
	})
}

// sent lets a peer take in what the machine sent.
func (w *world) sent(s core.Send) {
	m, err := Parse(s.Type, s.Payload)
	if err != nil {
		w.t.Fatal(err)
	}
	switch s.Type {
	case TypeAnswer:
		if w.given[s.Peer] == nil {
			w.given[s.Peer] = map[uint64]int{}
		}
		if w.given[s.Peer][m.Request]++; w.given[s.Peer][m.Request] > 1 {
			w.t.Fatalf("request %d of %s is answered twice", m.Request, s.Peer)
		}
	case TypeRequest:
		if slices.Contains(w.asked[m.ID], s.Peer) {
			w.t.Fatalf("%s is asked twice for %x", s.Peer, m.ID[0])
		}
		if w.asked[m.ID] = append(w.asked[m.ID], s.Peer); len(w.asked[m.ID]) > w.cfg.MaxAsked {
			w.t.Fatalf("%d are asked for %x", len(w.asked[m.ID]), m.ID[0])
		}
		w.answers(s.Peer, m)
	}
}

func (w *world) answers(peer core.PeerID, q Message) {
	m := Message{Request: q.Request, ID: q.ID, Bytes: 1 << 18}
	delay := w.within("delay", 0, 45*time.Second)
	if rapid.Bool().Draw(w.t, "fast") {
		delay /= 100
	}
	switch m.Status = Status(rapid.IntRange(1, 4).Draw(w.t, "status")); m.Status {
	case StatusFound:
		m.Object = content(q.ID)
		if q.Closure {
			m.Extras = [][]byte{{1}, {2, 3}}
		}
	}
	if w.kinds[peer] == "staller" {
		return
	}
	if rapid.Bool().Draw(w.t, "coming") {
		w.message(peer, w.within("coming", 0, 20*time.Second), TypeComing, m)
	}
	if w.kinds[peer] == "liar" {
		m.Object, m.Status, m.Extras = []byte("a lie"), StatusFound, [][]byte{{4}}
		switch rapid.IntRange(0, 4).Draw(w.t, "lie") {
		case 0:
			m.Request++
		case 1:
			m.ID[1]++
		case 2:
			w.message(peer, delay, TypeAnswer, m)
		case 3:
			w.message(peer, delay, TypeRequest, m)
		}
	}
	w.message(peer, delay, TypeAnswer, m)
}

// serves is the composer that loads an object, or now and then forgets to.
func (w *world) serves(s Serve) {
	if rapid.IntRange(0, 9).Draw(w.t, "forgets") == 0 {
		return
	}
	status := Status(rapid.IntRange(0, 5).Draw(w.t, "status"))
	w.later(w.within("load", 0, 3*time.Second), func(out *[]core.Action) {
		w.Answer(w.now, s.Peer, s.Request, status, [][]byte{make([]byte, 300), content(s.ID)}, out)
	})
}

// check compares the counts with what they count.
func (w *world) check() {
	inFlight, late, waiting := map[*peer]int{}, 0, 0
	for n, r := range w.requests {
		if r.number != n || r.timer.place == 0 {
			w.t.Fatalf("request %d is never due", n)
		}
		if r.late {
			late++
		} else {
			inFlight[r.peer]++
		}
	}
	for id, want := range w.wants {
		queued := 0
		for _, h := range want.holders {
			if h.place > 0 {
				queued++
			}
			if h.peer.gone {
				w.t.Fatalf("%x has a holder that is gone", id[0])
			}
		}
		if waits := want.state() == waits; waits != (queued > 0) || want.state() == checks && want.check.place == 0 {
			w.t.Fatalf("%x is in state %d with %d places in queues", id[0], want.state(), queued)
		}
		if want.open != nil && (want.open.late || w.requests[want.open.number] != want.open) {
			w.t.Fatalf("the request for %x is gone", id[0])
		}
		waiting += queued
	}
	for _, p := range w.peers {
		if p.inFlight+p.coming != inFlight[p] || max(p.inFlight, p.coming) > w.cfg.MaxInFlight {
			w.t.Fatalf("%s: %d in flight and %d coming, counted %d", p.id, p.inFlight, p.coming, inFlight[p])
		}
		if p.inFlight < w.cfg.MaxInFlight && len(p.waiting) > 0 {
			w.t.Fatalf("%s has a free place and %d wait", p.id, len(p.waiting))
		}
		if p.open[small]+p.open[closures] > w.cfg.MaxServed || p.open[large] > w.cfg.MaxServed || p.open[small]+p.open[closures]+p.open[large] != len(p.jobs) {
			w.t.Fatalf("%s: %v served, %d jobs", p.id, p.open, len(p.jobs))
		}
		waiting -= len(p.waiting)
	}
	if late != w.late || late > w.cfg.MaxLate || waiting != 0 || len(w.wants) != len(w.lives) || len(w.wants) > w.cfg.MaxWants {
		w.t.Fatalf("late %d, counted %d; %d in too few queues; %d wants, %d open", late, w.late, waiting, len(w.wants), len(w.lives))
	}
}

// until lets everything happen up to a time, in order.
func (w *world) until(end time.Time) {
	for {
		slices.SortStableFunc(w.events, func(a, b event) int { return a.at.Compare(b.at) })
		due := w.Deadline()
		switch {
		case len(w.events) > 0 && !w.events[0].at.After(end) && (due.IsZero() || !w.events[0].at.After(due)):
			e := w.events[0]
			w.events = w.events[1:]
			w.now = later(w.now, e.at)
			w.run(e.do)
		case !due.IsZero() && !due.After(end):
			w.now = later(w.now, due)
			w.run(func(out *[]core.Action) { w.Tick(w.now, out) })
		default:
			w.now = later(w.now, end)
			return
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Peers answer, lie, stall and vanish in any order. Every want ends, nothing is left
// behind, and no honest peer is blamed.
func TestEveryWantEndsAndNoHonestPeerIsBlamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.MaxInFlight, cfg.MaxWants = rapid.IntRange(1, 3).Draw(t, "in flight"), rapid.IntRange(3, 12).Draw(t, "wants")
		cfg.MaxLate, cfg.MaxServed, cfg.RequestBurst = rapid.IntRange(1, 12).Draw(t, "late"), 3, 2
		cfg.RequestsPerSecond = 2
		w := &world{
			t: t, now: start, lives: map[object.ID]int{}, asked: map[object.ID][]core.PeerID{},
			kinds: map[core.PeerID]string{}, given: map[core.PeerID]map[uint64]int{},
		}
		w.Machine = New(cfg, func(id object.ID) int { return int(id[0]) * 20_000 }, start)
		const peers = 9
		for i := range peers {
			w.kinds[peerN(i)] = []string{"honest", "honest", "liar", "staller"}[rapid.IntRange(0, 3).Draw(t, "kind")]
			w.PeerUp(peerN(i))
		}
		for n := range rapid.IntRange(20, 120).Draw(t, "steps") {
			w.step(uint64(n + 1))
		}
		w.until(w.now.Add(time.Hour))
		if s := w.Stats(); s.Open+s.InFlight+s.Late+s.Serving+s.Waiting != 0 || !w.Deadline().IsZero() || int(s.Wants) != w.ended {
			t.Fatalf("in the end: %+v, %d wants ended", s, w.ended)
		}
	})
}

// step is one input from outside.
func (w *world) step(n uint64) {
	id := object.ID{byte(rapid.IntRange(0, 7).Draw(w.t, "object"))}
	p := peerN(rapid.IntRange(0, 8).Draw(w.t, "peer"))
	switch rapid.IntRange(0, 11).Draw(w.t, "what") {
	case 0:
		w.run(func(out *[]core.Action) { w.PeerDown(w.now, p, out) })
		delete(w.given, p)
	case 1:
		w.PeerUp(p)
	case 2:
		w.run(func(out *[]core.Action) { w.Holder(w.now, id, p, out) })
	case 3:
		if w.lives[id] > 0 {
			w.Cancel(w.now, id)
			w.end(id)
		}
		w.check()
	case 4: // we are away for a while
		w.now = w.now.Add(w.within("pause", 0, 14*time.Second))
	case 5:
		kind, m := TypeRequest, Message{Request: n, ID: id, Closure: n%2 == 0}
		w.run(func(out *[]core.Action) { w.Receive(w.now, p, Protocol, kind, m.Append(kind, nil), out) })
	case 6, 7, 8:
		w.until(w.now.Add(w.within("time", 0, 20*time.Second)))
	default:
		holders := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 9), peerN), 0, 9).Draw(w.t, "holders")
		if w.lives[id] == 0 && len(w.wants) < w.cfg.MaxWants {
			w.lives[id] = 1
		}
		closure := rapid.Bool().Draw(w.t, "closure")
		w.run(func(out *[]core.Action) {
			w.Want(w.now, Want{ID: id, Holders: holders, Closure: closure, Have: []object.ID{id}}, out)
		})
	}
}

func TestStatusNames(t *testing.T) {
	for s, want := range map[Status]string{0: "asked", StatusPruned: "pruned", StatusWrong: "wrong", 9: "status 9"} {
		if fmt.Sprint(s) != want {
			t.Errorf("%d is %s, want %s", uint8(s), s, want)
		}
	}
}
