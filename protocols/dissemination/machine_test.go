package dissemination

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/catchup"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/object"
)

func TestAValidObjectIsAcceptedSavedAndNotPublishedAgain(t *testing.T) {
	r, a := newRig(t, blocks()), block(t, "a")
	r.do(core.Joined{Peer: alice})
	if v := r.offers(alice, a); v != Accept {
		t.Errorf("ruled %v", v)
	}
	r.wantSaved(a)
	if v := r.offers(bob, a); v != Accept { // the mesh has not carried that copy yet
		t.Errorf("a copy is ruled %v", v)
	}
	r.wantSaved(a)
	if published := asked[Publish](r); len(published) != 0 {
		t.Errorf("published %v", published)
	}
}

func TestAnObjectWaitsForWhatItDependsOn(t *testing.T) {
	r, c := newRig(t, blocks()), chain(t, 3)
	r.do(core.Joined{Peer: alice})
	if v := r.offers(alice, c[2]); v != Ignore {
		t.Fatalf("ruled %v while a dependency is missing", v)
	}
	asks := r.requests(alice)
	if len(asks) != 1 || asks[0].ID != c[1].ID || !asks[0].Closure {
		t.Fatalf("asked alice for %+v, want the closure of %s", asks, c[1].ID)
	}
	if s := r.Object(r.clock, c[2].ID); s.State != Paused || !slices.Equal(s.Missing, []object.ID{c[1].ID}) || !slices.Equal(s.From, []core.PeerID{alice}) {
		t.Errorf("its state is %+v", s)
	}
	r.answers(alice, asks[0], fetch.StatusFound, c[1])
	r.wantSaved()
	asks = r.requests(alice)
	if len(asks) != 1 || asks[0].ID != c[0].ID {
		t.Fatalf("then asked for %+v, want %s", asks, c[0].ID)
	}
	r.answers(alice, asks[0], fetch.StatusFound, c[0])
	r.wantSaved(c...)
	published := asked[Publish](r)
	if len(published) != 3 {
		t.Errorf("%d objects were published, want all three: the mesh has carried none", len(published))
	}
	if len(r.blamed()) != 0 {
		t.Error("somebody was blamed")
	}
}

func TestChainsThatArriveInReverseComeOutInOrder(t *testing.T) {
	r, c := newRig(t, blocks()), chain(t, 1000)
	r.do(core.Joined{Peer: alice})
	for _, p := range slices.Backward(c) {
		r.offers(alice, p)
	}
	r.wantSaved(c...)
	if s := r.Stats(); s.Pending.Waiting != 0 || s.Fetch.Open != 0 {
		t.Errorf("left over: %+v", s)
	}
}

func TestAnInvalidObjectBansItsSenderAndFellsItsDependants(t *testing.T) {
	r := newRig(t, blocks(func(t *Topic) { t.Judged = true }))
	bad := block(t, "bad")
	child := block(t, "child", bad)
	grandchild := block(t, "grandchild", child)
	for _, p := range []core.PeerID{alice, bob, carol} {
		r.do(core.Joined{Peer: p})
	}
	r.offers(bob, child)
	r.offers(carol, grandchild)
	r.offers(alice, bad)
	if judge := asked[Judge](r); len(judge) != 1 || judge[0].Parcel.ID != bad.ID || judge[0].From != alice {
		t.Fatalf("the application is asked about %+v", judge)
	}
	r.tell(Decided{ID: bad.ID, Verdict: Reject, Reason: "it is bad"})
	want := []string{"alice object.invalid", "bob object.dependant", "carol object.dependant"}
	if got := r.blamed(); !slices.Equal(got, want) {
		t.Errorf("blamed %q, want %q", got, want)
	}
	r.wantSaved()
	for _, p := range []Parcel{bad, child, grandchild} {
		if v := r.offers(alice, p); v != Reject {
			t.Errorf("%s is ruled %v when it comes again", p.Object.Payload, v)
		}
	}
}

