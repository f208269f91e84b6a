package fetch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

var id1, id2 = object.ID{1}, object.ID{2}

func TestAnObjectIsAskedOfTheFirstHolderAndHandedOver(t *testing.T) {
	r := newRig(t, 3)
	q := r.only(r.want(id1, peerN(2), peerN(0)))
	if q.peer != peerN(2) || q.ID != id1 || q.Closure {
		t.Fatalf("asked %+v", q)
	}
	r.now = r.now.Add(70 * time.Millisecond)
	out := r.answer(q, found("object"))
	if got := of[Got](out); len(got) != 1 || got[0].Peer != peerN(2) || string(got[0].Object) != "object" || got[0].Extra {
		t.Fatalf("handed over: %v", out)
	}
	r.faulted(out)
	r.Accepted(r.now, id1)
	if s := r.Stats(); s.Accepted != 1 || s.Found != 1 || s.BytesIn != 6 || s.Answers != 1 || s.Latency != 70*time.Millisecond {
		t.Errorf("%+v", s)
	}
	r.empty()
}

func TestWantsOfOneObjectAreOneRequest(t *testing.T) {
	r := newRig(t, 3)
	q := r.only(r.want(id1, peerN(0)))
	if out := r.want(id1, peerN(0), peerN(1)); len(out) != 0 {
		t.Fatalf("wanted again: %v", out)
	}
	r.do(func(out *[]core.Action) { r.Holder(r.now, id1, peerN(2), out) })
	if next := askedOf(r.answer(q, Message{Status: StatusNotFound})); !slices.Equal(next, []core.PeerID{peerN(1)}) {
		t.Errorf("then asked: %v", next)
	}
	if next := askedOf(r.down(peerN(1))); !slices.Equal(next, []core.PeerID{peerN(2)}) {
		t.Errorf("at last asked: %v", next)
	}
	if s := r.Stats(); s.Coalesced != 1 || s.Wants != 1 || s.Open != 1 {
		t.Errorf("%+v", s)
	}
}

// What ends a request turns to the next holder, and is listed in the end.
func TestTheNextHolder(t *testing.T) {
	for name, end := range map[string]func(r *rig, q asked) []core.Action{
		"not-found": func(r *rig, q asked) []core.Action { return r.answer(q, Message{Status: StatusNotFound}) },
		"refused":   func(r *rig, q asked) []core.Action { return r.answer(q, Message{Status: StatusRefused}) },
		"pruned":    func(r *rig, q asked) []core.Action { return r.answer(q, Message{Status: StatusPruned}) },
		"timed-out": func(r *rig, q asked) []core.Action {
			before := r.now
			out := r.advance()
			if d := r.now.Sub(before); d != 10*time.Second {
				r.t.Errorf("after %v", d)
			}
			return out
		},
		"gone": func(r *rig, q asked) []core.Action { return r.down(q.peer) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 9)
			out := r.want(id1, peersN(9)...)
			var want []string
			for i := range 5 {
				q := r.only(out)
				if q.peer != peerN(i) {
					t.Fatalf("asked %s, want %s", q.peer, peerN(i))
				}
				out = end(r, q)
				r.faulted(out)
				want = append(want, string(peerN(i))+" "+name)
			}
			if got := r.exhausted(out); !slices.Equal(got, want) {
				t.Errorf("exhausted: %v, want %v", got, want)
			}
			r.empty()
		})
	}
}

func TestWrongContentIsAnOffenceAndTheNextIsAsked(t *testing.T) {
	r := newRig(t, 2)
	q := r.only(r.want(id1, peerN(0), peerN(1)))
	r.answer(q, found("a lie"))
	out := r.do(func(out *[]core.Action) { r.Wrong(r.now, id1, peerN(0), out) })
	r.faulted(out, OffenceWrong)
	r.answer(r.only(out), found("another"))
	out = r.do(func(out *[]core.Action) { r.Wrong(r.now, id1, peerN(1), out) })
	r.faulted(out, OffenceWrong)
	if got := r.exhausted(out); !slices.Equal(got, []string{"p00 wrong", "p01 wrong"}) {
		t.Errorf("exhausted: %v", got)
	}
	r.empty()
}

