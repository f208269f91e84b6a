package infect

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// rig is one machine among peers that are only names.
type rig struct {
	*Machine
	t    *testing.T
	now  time.Time
	have map[ID]bool          // held outside the table
	shy  map[core.PeerID]bool // may not be offered anything
	out  []core.Action        // of the last input
}

func peerN(i int) core.PeerID { return core.PeerID(fmt.Sprintf("p%02d", i)) }

func newRig(t *testing.T, peers int, change ...func(*Config)) *rig {
	cfg := DefaultConfig()
	cfg.MaxItem = object.MaxSize // claims' times, and items of any size
	for _, c := range change {
		c(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, now: start, have: map[ID]bool{}, shy: map[core.PeerID]bool{}}
	held := func(_ core.PeerID, id ID, _ []byte) bool { return r.have[id] }
	may := func(p core.PeerID, _ ID) bool { return !r.shy[p] }
	r.Machine = New(cfg, held, may, rand.New(rand.NewPCG(1, 2)))
	for i := range peers {
		r.PeerUp(peerN(i))
	}
	return r
}

func (r *rig) do(input func(out *[]core.Action)) []core.Action {
	r.out = nil
	input(&r.out)
	return r.out
}

func (r *rig) gossip(item []byte) []core.Action {
	return r.do(func(out *[]core.Action) {
		if err := r.Gossip(r.now, IDOf(item), item, out); err != nil {
			r.t.Fatal(err)
		}
	})
}

func (r *rig) receive(from core.PeerID, kind frame.Type, m Message) []core.Action {
	return r.do(func(out *[]core.Action) { r.Receive(r.now, from, kind, m.Append(kind, nil), out) })
}

func (r *rig) answer(from core.PeerID, id ID, s Status) []core.Action {
	return r.receive(from, TypeAnswer, Message{ID: id, Status: s})
}

// advance moves the clock to the next deadline and ticks.
func (r *rig) advance() []core.Action {
	r.t.Helper()
	d := r.Deadline()
	if d.IsZero() || d.Before(r.now) {
		r.t.Fatalf("deadline %v, now %v", d, r.now)
	}
	r.now = d
	return r.do(func(out *[]core.Action) { r.Tick(r.now, out) })
}

// to lists who was sent a message of a type.
func to(out []core.Action, kind frame.Type) (peers []core.PeerID) {
	for _, a := range out {
		if s, ok := a.(core.Send); ok && s.Type == kind {
			peers = append(peers, s.Peer)
		}
	}
	return peers
}

// said is the status of the only answer among actions.
func said(out []core.Action) (s Status) {
	for _, a := range out {
		if send, ok := a.(core.Send); ok && send.Type == TypeAnswer {
			m, _ := Parse(TypeAnswer, send.Payload)
			s = m.Status
		}
	}
	return s
}

func faults(out []core.Action) (fs []core.Offence) {
	for _, a := range out {
		if p, ok := a.(core.Penalize); ok {
			fs = append(fs, p.Offence)
		}
	}
	return fs
}

func of[A core.Action](out []core.Action) (all []A) {
	for _, a := range out {
		if a, ok := a.(A); ok {
			all = append(all, a)
		}
	}
	return all
}

var (
	small = []byte("a small item")
	large = make([]byte, MaxInline+1)
)

func TestStep1OffersToKRandomPeers(t *testing.T) {
	seen := map[core.PeerID]int{}
	r := newRig(t, 10)
	for i := range 600 {
		item := []byte(fmt.Sprint(i))
		targets := to(r.gossip(item), TypePush)
		if len(targets) != 3 || targets[0] == targets[1] || targets[1] == targets[2] || targets[0] == targets[2] {
			t.Fatalf("offered to %v", targets)
		}
		for _, p := range targets {
			seen[p]++
		}
	}
	for i := range 10 {
		if n := seen[peerN(i)]; n < 140 || n > 220 { // 180, standard deviation 11
			t.Errorf("%s was drawn %d times of 600 x 3 / 10", peerN(i), n)
		}
	}
}

func TestStep3EachThatHadItAddsOneMoreAndEachInfectedNone(t *testing.T) {
	r := newRig(t, 20)
	id := IDOf(small)
	targets := to(r.gossip(small), TypePush)
	if more := to(r.answer(targets[0], id, StatusAlready), TypePush); len(more) != 1 || slices.Contains(targets, more[0]) {
		t.Errorf("after already: offered to %v, before to %v", more, targets)
	}
	if more := to(r.answer(targets[1], id, StatusNew), TypePush); len(more) != 0 {
		t.Errorf("after new: offered to %v", more)
	}
	if more := to(r.answer(targets[2], id, StatusRefused), TypePush); len(more) != 1 {
		t.Errorf("after refused: offered to %v", more)
	}
}

func TestStep4HowSpreadingEnds(t *testing.T) {
	for _, tc := range []struct {
		name    string
		peers   int
		change  func(*Config)
		respond func(i int) Status // to the i-th offer; 0: none, it times out
		offers  int
		ended   func(Stats) uint64
	}{
		{"L are infected", 50, func(*Config) {}, func(int) Status { return StatusNew }, 3, func(s Stats) uint64 { return s.ByInfection }},
		{"L are infected, below k", 50, func(c *Config) { c.Infect = 2 }, func(int) Status { return StatusNew }, 3, func(s Stats) uint64 { return s.ByInfection }},
		{"S had it", 50, func(*Config) {}, func(int) Status { return StatusAlready }, 14, func(s Stats) uint64 { return s.BySaturation }},
		{"two infected, the others had it", 50, func(*Config) {}, func(i int) Status {
			if i < 2 {
				return StatusNew
			}
			return StatusAlready
		}, 14, func(s Stats) uint64 { return s.BySaturation }},
		{"nobody answers", 50, func(*Config) {}, func(int) Status { return 0 }, 20, func(s Stats) uint64 { return s.ByAttempts }},
		{"nobody has room", 50, func(*Config) {}, func(int) Status { return StatusRefused }, 20, func(s Stats) uint64 { return s.ByAttempts }},
		{"fewer peers than asked", 2, func(*Config) {}, func(int) Status { return StatusNew }, 2, func(s Stats) uint64 { return s.ByPeers }},
		{"fewer peers than S", 5, func(*Config) {}, func(int) Status { return StatusAlready }, 5, func(s Stats) uint64 { return s.ByPeers }},
		{"no peers", 0, func(*Config) {}, func(int) Status { return 0 }, 0, func(s Stats) uint64 { return s.ByPeers }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.peers, tc.change)
			queue, id, offers := to(r.gossip(small), TypePush), IDOf(small), 0
			for r.Stats().Finished == 0 {
				if len(queue) == 0 {
					queue = to(r.advance(), TypePush)
					continue
				}
				next := queue[0]
				queue = queue[1:]
				if s := tc.respond(offers); s != 0 {
					queue = append(queue, to(r.answer(next, id, s), TypePush)...)
				}
				offers++
			}
			if offers += len(queue); offers != tc.offers || tc.ended(r.Stats()) != 1 {
				t.Errorf("ended after %d offers, want %d: %+v", offers, tc.offers, r.Stats())
			}
		})
	}
}