func TestBytesThatAreInvalidAreRejectedAtOnce(t *testing.T) {
	r := newRig(t, blocks(), Topic{Name: "other", Keep: DefaultKeep()})
	r.do(core.Joined{Peer: alice})
	foreign := object.Object{Network: "elsewhere", Topic: "blocks", Time: epoch}
	encoded, err := foreign.Seal(nil)
	if err != nil {
		t.Fatal(err)
	}
	forged := slices.Clone(newParcel(t, "blocks", "signed", key("a")).Bytes)
	forged[len(forged)-1] ^= 1
	for name, bytes := range map[string][]byte{"no object": []byte("noise"), "another network": encoded, "a forged signature": forged} {
		p, err := Inspect(network, object.ID{}, bytes)
		if err == nil {
			t.Fatalf("%s passes the inspection", name)
		}
		r.tell(Offered{Ticket: name, Peer: alice, Topic: "blocks", Parcel: p, Fault: err})
		if got := r.blamed(); !slices.Equal(got, []string{"alice object.invalid"}) {
			t.Errorf("%s: blamed %q", name, got)
		}
	}
	r.tell(Offered{Ticket: "wrong topic", Peer: alice, Topic: "other", Parcel: block(t, "a")})
	if got := r.blamed(); !slices.Equal(got, []string{"alice object.invalid"}) {
		t.Errorf("in another topic: blamed %q", got)
	}
	r.wantSaved()
}

// Who sent an object must have what it depends on; nobody else is to blame, and not
// for ever.
func TestOnlyWhoLacksWhatItsObjectNeedsIsBlamed(t *testing.T) {
	for name, c := range map[string]struct {
		status fetch.Status
		after  time.Duration
		want   []string
	}{
		"not found at once":  {fetch.StatusNotFound, 0, []string{"alice fetch.absent"}},
		"not found, an hour": {fetch.StatusNotFound, time.Minute, nil},
		"pruned":             {fetch.StatusPruned, 0, nil},
		"busy":               {fetch.StatusRefused, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, p := newRig(t, blocks()), chain(t, 2)
			if c.after == 0 {
				r.do(core.Joined{Peer: alice})
			}
			r.offers(alice, p[1])
			if c.after > 0 { // alice has left, comes back, and is asked again
				r.pass(c.after)
				r.do(core.Joined{Peer: alice})
				r.pass(20 * time.Second)
			}
			asks := r.requests(alice)
			if len(asks) == 0 {
				t.Fatal("alice was not asked")
			}
			r.answers(alice, asks[len(asks)-1], c.status, Parcel{})
			if got := r.blamed(); !slices.Equal(got, c.want) {
				t.Errorf("blamed %q, want %q", got, c.want)
			}
		})
	}
}

// Whoever did not have an object when it was asked, and got it later, may send what
// depends on it.
func TestNobodyIsBlamedForWhatItSaidBefore(t *testing.T) {
	r, p := newRig(t, blocks()), chain(t, 2)
	r.do(core.Joined{Peer: alice})
	r.tell(Get{Ticket: "get", ID: p[0].ID})
	asks := r.requests(alice)
	r.pass(time.Second)
	r.offers(alice, p[1])
	r.answers(alice, asks[0], fetch.StatusNotFound, Parcel{})
	if got := r.blamed(); len(got) > 0 {
		t.Errorf("blamed %q", got)
	}
}