func TestNobodyIsAskedTwice(t *testing.T) {
	r := newRig(t, 3)
	q := r.only(r.want(id1, peerN(0), peerN(0), "stranger", peerN(1)))
	r.want(id1, peerN(0))
	q = r.only(r.answer(q, Message{Status: StatusRefused}))
	if out := r.want(id1, peerN(0), peerN(1)); q.peer != peerN(1) || len(out) != 0 {
		t.Fatalf("asked %s, then %v", q.peer, out)
	}
	if got := r.exhausted(r.answer(q, Message{Status: StatusRefused})); len(got) != 2 {
		t.Errorf("exhausted: %v", got)
	}
}

// Of an object that was wanted, cancelled and wanted again two requests are open.
func TestAPeerThatGoesWithTwoRequestsForOneObjectEndsItOnce(t *testing.T) {
	r := newRig(t, 1)
	r.want(id1, peerN(0))
	r.Cancel(r.now, id1)
	r.want(id1, peerN(0))
	if got := r.exhausted(r.down(peerN(0))); !slices.Equal(got, []string{"p00 gone"}) {
		t.Errorf("exhausted: %v", got)
	}
	r.empty()
}

func TestAWantWithoutHoldersIsExhaustedAtOnce(t *testing.T) {
	r := newRig(t, 1)
	if got := r.exhausted(r.want(id1, "stranger")); got != nil || r.Stats().Open != 0 {
		t.Errorf("exhausted: %v", got)
	}
}

func TestALateAnswerIsUsedAndNobodysFault(t *testing.T) {
	late := func(r *rig) (first, second asked) {
		first = r.only(r.want(id1, peerN(0), peerN(1)))
		return first, r.only(r.advance())
	}
	t.Run("while another is asked", func(t *testing.T) {
		r := newRig(t, 2)
		first, second := late(r)
		out := r.answer(first, found("object"))
		if got := of[Got](out); len(got) != 1 || got[0].Peer != peerN(0) || r.Stats().LateUsed != 1 {
			t.Fatalf("%v", out)
		}
		r.faulted(out)
		r.Accepted(r.now, id1)
		out = r.answer(second, found("object"))
		if r.faulted(out); len(out) != 0 || r.Stats().Unneeded != 1 {
			t.Errorf("the second answer: %v", out)
		}
		r.empty()
	})
	t.Run("and wrong, while another is asked", func(t *testing.T) {
		r := newRig(t, 2)
		first, second := late(r)
		r.answer(first, found("a lie"))
		out := r.do(func(out *[]core.Action) { r.Wrong(r.now, id1, peerN(0), out) })
		if r.faulted(out, OffenceWrong); len(of[Exhausted](out)) != 0 {
			t.Fatalf("given up: %v", out)
		}
		if out = r.answer(second, found("object")); len(of[Got](out)) != 1 {
			t.Errorf("the second answer: %v", out)
		}
	})
	t.Run("while a second answer is checked", func(t *testing.T) {
		r := newRig(t, 2)
		first, second := late(r)
		r.answer(second, found("a lie"))
		if out := r.answer(first, found("object")); len(of[Got](out)) != 1 {
			t.Fatalf("%v", out)
		}
		out := r.do(func(out *[]core.Action) { r.Wrong(r.now, id1, peerN(1), out) })
		if len(of[Exhausted](out)) != 0 {
			t.Errorf("given up while the other is checked: %v", out)
		}
	})
	t.Run("that nothing is there", func(t *testing.T) {
		r := newRig(t, 2)
		first, second := late(r)
		r.faulted(r.answer(first, Message{Status: StatusNotFound}))
		got := r.exhausted(r.answer(second, Message{Status: StatusPruned}))
		if !slices.Equal(got, []string{"p00 not-found", "p01 pruned"}) {
			t.Errorf("exhausted: %v", got)
		}
	})
	t.Run("after all was given up, and it is wanted anew", func(t *testing.T) {
		r := newRig(t, 3)
		first := r.only(r.want(id1, peerN(0)))
		r.exhausted(r.advance())
		second := r.only(r.want(id1, peerN(2)))
		out := r.answer(first, found("object"))
		if r.faulted(out); len(of[Got](out)) != 1 {
			t.Fatalf("%v", out)
		}
		out = r.do(func(out *[]core.Action) { r.Wrong(r.now, id1, peerN(0), out) })
		if len(of[Exhausted](out)) != 0 {
			t.Errorf("given up: %v", out)
		}
		if out = r.answer(second, found("object")); len(of[Got](out)) != 1 {
			t.Errorf("the second answer: %v", out)
		}
	})
	t.Run("after the grace", func(t *testing.T) {
		r := newRig(t, 2)
		first := r.only(r.want(id1, peerN(0)))
		r.advance()
		r.now = r.now.Add(time.Minute)
		r.do(func(out *[]core.Action) { r.Tick(r.now, out) })
		r.faulted(r.answer(first, found("object")), OffenceUnsolicited)
	})
	t.Run("after a reconnection", func(t *testing.T) {
		r := newRig(t, 2)
		first := r.only(r.want(id1, peerN(0)))
		r.down(peerN(0))
		r.PeerUp(peerN(0))
		r.want(id1, peerN(1))
		out := r.answer(first, found("object"))
		if r.faulted(out); len(of[Got](out)) != 1 {
			t.Errorf("%v", out)
		}
	})
	t.Run("after it was cancelled", func(t *testing.T) {
		r := newRig(t, 2)
		first := r.only(r.want(id1, peerN(0)))
		r.Cancel(r.now, id1)
		if out := r.answer(first, found("object")); len(out) != 0 {
			t.Errorf("%v", out)
		}
		r.faulted(r.answer(first, found("object")), OffenceUnsolicited)
		r.empty()
	})
}