func TestWhoTimedOutIsReplacedAndNeverTriedAgain(t *testing.T) {
	r := newRig(t, 20)
	tried := to(r.gossip(small), TypePush)
	for r.Stats().Finished == 0 {
		more := to(r.advance(), TypePush)
		for _, p := range more {
			if slices.Contains(tried, p) {
				t.Fatalf("%s is tried twice", p)
			}
		}
		tried = append(tried, more...)
	}
	if d := r.now.Sub(start); len(tried) != 20 || d != 7*10*time.Second {
		t.Errorf("%d tried in %v", len(tried), d)
	}
}

func TestTheAnswerSaysWhatWeHad(t *testing.T) {
	for _, tc := range []struct {
		name  string
		setup func(r *rig)
		kind  frame.Type
		want  Status // 0: a Get, which says new
		check int
	}{
		{"a new small item", func(*rig) {}, TypePush, StatusNew, 1},
		{"a new large item", func(*rig) {}, TypeAnnounce, 0, 0},
		{"held outside the table", func(r *rig) { r.have[IDOf(small)] = true }, TypePush, StatusAlready, 0},
		{"being checked", func(r *rig) { r.receive(peerN(1), TypePush, Message{Item: small}) }, TypePush, StatusAlready, 0},
		{"being spread", func(r *rig) { r.gossip(small) }, TypeAnnounce, StatusAlready, 0},
		{"finished", func(r *rig) { r.peers = nil; r.gossip(small) }, TypePush, StatusAlready, 0},
		{"wanted, and announced again", func(r *rig) { r.receive(peerN(1), TypeAnnounce, Message{ID: IDOf(small)}) }, TypeAnnounce, StatusAlready, 0},
		{"wanted, and pushed", func(r *rig) { r.receive(peerN(1), TypeAnnounce, Message{ID: IDOf(small)}) }, TypePush, StatusAlready, 1},
		{"one too many of that peer", func(r *rig) {
			for i := range r.cfg.MaxPending {
				r.receive(peerN(0), TypePush, Message{Item: []byte(fmt.Sprint(i))})
			}
		}, TypePush, StatusRefused, 0},
		{"one too many in all", func(r *rig) {
			for i := range r.cfg.MaxEntries {
				r.receive(peerN(1+i/r.cfg.MaxPending), TypePush, Message{Item: []byte(fmt.Sprint(i))})
			}
		}, TypePush, StatusRefused, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 20)
			tc.setup(r)
			out := r.receive(peerN(0), tc.kind, Message{ID: IDOf(small), Item: small})
			if said(out) != tc.want || tc.want == 0 && len(to(out, TypeGet)) != 1 || len(of[Check](out)) != tc.check || faults(out) != nil {
				t.Errorf("answered %v", out)
			}
		})
	}
}

