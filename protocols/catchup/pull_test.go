package catchup

import (
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// ids are the IDs of the objects from n to below end.
func ids(n, end int) (all []object.ID) {
	for ; n < end; n++ {
		all = append(all, idN(n))
	}
	return all
}

func (r *rig) goOn(m Missing, news int) []core.Action {
	return r.do(func(out *[]core.Action) { r.Continue(r.now, m.Peer, m.Request, news, out) })
}

func TestAPageIsAskedForWhenThereIsRoom(t *testing.T) {
	r := newRig(t, "a")
	q := one(t, r.up(alice, "a"))
	out := r.page(alice, Recent{Request: q.Request, IDs: ids(0, 3), Next: 7, More: true})
	missing := of[Missing](out)
	if len(missing) != 1 || len(missing[0].IDs) != 3 || !missing[0].More || missing[0].Topic != "a" || missing[0].Peer != alice {
		t.Fatalf("handed over is %+v", missing)
	}
	if got := questions(t, r.pass(5*time.Second)); len(got) > 0 {
		t.Errorf("asked on without room: %+v", got)
	}
	m := missing[0]
	if got := r.goOn(Missing{Peer: alice, Request: m.Request + 1}, 3); len(got) > 0 {
		t.Errorf("another question's page makes %v", got)
	}
	next := one(t, r.goOn(m, 3))
	if next.Cursor != 7 || next.Since != q.Since || next.Topic != "a" {
		t.Errorf("the next question is %+v", next)
	}
	if got := r.goOn(m, 3); len(got) > 0 {
		t.Errorf("the same page twice makes %v", got)
	}
	out = r.page(alice, Recent{Request: next.Request, IDs: ids(3, 4), Next: 8})
	if got := of[Missing](out); len(got) != 1 || got[0].More || r.Stats().Finished != 1 {
		t.Errorf("the last page is %+v", got)
	}
}

// A page without IDs, whose answerer had looked far enough, needs no room.
func TestAnEmptyPageIsGoneOnFromAtOnce(t *testing.T) {
	r := newRig(t, "a")
	q := one(t, r.up(alice, "a"))
	out := r.page(alice, Recent{Request: q.Request, Next: 1 << 20, More: true})
	if next := one(t, out); next.Cursor != 1<<20 || len(of[Missing](out)) > 0 {
		t.Errorf("the next question is %+v", next)
	}
}

func TestOnlySoManyQuestionsGoToOnePeer(t *testing.T) {
	r := newRig(t, "a")
	q := one(t, r.up(alice, "a"))
	asked := 1
	for next := uint64(1); ; next++ {
		all := questions(t, r.page(alice, Recent{Request: q.Request, Next: next, More: true}))
		if len(all) == 0 {
			break
		}
		q, asked = all[0], asked+1
	}
	if asked != r.cfg.AskBurst {
		t.Errorf("%d questions at once, want %d", asked, r.cfg.AskBurst)
	}
	if d := r.Deadline().Sub(r.now); d <= 0 || d > time.Second/7 {
		t.Errorf("the next one after %v", d)
	}
	if got := questions(t, r.tick(time.Second)); len(got) != 1 {
		t.Errorf("then %d questions", len(got))
	}
}

// holds says whether a question's filter holds an object.
func (q asked) holds(id object.ID) bool {
	return q.Known != nil && q.Known.Filter.Contains(bloom.NewKeyer(q.Known.Salt).Key(entryOf(id)))
}

// ordinaryQuestion lets time pass until an ordinary question is asked.
func (r *rig) ordinaryQuestion() asked {
	for {
		for _, q := range questions(r.t, r.tick(time.Minute)) {
			if q.Since > 0 {
				return q
			}
			r.page(q.to, Recent{Request: q.Request})
		}
	}
}

func TestTheFilterHoldsTwiceTheWindow(t *testing.T) {
	r := newRig(t, "a")
	for i, age := range []time.Duration{31 * time.Minute, 29 * time.Minute, 16 * time.Minute, time.Minute} {
		r.land("a", idN(i), start.Add(-age))
	}
	r.settle(alice)
	q := r.ordinaryQuestion()
	if q.holds(idN(0)) || !q.holds(idN(1)) || !q.holds(idN(2)) || !q.holds(idN(3)) {
		t.Errorf("it holds %v %v %v %v, want all but the first", q.holds(idN(0)), q.holds(idN(1)), q.holds(idN(2)), q.holds(idN(3)))
	}
	r.page(q.to, Recent{Request: q.Request})
	if next := r.ordinaryQuestion(); next.Known.Salt == q.Known.Salt {
		t.Error("the next filter has the same salt")
	}
}

// A filter stays within its bound whatever is held, and hides one in a hundred.
func TestFiltersAreDivided(t *testing.T) {
	for _, tc := range []struct {
		held int
		bits uint8
	}{{0, 0}, {filterIDs, 0}, {filterIDs + 1, 1}, {4*filterIDs + 4, 3}} {
		r := newRig(t, "a")
		for i := range tc.held {
			r.land("a", idN(i), start)
		}
		q, parts := one(t, r.up(alice, "a")), map[uint8]bool{}
		for {
			if q.Bits != tc.bits || parts[q.Part] || tc.held > 0 && q.Known.Filter.Size() > MaxIDs*35 {
				t.Fatalf("%d held: part %d of 2^%d, again %v", tc.held, q.Part, q.Bits, parts[q.Part])
			}
			parts[q.Part] = true
			checkFilter(t, q, tc.held)
			all := questions(t, r.page(alice, Recent{Request: q.Request}))
			if len(all) == 0 {
				break
			}
			q = all[0]
		}
		if len(parts) != 1<<tc.bits {
			t.Errorf("%d held: %d parts were asked about, want %d", tc.held, len(parts), 1<<tc.bits)
		}
	}
}

func checkFilter(t *testing.T, q asked, held int) {
	t.Helper()
	if q.Known == nil {
		return
	}
	wrong, keyer := 0, bloom.NewKeyer(q.Known.Salt)
	for i := range held {
		if id := idN(i); partOf(id, q.Bits) == q.Part && !q.Known.Filter.Contains(keyer.Key(entryOf(id))) {
			t.Fatalf("the filter lacks object %d", i)
		}
	}
	for i := range 10_000 {
		if q.Known.Filter.Contains(keyer.Key(entryOf(idN(1<<30 + i)))) {
			wrong++
		}
	}
	if wrong > 150 {
		t.Errorf("%d of 10,000 are hidden, want 1 %%", wrong)
	}
}

// Of an ordinary pull one part is asked about at a time, until a page is full.
func TestAFullPageAsksForTheOtherParts(t *testing.T) {
	r := newRig(t, "a")
	for i := range 3 * filterIDs {
		r.land("a", idN(i), start)
	}
	r.settle(alice)
	q := r.ordinaryQuestion()
	if got := questions(t, r.page(alice, Recent{Request: q.Request})); q.Bits != 2 || len(got) > 0 {
		t.Fatalf("2^%d parts; after an empty page %+v", q.Bits, got)
	}
	next := r.ordinaryQuestion()
	if next.Part != (q.Part+1)%4 {
		t.Errorf("part %d after part %d", next.Part, q.Part)
	}
	parts := map[uint8]bool{}
	for full := (Recent{IDs: ids(1<<20, 1<<20+MaxIDs)}); ; full.IDs = nil {
		parts[next.Part] = true
		full.Request = next.Request
		out := r.page(alice, full)
		for _, m := range of[Missing](out) {
			if m.More {
				out = append(out, r.goOn(m, MaxIDs)...)
			}
		}
		all := questions(t, out)
		if len(all) == 0 {
			break
		}
		next = all[0]
	}
	if len(parts) != 4 {
		t.Errorf("asked about the parts %v, want all four", parts)
	}
	if d := r.Deadline().Sub(r.now); d != againAfter {
		t.Errorf("the next question after %v, want %v", d, againAfter)
	}
}

// Where a peer tells what we have long had, the filter takes in everything, and the
// log is not gone through again.
func TestTheFilterWidensWhenMostIsHeld(t *testing.T) {
	for _, tc := range []struct {
		news int
		wide bool
	}{{0, true}, {MaxIDs/2 - 1, true}, {MaxIDs / 2, false}, {MaxIDs, false}} {
		r := newRig(t, "a")
		r.land("a", idN(0), start.Add(-24*time.Hour))
		r.settle(alice)
		q := r.ordinaryQuestion()
		out := r.page(alice, Recent{Request: q.Request, IDs: ids(1, 1+MaxIDs), Next: 2000, More: true})
		next := one(t, r.goOn(of[Missing](out)[0], tc.news))
		if next.holds(idN(0)) != tc.wide || next.Cursor != 2000 || next.Since != q.Since {
			t.Errorf("%d of %d were news: the filter holds everything %v, cursor %d", tc.news, MaxIDs, next.holds(idN(0)), next.Cursor)
		}
	}
}

// A long pull does not delay what is asked about another topic.
func TestPullsAtOnePeerTakeTurns(t *testing.T) {
	r := newRig(t, "a", "b")
	q := one(t, r.up(alice, "a", "b"))
	if q.Topic != "a" {
		t.Fatalf("asked about %s first", q.Topic)
	}
	out := r.page(alice, Recent{Request: q.Request, IDs: ids(0, MaxIDs), Next: MaxIDs, More: true})
	q = one(t, out)
	if q.Topic != "b" {
		t.Errorf("asked about %s next, without room for it", q.Topic)
	}
	if got := questions(t, r.goOn(of[Missing](out)[0], MaxIDs)); len(got) > 0 {
		t.Errorf("a second question while one is open: %+v", got)
	}
	if q = one(t, r.page(alice, Recent{Request: q.Request})); q.Topic != "a" || q.Cursor != MaxIDs {
		t.Errorf("then %+v", q)
	}
}

// A peer that always has more is left at some time.
func TestAnEndlessPullEnds(t *testing.T) {
	r := newRig(t, "a")
	r.Machine.cfg.AskBurst, r.Machine.cfg.AskPerSecond = 1<<20, 1<<20
	q := one(t, r.up(alice, "a"))
	for next := uint64(1); r.Stats().Broken == 0; next++ {
		if next > maxPages {
			t.Fatalf("still asking after %d pages", next)
		}
		out := r.page(alice, Recent{Request: q.Request, Next: next, More: true})
		if all := questions(t, out); len(all) > 0 {
			q = all[0]
		}
		if got := faults(out); got != nil {
			t.Fatalf("blamed: %v", got)
		}
	}
}

// No filter of ours affirms by chance more than a peer accepts, however small it is.
func TestEveryFilterIsAccepted(t *testing.T) {
	r := newRig(t, "a")
	for held := 1; held < 100; held++ {
		r.land("a", idN(held), start)
		for range 100 {
			l := &pull{topic: r.topics["a"], wide: true}
			r.prepare(start, l)
			l.request = 1
			if _, err := ParseGetRecent(l.question().Append(nil)); err != nil {
				t.Fatalf("%d held: %v", held, err)
			}
		}
	}
}