func TestAnswersOfBeforeARestartAreNobodysFault(t *testing.T) {
	before := newRig(t, 1)
	q := before.only(before.want(id1, peerN(0)))
	r := newRig(t, 1)
	r.started = start.Add(time.Second)
	r.first += 1000 * numbersPerMs
	r.requested = r.first
	r.now = r.started
	r.faulted(r.answer(q, found("object")))
	r.now = r.started.Add(time.Minute)
	r.faulted(r.answer(q, found("object")), OffenceUnsolicited)
}

func TestARequestThatIsForgottenEarlyIsForgiven(t *testing.T) {
	r := newRig(t, 3, func(c *Config) { c.MaxLate = 1 })
	first := r.only(r.want(id1, peerN(0)))
	second := r.only(r.want(id2, peerN(1)))
	r.advance()
	if s := r.Stats(); s.Late != 1 || s.TimedOut != 2 {
		t.Fatalf("%+v", s)
	}
	r.faulted(r.answer(first, found("object")))
	r.faulted(r.answer(second, found("object")))
	third := asked{peerN(1), Message{Request: second.Request + 1, ID: id2}}
	r.faulted(r.answer(third, found("object")), OffenceUnsolicited)
}

// A node that was stopped must not take its own absence for that of others.
func TestOurOwnPauseIsNobodysTimeOut(t *testing.T) {
	r := newRig(t, 3)
	q := r.only(r.want(id1, peerN(0), peerN(1)))
	r.now = r.now.Add(5 * time.Second)
	soon := r.only(r.want(id2, peerN(2)))
	r.now = start.Add(12 * time.Second)
	if out := r.do(func(out *[]core.Action) { r.Tick(r.now, out) }); len(out) != 0 {
		t.Fatalf("after a pause: %v", out)
	}
	if d := r.Deadline().Sub(r.now); d != 10*time.Second || r.Stats().Pauses != 1 {
		t.Errorf("given %v more, %d pauses", d, r.Stats().Pauses)
	}
	if out := r.answer(soon, found("object")); len(of[Got](out)) != 1 {
		t.Errorf("what was not due yet: %v", out)
	}
	if next := r.only(r.advance()); next.peer != peerN(1) || !r.peers[peerN(0)].failed {
		t.Errorf("then asked %s", next.peer)
	}
	r.now = r.now.Add(2 * time.Minute)
	r.do(func(out *[]core.Action) { r.Tick(r.now, out) })
	r.faulted(r.answer(q, found("object"))) // its grace is prolonged too
}