func TestOnlyThoseWhoMayAuthorDo(t *testing.T) {
	validator, listed := key("validator"), key("listed")
	public := func(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }
	r := newRig(t, blocks(),
		Topic{Name: "v", Keep: DefaultKeep(), Authors: Validators},
		Topic{Name: "l", Keep: DefaultKeep(), Authors: Listed, Keys: []ed25519.PublicKey{public(listed)}})
	r.tell(SetValidators{Keys: []ed25519.PublicKey{public(validator)}})
	r.pass(time.Hour)
	for _, c := range []struct {
		topic  string
		author ed25519.PrivateKey
		want   Verdict
	}{
		{"blocks", nil, Accept}, {"blocks", listed, Accept},
		{"v", validator, Accept}, {"v", listed, Ignore}, {"v", nil, Ignore},
		{"l", listed, Accept}, {"l", validator, Ignore}, {"l", nil, Ignore},
	} {
		r.forgetAll()
		if v := r.offers(alice, newParcel(t, c.topic, "x", c.author)); v != c.want {
			t.Errorf("%s: ruled %v, want %v", c.topic, v, c.want)
		}
		if blamed := r.blamed(); (len(blamed) == 1) != (c.want == Ignore) {
			t.Errorf("%s: blamed %q", c.topic, blamed)
		}
	}
	r.tell(SetValidators{})
	if v := r.offers(alice, newParcel(t, "v", "of a moment ago", validator)); v != Ignore || len(r.blamed()) != 0 {
		t.Errorf("just after the validators changed: ruled %v, and blamed", v)
	}
}

func TestTheApplicationDecides(t *testing.T) {
	r := newRig(t, blocks(func(t *Topic) { t.Judged = true }))
	a, b, c := block(t, "a"), block(t, "b"), block(t, "c")
	for _, p := range []Parcel{a, b, c} {
		if v := r.offers(alice, p); v != Ignore {
			t.Errorf("ruled %v before the application decided", v)
		}
	}
	r.tell(Decided{ID: a.ID, Verdict: Accept})
	r.wantSaved(a)
	if published := asked[Publish](r); len(published) != 1 {
		t.Errorf("published %v, want a", published)
	}
	r.tell(Decided{ID: b.ID, Verdict: Ignore})
	r.pass(2 * time.Minute)
	r.tell(Decided{ID: c.ID, Verdict: Accept}) // too late
	r.wantSaved(a)
	if s := r.Stats(); s.Judging != 0 || s.Unjudged != 1 || s.Ignored != 1 {
		t.Errorf("counted %+v", s)
	}
	if len(r.blamed()) != 0 {
		t.Error("somebody was blamed")
	}
	if v := r.offers(bob, c); v != Ignore || len(asked[Judge](r)) != 1 {
		t.Errorf("c comes again, is ruled %v, and the application is not asked", v)
	}
	if v := r.offers(bob, b); v != Ignore || len(asked[Judge](r)) != 0 {
		t.Errorf("b comes again, is ruled %v, and the application is asked again soon", v)
	}
	r.pass(r.cfg.Shun)
	if r.offers(bob, b); len(asked[Judge](r)) != 1 {
		t.Error("b comes again much later, and the application is not asked")
	}
}

func TestAPutIsAnsweredOnceItIsDecided(t *testing.T) {
	r := newRig(t, blocks())
	c := chain(t, 2)
	r.tell(Put{Ticket: "early", Parcel: c[1]})
	if f := asked[Fail](r); len(f) != 1 || f[0].Ticket != "early" || !errors.Is(f[0].Err, ErrMissing) {
		t.Errorf("answered %+v", f)
	}
	r.tell(Put{Ticket: "first", Parcel: c[0]})
	if s := asked[Save](r); len(s) != 1 || s[0].Ticket != "first" {
		t.Errorf("saved %+v", s)
	}
	r.tell(Put{Ticket: "again", Parcel: c[0]})
	if f := asked[Fail](r); len(f) != 1 || !errors.Is(f[0].Err, ErrHeld) {
		t.Errorf("answered %+v", f)
	}
	r.tell(Put{Ticket: "elsewhere", Parcel: newParcel(t, "nowhere", "x", nil)})
	if f := asked[Fail](r); len(f) != 1 || !errors.Is(f[0].Err, ErrNoTopic) {
		t.Errorf("answered %+v", f)
	}
}