func TestAFullTableForgetsWhatIsFinished(t *testing.T) {
	r := newRig(t, 0, func(c *Config) { c.MaxEntries = 3 })
	for i := range 10 { // without peers each is finished at once
		r.gossip([]byte(fmt.Sprint(i)))
	}
	if s := r.Stats(); s.Entries != 3 || s.Finished != 3 {
		t.Errorf("%+v", s)
	}
	r = newRig(t, 5, func(c *Config) { c.MaxEntries = 1 })
	r.gossip(small)
	if err := r.Gossip(r.now, ID{1}, nil, &r.out); !errors.Is(err, ErrFull) {
		t.Errorf("no room for our own: %v", err)
	}
}

func TestGossipPausesUntilTheItemIsAccepted(t *testing.T) {
	r := newRig(t, 10)
	out := r.receive(peerN(0), TypePush, Message{Item: small})
	if to(out, TypePush) != nil || len(of[Check](out)) != 1 {
		t.Fatalf("before it is accepted: %v", out)
	}
	r.now = r.now.Add(59 * time.Second)
	targets := to(r.gossip(small), TypePush)
	if len(targets) != 3 || slices.Contains(targets, peerN(0)) {
		t.Errorf("offered to %v, one of whom brought it", targets)
	}
	if r.Stats().Pending != 0 {
		t.Error("it still counts against who brought it")
	}
}

func TestAnItemThatIsNotAcceptedInAMinuteIsForgotten(t *testing.T) {
	r := newRig(t, 10)
	r.receive(peerN(0), TypePush, Message{Item: small})
	r.advance()
	if s := r.Stats(); r.now.Sub(start) != time.Minute || s.Entries != 0 || s.Pending != 0 || s.Expired != 1 {
		t.Errorf("after %v: %+v", r.now.Sub(start), s)
	}
	if targets := to(r.gossip(small), TypePush); len(targets) != 3 {
		t.Errorf("accepted late, it is offered to %v", targets)
	}
}

func TestARejectedItemIsTheFaultOfWhoOffersItAgain(t *testing.T) {
	r := newRig(t, 10)
	r.receive(peerN(0), TypePush, Message{Item: small})
	r.Reject(r.now, IDOf(small))
	out := r.receive(peerN(1), TypePush, Message{Item: small})
	if fs := faults(out); len(fs) != 1 || fs[0] != OffenceRejected || len(of[Check](out)) != 0 || r.Stats().Pending != 0 {
		t.Errorf("offered again: %v", out)
	}
	r.gossip(small)
	if r.Stats().Offers != 0 {
		t.Error("a rejected item is spread")
	}
}