func TestWhoIsSilentComesLast(t *testing.T) {
	r := newRig(t, 3)
	q := r.only(r.want(id1, peerN(0)))
	r.exhausted(r.advance())
	if next := askedOf(r.want(id2, peerN(0), peerN(1), peerN(2))); !slices.Equal(next, []core.PeerID{peerN(1)}) {
		t.Errorf("asked %v", next)
	}
	r.down(peerN(2))
	if next := askedOf(r.down(peerN(1))); !slices.Equal(next, []core.PeerID{peerN(0)}) {
		t.Errorf("asked %v, where nobody else is left", next)
	}
	r.answer(q, Message{Status: StatusNotFound})
	r.PeerUp(peerN(1))
	if next := askedOf(r.want(object.ID{3}, peerN(0), peerN(1))); !slices.Equal(next, []core.PeerID{peerN(0)}) {
		t.Errorf("asked %v, where the first is not silent any more", next)
	}
}

// What times out first must not go on to those that time out next.
func TestWhoHasNotAnsweredForAWhileComesLast(t *testing.T) {
	r := newRig(t, 3)
	r.want(id1, peerN(0))
	r.want(object.ID{9}, peerN(1))
	r.now = r.now.Add(2 * time.Second)
	if next := askedOf(r.want(id2, peersN(3)...)); !slices.Equal(next, []core.PeerID{peerN(0)}) {
		t.Errorf("asked %v", next)
	}
	r.now = r.now.Add(time.Millisecond)
	if next := askedOf(r.want(object.ID{3}, peersN(3)...)); !slices.Equal(next, []core.PeerID{peerN(2)}) {
		t.Errorf("a moment later asked %v", next)
	}
}

func TestAClosureIsHandedOverInOrder(t *testing.T) {
	r := newRig(t, 2)
	have := make([]object.ID, MaxHave+1)
	out := r.do(func(out *[]core.Action) {
		r.Want(r.now, Want{ID: id1, Holders: peersN(2), Closure: true, Have: have}, out)
	})
	q := r.only(out)
	if !q.Closure || len(q.Have) != MaxHave {
		t.Fatalf("asked for closure %v with a locator of %d", q.Closure, len(q.Have))
	}
	var order string
	out = r.answer(q, found("object", "first", "second"))
	for _, g := range of[Got](out) {
		order += fmt.Sprintf("%s %v,", g.Object, g.Extra)
		if g.ID != id1 || g.Peer != peerN(0) {
			t.Errorf("%+v", g)
		}
	}
	if r.faulted(out); order != "first true,second true,object false," || r.Stats().Extras != 2 {
		t.Errorf("handed over %s", order)
	}
}

// A want becomes one for the closure, from its next request on.
func TestAClosureMayBeWantedLater(t *testing.T) {
	r := newRig(t, 2)
	q := r.only(r.want(id1, peersN(2)...))
	r.do(func(out *[]core.Action) { r.Want(r.now, Want{ID: id1, Closure: true, Have: []object.ID{id2}}, out) })
	if q.Closure {
		t.Fatal("asked for a closure")
	}
	q = r.only(r.answer(q, Message{Status: StatusPruned}))
	if !q.Closure || !slices.Equal(q.Have, []object.ID{id2}) {
		t.Errorf("asked %+v", q)
	}
}

func TestWhatIsNotAskedForIsAnOffence(t *testing.T) {
	r := newRig(t, 3)
	q := r.only(r.want(id1, peerN(0), peerN(1)))
	if out := r.receive("stranger", Protocol, TypeAnswer, Message{Request: 1, ID: id1, Status: StatusPruned}); len(out) != 0 {
		t.Errorf("a stranger: %v", out)
	}
	for name, tc := range map[string]struct {
		from core.PeerID
		m    Message
	}{
		"another peer's answer":  {peerN(2), Message{Request: q.Request, ID: id1, Status: StatusNotFound}},
		"another object":         {peerN(0), Message{Request: q.Request, ID: id2, Status: StatusNotFound}},
		"a number of the future": {peerN(0), Message{Request: q.Request + 1, ID: id1, Status: StatusNotFound}},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.faulted(r.receive(tc.from, Protocol, TypeAnswer, tc.m), OffenceUnsolicited)
			tc.m.Bytes = 1
			r.faulted(r.receive(tc.from, Protocol, TypeComing, tc.m), OffenceUnsolicited)
		})
	}
	r.t = t
	if s := r.Stats(); s.InFlight != 1 {
		t.Fatalf("the request is not open any more: %+v", s)
	}
	out := r.answer(q, found("object", "an extra"))
	r.faulted(out, OffenceUnsolicited)
	if len(of[Got](out)) != 0 || r.only(out).peer != peerN(1) {
		t.Errorf("a closure that was not asked for: %v", out)
	}
	r.faulted(r.answer(q, found("object")), OffenceUnsolicited) // a second one
	r.faulted(r.do(func(out *[]core.Action) { r.Receive(r.now, peerN(0), Protocol, TypeAnswer, []byte{0xff}, out) }), OffenceMalformed)
	r.faulted(r.receive(peerN(0), BulkProtocol, TypeRequest, Message{Request: 1, ID: id1}), OffenceMalformed)
	large := make([]byte, MaxClosure/2)
	over := Message{Request: 1, ID: id1, Status: StatusFound, Object: large, Extras: [][]byte{large}}
	r.faulted(r.receive(peerN(0), BulkProtocol, TypeAnswer, over), OffenceOversized)
}

