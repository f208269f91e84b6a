package catchup

import (
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

func (r *rig) ask(from core.PeerID, q GetRecent) []core.Action {
	return r.receive(from, TypeGetRecent, q.Append(nil))
}

// reply lets the composer answer what is handed over, and returns the page.
func (r *rig) reply(l List) Recent {
	r.t.Helper()
	ids, next, more := r.walk(l)
	out := r.do(func(out *[]core.Action) { r.Listed(r.now, l.Peer, l.Request, ids, next, more, out) })
	if len(out) != 1 || out[0].(core.Send).Type != TypeRecent || out[0].(core.Send).Peer != l.Peer {
		r.t.Fatalf("the answer is %v", out)
	}
	page, err := ParseRecent(out[0].(core.Send).Payload)
	if err != nil {
		r.t.Fatal(err)
	}
	return page
}

func TestWhatLandedAndIsLackedIsListed(t *testing.T) {
	r := newRig(t, "a")
	for i := range 10 {
		r.land("a", idN(i), start.Add(time.Duration(i)*time.Minute))
	}
	r.up(alice)
	known := &bloom.Query{Filter: bloom.New(2, 1e-6, MaxFilterBytes), Salt: [bloom.SaltSize]byte{1}}
	for i := range 2 {
		known.Filter.Add(bloom.NewKeyer(known.Salt).Key(entryOf(idN(4 + i))))
	}
	ms := func(minute int) uint64 { return uint64(start.Add(time.Duration(minute) * time.Minute).UnixMilli()) }
	for _, tc := range []struct {
		name string
		q    GetRecent
		want []object.ID
	}{
		{"everything", GetRecent{}, ids(0, 10)},
		{"from the third minute on", GetRecent{Since: ms(3)}, ids(3, 10)},
		{"behind a cursor", GetRecent{Cursor: 8}, ids(8, 10)},
		{"both", GetRecent{Cursor: 2, Since: ms(9)}, ids(9, 10)},
		{"what is known is left out", GetRecent{Known: known}, slices.Concat(ids(0, 4), ids(6, 10))},
		{"behind the end", GetRecent{Cursor: 1 << 40}, nil},
	} {
		tc.q.Request, tc.q.Topic = 5, "a"
		lists := of[List](r.ask(alice, tc.q))
		if len(lists) != 1 {
			t.Fatalf("%s: %v", tc.name, lists)
		}
		if page := r.reply(lists[0]); page.Request != 5 || !slices.Equal(page.IDs, tc.want) || page.More {
			t.Errorf("%s: %d IDs, want %d", tc.name, len(page.IDs), len(tc.want))
		}
	}
}

func TestEachPartIsListedApart(t *testing.T) {
	r := newRig(t, "a")
	for i := range 100 {
		r.land("a", idN(i), start)
	}
	r.up(alice)
	seen := map[object.ID]bool{}
	for part := range uint8(4) {
		q := GetRecent{Request: 1, Topic: "a", Bits: 2, Part: part}
		for _, id := range r.reply(of[List](r.ask(alice, q))[0]).IDs {
			if id[31]&3 != part || seen[id] {
				t.Errorf("%s is in part %d", id, part)
			}
			seen[id] = true
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 in all parts", len(seen))
	}
}

func TestAPageIsBoundedInIDsAndSteps(t *testing.T) {
	r := newRig(t, "a")
	for i := range 3000 {
		r.land("a", idN(i), start)
	}
	r.Machine.cfg.PageSteps = 1500
	r.up(alice)
	page := r.reply(of[List](r.ask(alice, GetRecent{Request: 1, Topic: "a"}))[0])
	if len(page.IDs) != MaxIDs || page.Next != MaxIDs || !page.More {
		t.Errorf("%d IDs, next %d, more %v", len(page.IDs), page.Next, page.More)
	}
	none := &bloom.Query{Filter: bloom.New(1, 0.01, MaxFilterBytes)}
	page = r.reply(of[List](r.ask(alice, GetRecent{Request: 2, Topic: "a", Known: none}))[0])
	if want := 1500/(1+lookup) + 1; len(page.IDs) != want || !page.More {
		t.Errorf("%d IDs with a filter, want %d", len(page.IDs), want)
	}
}

func TestATopicThatWeDoNotCarryIsAnsweredAtOnce(t *testing.T) {
	r := newRig(t, "a")
	r.up(alice)
	out := r.ask(alice, GetRecent{Request: 3, Topic: "b"})
	if len(of[List](out)) > 0 || len(of[core.Send](out)) != 1 || faults(out) != nil {
		t.Errorf("%v", out)
	}
}

// Who gave up asks for something else: the answer to the first is not sent.
func TestALaterQuestionTakesThePlaceOfTheFirst(t *testing.T) {
	r := newRig(t, "a")
	r.up(alice)
	r.ask(alice, GetRecent{Request: 1, Topic: "a"})
	second := of[List](r.ask(alice, GetRecent{Request: 2, Topic: "a"}))
	if got := r.do(func(out *[]core.Action) { r.Listed(r.now, alice, 1, nil, 0, false, out) }); len(got) > 0 {
		t.Errorf("the first is answered: %v", got)
	}
	if page := r.reply(second[0]); page.Request != 2 {
		t.Errorf("answered is %d", page.Request)
	}
}

// Beyond its budget a peer waits, and is not blamed; others do not pay for it.
func TestCostlyQuestionsWait(t *testing.T) {
	r := newRig(t, "a")
	for i := range 1000 {
		r.land("a", idN(i), start)
	}
	r.Machine.cfg.StepBurst, r.Machine.cfg.StepsPerSecond = 10_000, 10_000
	r.up(alice)
	r.up(bob)
	handed := func(out []core.Action) int {
		if faults(out) != nil {
			t.Fatalf("blamed: %v", faults(out))
		}
		for _, l := range of[List](out) {
			r.reply(l)
		}
		return len(of[List](out))
	}
	answered := 0
	for n := uint64(1); handed(r.ask(alice, GetRecent{Request: n, Topic: "a"})) == 1; n++ {
		answered++
	}
	if answered != 2 { // 5,096 steps each
		t.Errorf("%d questions for 10,000 steps, want 2", answered)
	}
	if handed(r.ask(bob, GetRecent{Request: 1, Topic: "a"})) != 1 {
		t.Error("bob pays for alice")
	}
	if d := r.Deadline().Sub(r.now); d <= 0 || d > 100*time.Millisecond {
		t.Errorf("alice waits for %v", d)
	}
	if handed(r.tick(time.Second)) != 1 || r.Stats().Delayed != 1 {
		t.Errorf("alice is not answered in the end: %+v", r.Stats())
	}
}