func TestAnItemThatIsDroppedIsNobodysFault(t *testing.T) {
	r := newRig(t, 10)
	r.receive(peerN(0), TypePush, Message{Item: small})
	r.Drop(r.now, IDOf(small))
	out := r.receive(peerN(1), TypePush, Message{Item: small})
	if fs := faults(out); len(fs) != 0 || said(out) != StatusAlready || r.Stats().Pending != 0 {
		t.Errorf("offered again: %v", out)
	}
	r.gossip(small)
	if s := r.Stats(); s.Offers != 0 || s.Dropped != 1 {
		t.Errorf("a dropped item is spread: %+v", s)
	}
}

func TestAMemberBringsOnlySoManyNewItems(t *testing.T) {
	r := newRig(t, 10)
	next := 0
	bring := func(from core.PeerID, n int) (taken int) {
		for range n {
			next++
			item := []byte(fmt.Sprint("item ", next))
			out := r.receive(from, TypePush, Message{Item: item})
			if faults(out) != nil {
				t.Fatalf("blamed: %v", out)
			}
			if said(out) == StatusNew {
				taken++
				r.gossip(item)
			}
		}
		return taken
	}
	if n := bring(peerN(0), 1000); n != 256 {
		t.Errorf("%d taken at once, want 256", n)
	}
	if n := bring(peerN(1), 10); n != 10 {
		t.Errorf("%d of another member's taken, want 10", n)
	}
	r.now = r.now.Add(time.Second)
	if n := bring(peerN(0), 100); n != 16 {
		t.Errorf("%d taken in the next second, want 16", n)
	}
	r.now = r.now.Add(-time.Hour) // the clock is set back
	if n := bring(peerN(0), 1000); n != 256 {
		t.Errorf("%d taken after the clock was set back, want 256", n)
	}
	if n := r.Stats().NoRoom; n == 0 {
		t.Error("what is refused is not counted")
	}
}

// A node that was stopped must not blame others for its own absence.
func TestAnItemIsNotWithheldWhileWeWereAway(t *testing.T) {
	r := newRig(t, 10)
	id := IDOf(large)
	r.receive(peerN(0), TypeAnnounce, Message{ID: id})
	r.now = r.now.Add(time.Minute)
	if out := r.do(func(out *[]core.Action) { r.Tick(r.now, out) }); len(out) != 0 {
		t.Errorf("after a pause: %v", out)
	}
	if d := r.Deadline(); d.Sub(r.now) != 5*time.Second {
		t.Errorf("it is given %v more", d.Sub(r.now))
	}
	if out := r.advance(); !slices.Equal(faults(out), []core.Offence{OffenceWithheld}) {
		t.Errorf("then: %v", out)
	}
}

// A peer that gives other bytes under the ID of an item must not bring those into
// disrepute that have it.
func TestWrongBytesUnderAnIDAreNotTheItem(t *testing.T) {
	r := newRig(t, 10)
	id := IDOf(large)
	r.receive(peerN(0), TypeAnnounce, Message{ID: id})
	r.receive(peerN(1), TypeAnnounce, Message{ID: id})
	r.receive(peerN(0), TypeItem, Message{ID: id, Item: []byte("something else")})
	out := r.do(func(out *[]core.Action) { r.Retry(r.now, id, out) })
	if asked := to(out, TypeGet); !slices.Equal(asked, []core.PeerID{peerN(1)}) {
		t.Fatalf("asked %v, want the other one", asked)
	}
	if out = r.receive(peerN(1), TypeItem, Message{ID: id, Item: large}); len(of[Check](out)) != 1 || len(faults(out)) != 0 {
		t.Errorf("the item itself: %v", out)
	}
	out = r.do(func(out *[]core.Action) { r.Retry(r.now, id, out) })
	if len(of[Lost](out)) != 1 || r.Stats().Pending != 0 {
		t.Errorf("nobody is left to ask: %v, %+v", out, r.Stats())
	}
	if out = r.receive(peerN(2), TypeAnnounce, Message{ID: id}); len(faults(out)) != 0 || len(to(out, TypeGet)) != 1 {
		t.Errorf("announced once more: %v", out)
	}
}