func TestWhatIsPrunedCountsAsHeld(t *testing.T) {
	r := newRig(t, blocks(func(t *Topic) { t.Keep.Objects = 10 }))
	r.do(core.Joined{Peer: alice})
	c := chain(t, 100)
	for _, p := range c {
		if v := r.offers(alice, p); v != Accept {
			t.Fatalf("ruled %v", v)
		}
	}
	if s := r.Object(r.clock, c[0].ID); s.State != Pruned {
		t.Errorf("the first is %v", s.State)
	}
	if v := r.offers(alice, block(t, "side", c[0])); v != Accept {
		t.Errorf("what depends on a pruned object is ruled %v", v)
	}
}

// The bytes of what is pruned stay a moment, for those who are a little behind.
func TestAPrunedObjectFades(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		after  time.Duration
	}{
		"by time": {func(*Config) {}, 61 * time.Second},
		"by size": {func(c *Config) { c.MaxFading = 0 }, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigWith(t, c.change, blocks(func(t *Topic) { t.Keep.Objects = 10 }))
			r.do(core.Joined{Peer: alice})
			chain := chain(t, 100)
			for _, p := range chain {
				r.offers(alice, p)
			}
			r.asks(alice, chain[0].ID)
			if loads := asked[Load](r); len(loads) != 1 || loads[0].ID != chain[0].ID {
				t.Errorf("just after it was pruned, %+v are loaded", loads)
			}
			r.pass(c.after)
			if prunes := asked[Prune](r); len(prunes) != 1 || prunes[0].Topic != "blocks" || prunes[0].Upto != 90 {
				t.Errorf("the store is told to prune %+v, want up to 90", prunes)
			}
			r.asks(alice, chain[0].ID)
			answer := r.out[0].(core.Send)
			if m, err := fetch.Parse(answer.Type, answer.Payload); err != nil || m.Status != fetch.StatusPruned {
				t.Errorf("what has faded is answered by %+v, %v", m, err)
			}
		})
	}
}

func TestAnAnchorCountsAsHeld(t *testing.T) {
	r, c := newRig(t, blocks()), chain(t, 3)
	r.do(core.Joined{Peer: alice})
	r.offers(alice, c[1])
	r.wantSaved()
	r.tell(Anchor{Topic: "blocks", ID: c[0].ID})
	if a := asked[SaveAnchor](r); len(a) != 1 || a[0].ID != c[0].ID {
		t.Errorf("kept %+v", a)
	}
	r.wantSaved(c[1])
	if r.offers(alice, c[2]) != Accept {
		t.Error("the log does not go on")
	}
	if s := r.Stats(); s.Fetch.Open != 0 {
		t.Error("what is anchored is still asked for")
	}
}

func TestAnAbandonedTopicTakesNothing(t *testing.T) {
	r := newRig(t, blocks(func(t *Topic) { t.Judged = true }))
	a := block(t, "a")
	r.offers(alice, a)
	r.tell(Abandon{Topic: "blocks"})
	r.tell(Carry{Topic: blocks()}) // anew, and without the application
	r.tell(Decided{ID: a.ID, Verdict: Accept})
	r.wantSaved()
	if v := r.offers(alice, a); v != Accept {
		t.Errorf("then ruled %v", v)
	}
	r.wantSaved(a)
}

func TestAfterARestartTheLogGoesOn(t *testing.T) {
	c := chain(t, 3)
	r := newRig(t)
	r.tell(Carry{
		Topic: blocks(), Last: 7, Pruned: []object.ID{c[0].ID},
		Log: []Entry{{Seq: 5, ID: c[1].ID, Size: len(c[1].Bytes), Landed: epoch}},
	})
	if v := r.offers(alice, c[2]); v != Accept {
		t.Fatalf("ruled %v", v)
	}
	if s := asked[Save](r); len(s) != 1 || s[0].Seq != 8 {
		t.Errorf("saved %+v, want number 8", s)
	}
}