func TestALargeAnswerThatIsAnnouncedHasMoreTimeAndAnotherPlace(t *testing.T) {
	r := newRig(t, 2, func(c *Config) { c.MaxInFlight = 1 })
	q := r.only(r.want(id1, peerN(0)))
	if out := r.want(id2, peerN(0)); len(out) != 0 || r.Stats().Waiting != 1 {
		t.Fatalf("there is no free place: %v", out)
	}
	coming := Message{Request: q.Request, ID: id1, Bytes: 1 << 20}
	small := r.only(r.receive(peerN(0), Protocol, TypeComing, coming))
	if small.ID != id2 {
		t.Fatalf("asked for %v", small.ID)
	}
	r.faulted(r.receive(peerN(0), Protocol, TypeComing, coming), OffenceUnsolicited)
	if d := r.requests[q.Request].timer.due.Sub(r.now); d != 14*time.Second {
		t.Errorf("a MiB may take %v", d)
	}
	if out := r.answer(small, found("small")); len(of[Got](out)) != 1 {
		t.Errorf("the small one: %v", out)
	}
	out := r.do(func(out *[]core.Action) {
		m := Message{Request: q.Request, ID: id1, Status: StatusFound, Object: make([]byte, 1<<20)}
		r.Receive(r.now, peerN(0), BulkProtocol, TypeAnswer, m.Append(TypeAnswer, nil), out)
	})
	if r.faulted(out); len(of[Got](out)) != 1 {
		t.Errorf("the large one: %v", out)
	}
	// The streams of the two may cross.
	third := r.only(r.want(object.ID{3}, peerN(0)))
	r.answer(third, found("large"))
	r.faulted(r.receive(peerN(0), Protocol, TypeComing, Message{Request: third.Request, ID: third.ID, Bytes: 1}))
	for _, id := range []object.ID{id1, id2, {3}} {
		r.Accepted(r.now, id)
	}
	r.empty()
}

func TestNoMoreThanSoManyLargeAnswersAreAwaited(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.MaxInFlight = 1 })
	q := r.only(r.want(id1, peerN(0)))
	r.receive(peerN(0), Protocol, TypeComing, Message{Request: q.Request, ID: id1, Bytes: 1})
	q = r.only(r.want(id2, peerN(0)))
	out := r.receive(peerN(0), Protocol, TypeComing, Message{Request: q.Request, ID: id2, Bytes: MaxComing})
	if d := r.requests[q.Request].timer.due.Sub(r.now); len(out) != 0 || d != 10*time.Second {
		t.Errorf("one more: %v, %v", out, d)
	}
	r.empty()
}

func TestPlacesAreGivenToTheOldestWant(t *testing.T) {
	r := newRig(t, 2, func(c *Config) { c.MaxInFlight = 2 })
	var open []asked
	for i := range 6 {
		open = append(open, sent(r.want(object.ID{byte(i)}, peerN(0)), TypeRequest)...)
	}
	if s := r.Stats(); len(open) != 2 || s.Waiting != 4 || s.InFlight != 2 {
		t.Fatalf("%d open: %+v", len(open), s)
	}
	if spread := askedOf(r.want(object.ID{9}, peerN(0), peerN(1))); !slices.Equal(spread, []core.PeerID{peerN(1)}) {
		t.Errorf("with another holder that has a free place, asked %v", spread)
	}
	r.Cancel(r.now, object.ID{2})
	for i := range 3 {
		q := r.only(r.answer(open[0], Message{Status: StatusPruned}))
		if q.ID != (object.ID{byte(3 + i)}) {
			t.Errorf("next %v", q.ID)
		}
		open = append(open[1:], q)
	}
	r.empty()
}