func TestALargeItemIsAnnouncedAndGivenOnRequest(t *testing.T) {
	r := newRig(t, 10)
	id := IDOf(large)
	targets := to(r.gossip(large), TypeAnnounce)
	out := r.receive(targets[0], TypeGet, Message{ID: id})
	if want := []core.Action{Provide{targets[0], id}}; !slices.Equal(out, want) || r.Stats().Infected != 1 {
		t.Errorf("a Get: %v, %d infected", out, r.Stats().Infected)
	}
	if out = r.receive(targets[0], TypeGet, Message{ID: id}); len(of[Provide](out)) != 1 || r.Stats().Infected != 1 {
		t.Errorf("a second Get, as the item was lost: %v", out)
	}
	if fs := faults(r.receive(targets[0], TypeGet, Message{ID: id})); len(fs) != 1 || fs[0] != OffenceUnsolicited {
		t.Errorf("a third Get: %v", fs)
	}
	stranger := peerN(slices.IndexFunc([]int{0, 1, 2, 3}, func(i int) bool { return !slices.Contains(targets, peerN(i)) }))
	if fs := faults(r.receive(stranger, TypeGet, Message{ID: id})); len(fs) != 1 || fs[0] != OffenceUnsolicited {
		t.Errorf("a Get of one who was not offered it: %v", fs)
	}
	r.receive(targets[1], TypeGet, Message{ID: id})
	r.answer(targets[2], id, StatusNew)
	if out = r.receive(targets[2], TypeGet, Message{ID: id}); r.Stats().Finished != 1 || len(of[Provide](out)) != 1 {
		t.Errorf("after the end of spreading: %v", out)
	}
}

func TestAnItemThatIsWithheldIsAskedOfTheNext(t *testing.T) {
	r := newRig(t, 10)
	id := IDOf(large)
	announce := func(i int) []core.Action { return r.receive(peerN(i), TypeAnnounce, Message{ID: id}) }
	announce(0)
	announce(1)
	announce(1) // no second chance for that
	announce(2)
	r.PeerDown(r.now, peerN(2), &r.out)
	out := r.advance()
	if got := to(out, TypeGet); r.now.Sub(start) != 5*time.Second || len(got) != 1 || got[0] != peerN(1) || faults(out)[0] != OffenceWithheld {
		t.Fatalf("after %v: %v", r.now.Sub(start), out)
	}
	out = r.advance()
	if lost := of[Lost](out); len(lost) != 1 || lost[0].ID != id || r.Stats().Pending != 0 {
		t.Fatalf("nobody is left: %v", out)
	}
	if out = r.receive(peerN(1), TypeItem, Message{ID: id, Item: large}); len(out) != 0 {
		t.Errorf("it comes when all hope is gone: %v", out)
	}
	if out = announce(3); len(to(out, TypeGet)) != 1 {
		t.Errorf("announced again: %v", out)
	}
	if out = r.receive(peerN(3), TypeItem, Message{ID: id, Item: large}); len(of[Check](out)) != 1 {
		t.Errorf("and given: %v", out)
	}
}

func TestALostItemThatIsHadInAnotherWayIsSpread(t *testing.T) {
	r := newRig(t, 10)
	r.receive(peerN(0), TypeAnnounce, Message{ID: IDOf(large)})
	r.advance()
	if targets := to(r.gossip(large), TypeAnnounce); len(targets) != 3 {
		t.Errorf("offered to %v", targets)
	}
}

func TestWhoIsGoneIsReplaced(t *testing.T) {
	r := newRig(t, 10)
	targets := to(r.gossip(small), TypePush)
	out := r.do(func(out *[]core.Action) { r.PeerDown(r.now, targets[0], out) })
	if more := to(out, TypePush); len(more) != 1 || slices.Contains(targets, more[0]) {
		t.Errorf("offered to %v", more)
	}
	r.receive(peerN(9), TypeAnnounce, Message{ID: ID{9}})
	r.receive(targets[1], TypeAnnounce, Message{ID: ID{9}})
	out = r.do(func(out *[]core.Action) { r.PeerDown(r.now, peerN(9), out) })
	if peerN(9) != targets[1] && !slices.Contains(to(out, TypeGet), targets[1]) {
		t.Errorf("an item asked of it is asked of %v", to(out, TypeGet))
	}
}