func TestWhileTheDiskIsSlowObjectsOfPeersWait(t *testing.T) {
	r := newRigWith(t, func(c *Config) { c.MaxUnsaved = 1000 }, blocks())
	r.unsaved = 950
	a := block(t, string(make([]byte, 100)))
	if v := r.offers(alice, a); v != Ignore {
		t.Errorf("ruled %v", v)
	}
	r.wantSaved()
	if len(r.blamed()) != 0 {
		t.Error("somebody was blamed")
	}
	r.tell(Saved{Bytes: 950})
	if v := r.offers(alice, a); v != Accept {
		t.Errorf("then ruled %v", v)
	}
	r.tell(SaveFailed{Err: errors.New("the disk is gone")})
	if v := r.offers(alice, block(t, "b")); v != Ignore {
		t.Errorf("with a failed store ruled %v", v)
	}
	r.tell(Put{Ticket: "put", Parcel: block(t, "c")})
	if f := asked[Fail](r); len(f) != 1 || f[0].Err == nil {
		t.Errorf("a put is answered %+v", f)
	}
}

func TestAnObjectIsLookedForInTheDHTAndThenGivenUp(t *testing.T) {
	r, a := newRig(t), block(t, "a")
	r.do(core.Joined{Peer: alice})
	r.holders = []core.PeerID{bob}
	r.tell(Get{Ticket: "get", ID: a.ID})
	request := r.requests(alice)[0]
	r.do(core.Joined{Peer: bob})
	r.answers(alice, request, fetch.StatusNotFound, a)
	asks := r.requests(bob)
	if len(asks) != 1 {
		t.Fatalf("asked bob for %+v", asks)
	}
	r.answers(bob, asks[0], fetch.StatusFound, a)
	if g := asked[Give](r); len(g) != 1 || g[0].Ticket != "get" || !slices.Equal(g[0].Bytes, a.Bytes) {
		t.Fatalf("gave %+v", g)
	}
}

func TestAGetEndsWhenNobodyIsLeftToAsk(t *testing.T) {
	r, a := newRig(t), block(t, "a")
	r.do(core.Joined{Peer: alice})
	r.tell(Get{Ticket: "none", ID: a.ID})
	r.tell(Get{Ticket: "gone", ID: a.ID})
	r.tell(Forget{Ticket: "gone"})
	r.pass(time.Minute) // alice does not answer
	if f := asked[Fail](r); len(f) != 1 || f[0].Ticket != "none" || !errors.Is(f[0].Err, ErrNotFound) {
		t.Errorf("answered %+v", f)
	}
	if len(r.gets) != 0 || len(r.looked) != 0 || r.Stats().Fetch.Open != 0 {
		t.Error("something is left over")
	}
}

// Who lists an object and then does not answer is not waited for alone.
func TestWhatWasListedIsAskedOfOthersToo(t *testing.T) {
	r := newRig(t, blocks())
	for _, p := range []core.PeerID{alice, bob} {
		r.do(core.Joined{Peer: p})
		told := catchup.Topics{Names: []string{"blocks"}}.Append(nil)
		r.do(core.Arrived{Peer: p, Protocol: catchup.Protocol, Type: catchup.TypeTopics, Payload: told})
	}
	r.forgetAll()
	r.tell(Missed{Peer: alice, Topic: "blocks", ID: block(t, "a").ID})
	if len(r.requests(alice)) != 1 {
		t.Fatal("alice is not asked first")
	}
	r.pass(10 * time.Second)
	if len(r.requests(bob)) != 1 {
		t.Error("bob is not asked next")
	}
}