// A place is free again only when the peer is done with its request.
func TestACancelledRequestKeepsItsPlace(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.MaxInFlight = 1 })
	q := r.only(r.want(id1, peerN(0)))
	r.want(id2, peerN(0))
	r.Cancel(r.now, id1)
	if s := r.Stats(); s.InFlight != 1 || s.Waiting != 1 || s.Open != 1 {
		t.Fatalf("%+v", s)
	}
	if next := r.only(r.answer(q, Message{Status: StatusNotFound})); next.ID != id2 {
		t.Errorf("asked for %v", next.ID)
	}
	r.empty()
}

func TestAWantWaitsWithAllItsHolders(t *testing.T) {
	r := newRig(t, 3, func(c *Config) { c.MaxInFlight = 1 })
	a := r.only(r.want(object.ID{10}, peerN(0)))
	b := r.only(r.want(object.ID{11}, peerN(1)))
	r.want(id1, peerN(0), peerN(1))
	if q := r.only(r.answer(b, Message{Status: StatusPruned})); q.peer != peerN(1) || q.ID != id1 {
		t.Errorf("asked %s", q.peer)
	}
	if out := r.answer(a, Message{Status: StatusPruned}); len(sent(out, TypeRequest)) != 0 {
		t.Errorf("asked of both: %v", out)
	}
	r.want(object.ID{12}, peerN(0))
	r.want(id2, peerN(0), peerN(1))
	out := r.do(func(out *[]core.Action) { r.Holder(r.now, id2, peerN(2), out) })
	if q := r.only(out); q.peer != peerN(2) {
		t.Errorf("with a holder that is free, asked %s", q.peer)
	}
	r.empty()
}

func TestTooManyWants(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.MaxWants = 2 })
	r.want(id1, peerN(0))
	r.want(id2, peerN(0))
	out := r.want(object.ID{3}, peerN(0))
	if ex := of[Exhausted](out); len(ex) != 1 || !ex[0].Full || len(out) != 1 {
		t.Fatalf("%v", out)
	}
	if out = r.want(id1, peerN(0)); len(out) != 0 {
		t.Errorf("one that is there: %v", out)
	}
}

func TestHoldersAreBounded(t *testing.T) {
	r := newRig(t, 30)
	r.want(id1, peersN(30)...) // the first is asked
	r.want(id1, peersN(30)...)
	if n := len(r.wants[id1].holders); n != 16 {
		t.Errorf("%d holders", n)
	}
}

func TestAnObjectThatNobodyChecksIsGivenUp(t *testing.T) {
	r := newRig(t, 2)
	r.answer(r.only(r.want(id1, peersN(2)...)), found("object"))
	if got := r.exhausted(r.advance()); !slices.Equal(got, []string{"p00 found"}) || r.now.Sub(start) != time.Minute {
		t.Errorf("after %v: %v", r.now.Sub(start), got)
	}
	r.empty()
}

// An object may come with another one, or in another way, whatever its own want does.
func TestAnObjectMayBeAcceptedInAnyState(t *testing.T) {
	r := newRig(t, 2, func(c *Config) { c.MaxInFlight = 1 })
	q := r.only(r.want(id1, peerN(0)))
	r.want(id2, peerN(0))
	r.Accepted(r.now, id1)
	r.Accepted(r.now, id2)
	r.Accepted(r.now, object.ID{3})
	if s := r.Stats(); s.Accepted != 2 || s.Open != 0 || s.Waiting != 0 {
		t.Fatalf("%+v", s)
	}
	if out := r.answer(q, found("object")); len(out) != 0 {
		t.Errorf("its answer: %v", out)
	}
	r.empty()
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for field, spoil := range map[string]func(*Config){
		"AnswerWithin":   func(c *Config) { c.AnswerWithin = 0 },
		"Grace":          func(c *Config) { c.Grace = -1 },
		"MaxAsked":       func(c *Config) { c.MaxAsked = 0 },
		"MaxQueued":      func(c *Config) { c.MaxQueued = MaxBulkPayload - 1 },
		"ClosureObjects": func(c *Config) { c.ClosureObjects = MaxObjects + 1 },
		"ClosureBytes":   func(c *Config) { c.ClosureBytes = 1 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), "set ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