func TestWhatIsUnsolicited(t *testing.T) {
	r := newRig(t, 10)
	targets := to(r.gossip(small), TypePush)
	id := IDOf(small)
	other := peerN(slices.IndexFunc([]int{0, 1, 2, 3}, func(i int) bool { return !slices.Contains(targets, peerN(i)) }))
	for _, tc := range []struct {
		name string
		from core.PeerID
		kind frame.Type
		m    Message
		want []core.Offence
	}{
		{"an answer of one who was not offered it", other, TypeAnswer, Message{ID: id, Status: StatusNew}, []core.Offence{OffenceUnsolicited}},
		{"an answer about an unknown item", other, TypeAnswer, Message{ID: ID{7}, Status: StatusNew}, nil},
		{"an item that nobody asked for", other, TypeItem, Message{ID: ID{7}, Item: small}, []core.Offence{OffenceUnsolicited}},
		{"an item that is being spread", other, TypeItem, Message{ID: id, Item: small}, []core.Offence{OffenceUnsolicited}},
		{"a Get of an unknown item", other, TypeGet, Message{ID: ID{7}}, nil},
		{"a first answer", targets[0], TypeAnswer, Message{ID: id, Status: StatusNew}, nil},
		{"a second answer", targets[0], TypeAnswer, Message{ID: id, Status: StatusNew}, nil},
		{"a stranger's push", "stranger", TypePush, Message{Item: small}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := r.Stats().Infected
			if got := faults(r.receive(tc.from, tc.kind, tc.m)); !slices.Equal(got, tc.want) {
				t.Errorf("faults %v, want %v", got, tc.want)
			}
			if counted := r.Stats().Infected != before; counted != (tc.name == "a first answer") {
				t.Errorf("counted as infected: %v", counted)
			}
		})
	}
	if fs := faults(r.do(func(out *[]core.Action) { r.Receive(r.now, other, TypePush, []byte{0xff}, out) })); len(fs) != 1 || fs[0] != OffenceMalformed {
		t.Errorf("noise: %v", fs)
	}
}

func TestAFinishedItemIsRememberedForAMinute(t *testing.T) {
	r := newRig(t, 1)
	targets := to(r.gossip(small), TypePush)
	r.answer(targets[0], IDOf(small), StatusNew)
	if out := r.gossip(small); len(out) != 0 {
		t.Errorf("gossiped again within the minute: %v", out)
	}
	r.advance()
	if r.now.Sub(start) != time.Minute || r.Stats().Entries != 0 {
		t.Errorf("after %v: %+v", r.now.Sub(start), r.Stats())
	}
	if out := r.gossip(small); len(to(out, TypePush)) != 1 {
		t.Errorf("gossiped again after it: %v", out)
	}
}

// Any inputs in any order: the table is consistent, in bounds, and empties itself.
func TestAnyHistoryKeepsTheTableConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := rapid.SampledFrom([]Config{DefaultConfig(), ObjectsConfig()}).Draw(t, "config")
		may := func(p core.PeerID, id ID) bool { return p != peerN(int(id[0])%8) }
		cfg.MaxEntries, cfg.MaxPending, cfg.MaxAttempts = rapid.IntRange(1, 6).Draw(t, "entries"), rapid.IntRange(1, 3).Draw(t, "pending"), 5
		m := New(cfg, func(core.PeerID, ID, []byte) bool { return false }, may, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		now, out := start, []core.Action(nil)
		peers := rapid.Map(rapid.IntRange(0, 7), peerN)
		items := rapid.Map(rapid.IntRange(0, 8), func(i int) []byte { return []byte{byte(i)} })
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			p, item := peers.Draw(t, "peer"), items.Draw(t, "item")
			id := IDOf(item)
			switch what := rapid.IntRange(0, 9).Draw(t, "what"); what {
			case 0:
				m.PeerUp(p)
			case 1:
				m.PeerDown(now, p, &out)
			case 2, 3:
				body := item
				if what == 3 {
					body = nil
				}
				if err := m.Gossip(now, id, body, &out); err != nil && len(m.table.entries) < cfg.MaxEntries {
					t.Fatal(err)
				}
			case 4:
				m.Reject(now, id)
			case 9:
				now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
				m.Tick(now, &out)
			default:
				kind := frame.Type(what - 4) // push, announce, answer, get
				if rapid.IntRange(0, 4).Draw(t, "item") == 0 {
					kind = TypeItem
				}
				status := Status(rapid.IntRange(1, 3).Draw(t, "status"))
				m.Receive(now, p, kind, Message{ID: id, Item: item, Status: status}.Append(kind, nil), &out)
			}
			checkTable(t, m)
		}
		for d := m.Deadline(); !d.IsZero(); d = m.Deadline() {
			if d.After(now) {
				now = d
			}
			m.Tick(now, &out)
			checkTable(t, m)
		}
		if s := m.Stats(); s.Entries != 0 || s.Pending != 0 {
			t.Fatalf("in the end: %+v", s)
		}
	})
}