// What was listed and nobody gave is asked for again, but not for ever.
func TestWhatNobodyGaveIsAskedForAgain(t *testing.T) {
	r := newRig(t, blocks())
	r.do(core.Joined{Peer: alice})
	r.tell(Missed{Peer: alice, Topic: "blocks", ID: block(t, "a").ID})
	r.pass(10 * time.Minute)
	if asks := r.requests(alice); len(asks) != 1+askAgainTimes {
		t.Errorf("asked %d times", len(asks))
	}
	if len(r.agains)+len(r.retried) > 0 {
		t.Error("it is kept for ever")
	}
}

// While objects land, one that is missing has been overtaken, and what it depends on is
// here: a closure would bring that again.
func TestAClosureIsAskedForWhereMuchIsMissing(t *testing.T) {
	r, c := newRig(t, blocks()), chain(t, 4)
	r.do(core.Joined{Peer: alice})
	r.offers(alice, block(t, "another"))
	r.offers(alice, c[3])
	asks := r.requests(alice)
	if len(asks) != 1 || asks[0].Closure {
		t.Fatalf("asked for %+v, want one object", asks)
	}
	r.answers(alice, asks[0], fetch.StatusFound, c[2])
	if asks = r.requests(alice); len(asks) != 1 || !asks[0].Closure {
		t.Fatalf("asked for %+v, want a closure: more is missing", asks)
	}
}

// Objects depend on those of other topics: a locator names what landed last in any.
func TestALocatorIsOfAllTopics(t *testing.T) {
	r := newRig(t, blocks(), Topic{Name: "other", Keep: DefaultKeep()})
	for _, p := range chain(t, 200) {
		r.offers(alice, p)
	}
	r.pass(time.Second)
	last := newParcel(t, "other", "last", nil)
	r.offers(alice, last)
	ids := r.locator(r.topics["blocks"])
	if ids[0] != last.ID || len(ids) > maxLocator {
		t.Errorf("%d IDs, the first %s, want %s", len(ids), ids[0], last.ID)
	}
	depth := func(id object.ID) int { return 200 - int(r.held[id].seq) }
	for i, id := range ids[1:locatorDense] {
		if depth(id) != i {
			t.Errorf("number %d is %d deep", i+1, depth(id))
		}
	}
	for i, id := range ids[locatorDense:] {
		if want := locatorDense - 1 + 1<<(i+1) - 2; depth(id) != want {
			t.Errorf("number %d of the sparse is %d deep, want %d", i, depth(id), want)
		}
	}
}

// What expires is told once in a minute, however much it is.
func TestThatObjectsExpireIsToldOnce(t *testing.T) {
	r := newRig(t, blocks())
	lost := block(t, "lost")
	for i := range 5 {
		r.offers(alice, block(t, fmt.Sprint(i), lost))
	}
	r.forgetAll()
	r.pass(r.cfg.Pending.MaxAge + time.Minute)
	if n := r.Stats().Expired; n != 5 {
		t.Errorf("%d objects expired, want 5", n)
	}
	told := 0
	for _, e := range r.out {
		if n, ok := e.(core.Notify); ok && n.Notice.Kind == "object.expired" && n.Notice.Peer == alice {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told of %d times, want once", told)
	}
}

// Who waits for what all others have pruned is told where to go on, once in a minute.
func TestWhatIsStrandedIsToldOf(t *testing.T) {
	for status, want := range map[fetch.Status]int{fetch.StatusPruned: 1, fetch.StatusNotFound: 0, fetch.StatusRefused: 0} {
		r, c := newRig(t, blocks()), chain(t, 3)
		r.do(core.Joined{Peer: alice})
		r.offers(alice, c[2])
		r.answers(alice, r.requests(alice)[0], status, Parcel{})
		r.pass(40 * time.Second)
		told := 0
		for _, e := range r.out {
			if n, ok := e.(core.Notify); ok && n.Notice.Kind == "object.stranded" && strings.Contains(n.Notice.Text, `anchor "blocks" `+c[1].ID.String()) {
				told++
			}
		}
		if told != want {
			t.Errorf("status %v: told of %d times, want %d", status, told, want)
		}
	}
}