func checkTable(t *rapid.T, m *Machine) {
	t.Helper()
	if len(m.table.entries) > m.cfg.MaxEntries || len(m.table.schedule)+m.table.finished.Len() != len(m.table.entries) {
		t.Fatalf("%d entries, %d scheduled, %d finished", len(m.table.entries), len(m.table.schedule), m.table.finished.Len())
	}
	pending := map[core.PeerID]int{}
	for id, e := range m.table.entries {
		if e.id != id || (e.done == nil) != (e.state <= spreading) || e.done == nil && m.table.schedule[e.place] != e {
			t.Fatalf("%v in state %d is out of place", id, e.state)
		}
		if e.isPending() {
			pending[e.from]++
		}
		if e.state != spreading {
			continue
		}
		if len(e.flights) == 0 || len(e.flights)+e.infected > m.cfg.Targets || len(e.offered) > m.cfg.MaxAttempts || !e.due.Equal(e.flights[0].due) {
			t.Fatalf("%v: %d in flight, %d infected, %d offered", id, len(e.flights), e.infected, len(e.offered))
		}
	}
	for p, n := range m.table.pending {
		if n != pending[p] || n > m.cfg.MaxPending {
			t.Fatalf("%s has %d pending, counted %d", p, pending[p], n)
		}
	}
	if len(pending) != len(m.table.pending) {
		t.Fatalf("pending %v, counted %v", pending, m.table.pending)
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for field, spoil := range map[string]func(*Config){
		"Targets":      func(c *Config) { c.Targets = 2 },
		"Saturate":     func(c *Config) { c.Saturate = 0 },
		"MaxAttempts":  func(c *Config) { c.MaxAttempts = 2 },
		"AnswerWithin": func(c *Config) { c.AnswerWithin = 0 },
		"MaxPending":   func(c *Config) { c.MaxPending = 0 },
		"LostWithin":   func(c *Config) { c.LostWithin = c.ItemWithin - 1 },
		"Protocol":     func(c *Config) { c.Protocol = "" },
		"MaxItem":      func(c *Config) { c.MaxItem = object.MaxSize + 1 },
	} {
		c := ObjectsConfig()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), "set ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func BenchmarkReceiveKnown(b *testing.B) {
	m := New(DefaultConfig(), func(core.PeerID, ID, []byte) bool { return true }, nil, rand.New(rand.NewPCG(1, 2)))
	m.PeerUp("a")
	payload := Message{Item: make([]byte, 300)}.Append(TypePush, nil)
	out := make([]core.Action, 0, 4)
	b.ReportAllocs()
	for b.Loop() {
		out = out[:0]
		m.Receive(start, "a", TypePush, payload, &out)
	}
}

func BenchmarkGossipToThree(b *testing.B) {
	m := New(DefaultConfig(), func(core.PeerID, ID, []byte) bool { return false }, nil, rand.New(rand.NewPCG(1, 2)))
	for i := range 50 {
		m.PeerUp(peerN(i))
	}
	item, out := make([]byte, 300), make([]core.Action, 0, 16)
	for i := 0; b.Loop(); i++ {
		out = out[:0]
		item[0], item[1], item[2] = byte(i), byte(i>>8), byte(i>>16)
		id := IDOf(item)
		_ = m.Gossip(start, id, item, &out)
		for _, s := range of[core.Send](out) {
			m.Receive(start, s.Peer, TypeAnswer, Message{ID: id, Status: StatusNew}.Append(TypeAnswer, nil), &out)
		}
	}
	b.ReportAllocs()
}
