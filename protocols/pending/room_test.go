package pending

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func (r *rig) states(is ...int) (all []State) {
	for _, i := range is {
		all = append(all, r.State(id(i)).State)
	}
	return all
}

func TestAPeerOverItsBoundParksItsNewest(t *testing.T) {
	r := newRig(t, items(10, 2))
	for i := range 3 {
		if f := r.add(peerN(0), 10+i, i); (f == Parked) != (i == 2) {
			t.Errorf("item %d: %v", i, f)
		}
	}
	if f := r.add(peerN(1), 20, 5); f != Waits {
		t.Errorf("another peer's: %v", f)
	}
	r.check()
	r.landed(0)
	r.pass(time.Second)
	if got := r.said(); !slices.Equal(got, []string{"unpark 12@p00"}) {
		t.Errorf("when there is room: %q", got)
	}
	if f := r.add(peerN(0), 12, 2); f != Waits {
		t.Errorf("it came again: %v", f)
	}
	if s := r.Stats(); s.Parked != 0 {
		t.Errorf("%d are parked", s.Parked)
	}
	r.check()
	r.pass(time.Hour)
	r.empty()
}

func TestBytesAndLinksAreBoundedToo(t *testing.T) {
	r := newRig(t)
	r.out = nil
	big := Item{ID: id(1), Sender: peerN(0), Size: r.cfg.MaxPeerBytes, Missing: ids(0)}
	if f, err := r.Add(r.now, big, &r.out); f != Waits || err != nil {
		t.Errorf("the largest object: %v, %v", f, err)
	}
	if f := r.add(peerN(0), 2, 0); f != Parked {
		t.Errorf("one more: %v", f)
	}
	big.ID, big.Sender, big.Size = id(3), peerN(1), r.cfg.MaxPeerBytes+1
	if f, err := r.Add(r.now, big, &r.out); f != Refused || !errors.Is(err, ErrLarge) {
		t.Errorf("a larger one: %v, %v", f, err)
	}
	many := make([]int, r.cfg.MaxPeerBytes/r.cfg.LinkBytes+1)
	for i := range many {
		many[i] = 10 + i
	}
	if f, err := r.try(peerN(1), 4, many...); f != Refused || !errors.Is(err, ErrLarge) {
		t.Errorf("one with %d missing: %v, %v", len(many), f, err)
	}
	if f := r.add(peerN(1), 4, many[1:]...); f != Waits {
		t.Errorf("one with %d missing: %v", len(many)-1, f)
	}
	if f := r.add(peerN(1), 5, 0); f != Parked {
		t.Errorf("one more: %v", f)
	}
	r.check()
	r.pass(time.Hour)
	r.empty()
}

// Whoever has most loses, whoever has less than that gets room.
func TestWhenAllIsFullThePeerWithMostLoses(t *testing.T) {
	r := newRig(t, items(8, 6))
	for i := range 6 {
		r.add(peerN(0), 10+i, 0)
	}
	r.add(peerN(1), 20, 0)
	r.add(peerN(1), 21, 0)
	if f := r.add(peerN(2), 30, 0); f != Waits {
		t.Errorf("the first of a third peer: %v", f)
	}
	if got := r.states(14, 15, 20, 21); !slices.Equal(got, []State{StateWaiting, StateParked, StateWaiting, StateWaiting}) {
		t.Errorf("14, 15, 20, 21: %v", got)
	}
	if f := r.add(peerN(0), 16, 0); f != Parked {
		t.Errorf("one more of the peer with most: %v", f)
	}
	for i := range 3 {
		r.add(peerN(1), 22+i, 0)
		r.add(peerN(2), 31+i, 0)
		r.check()
	}
	held := map[string]int{}
	for _, acc := range r.peers {
		held[string(acc.peer)] = acc.items.Len()
	}
	if len(held) != 3 || held["p00"] > 3 || held["p01"] > 3 || held["p02"] < 2 {
		t.Errorf("three peers that each want all share it as %v", held)
	}
	r.pass(2 * time.Hour)
	r.empty()
}

// A peer that fills everything with objects whose dependencies do not exist cannot
// keep an honest one from its place, nor from having its dependencies wanted.
func TestAFloodTakesRoomOnlyFromItself(t *testing.T) {
	r := newRig(t)
	next := 1000
	for flood := range 8 {
		for range 5000 {
			r.try(peerN(flood), next, next+1_000_000)
			next++
		}
	}
	if s := r.Stats(); s.Waiting > 16_384 || s.Parked > 65_536 || s.Wanted != r.cfg.MaxWants {
		t.Errorf("%+v", s)
	}
	r.check()
	honest := peerN(99)
	for i := range 1000 {
		if f := r.add(honest, 500+i+1_000_000_000, i); f != Waits {
			t.Fatalf("honest item %d: %v", i, f)
		}
	}
	if n := len(of[Want](r.out)); n != 0 {
		t.Errorf("%d wants over the bound", n)
	}
	// As wants of the flood end, the honest peer's have their turns.
	mine := 0
	for i := 1000; i < 1000+2*r.cfg.MaxWants; i++ {
		r.notFound(i + 1_000_000)
		for _, w := range of[Want](r.out) {
			if w.Peer == honest {
				mine++
			}
		}
	}
	if mine < 200 {
		t.Errorf("only %d wants are the honest peer's", mine)
	}
	r.check()
}

func TestANeededItemTakesThePlaceOfNewerOnes(t *testing.T) {
	r := newRig(t, items(10, 3))
	for i := 9; i >= 5; i-- { // a chain from its end: 9 needs 8 needs 7 …
		if f := r.add(peerN(0), i, i-1); f != Waits {
			t.Fatalf("item %d: %v", i, f)
		}
		r.check()
	}
	if got := r.states(9, 8, 7, 6, 5); !slices.Equal(got, []State{StateParked, StateParked, StateWaiting, StateWaiting, StateWaiting}) {
		t.Errorf("%v", got)
	}
	r.cascade(4, 3)
	r.pass(time.Second)
	if got := r.said(); !slices.Equal(got, []string{"unpark 9@p00", "unpark 8@p00"}) {
		t.Errorf("%q", got)
	}
}

// An item whose dependants are all other peers' is parked when its peer has most,
// and they wait on.
func TestANeededItemIsParkedWhenThereIsNoOther(t *testing.T) {
	r := newRig(t, items(4, 3))
	r.add(peerN(0), 1, 0)
	r.add(peerN(0), 2, 0)
	r.add(peerN(1), 11, 1, 2)
	if r.Stats().Waiting != 3 {
		t.Fatalf("%+v", r.Stats())
	}
	r.add(peerN(0), 3, 0)
	r.add(peerN(2), 21, 0) // 3 goes: nobody needs it
	r.add(peerN(3), 31, 0)
	r.check()
	if got := r.states(1, 2, 3, 11, 21, 31); !slices.Equal(got,
		[]State{StateParked, StateWaiting, StateParked, StateWaiting, StateWaiting, StateWaiting}) {
		t.Errorf("%v", got)
	}
	if wants := of[Want](r.out); len(wants) != 0 {
		t.Errorf("what is parked is wanted at once: %v", r.said())
	}
	r.landed(0)
	r.landed(2)
	r.pass(time.Second)
	if got := r.said(); !slices.Equal(got, []string{"unpark 3@p00", "unpark 1@p00"}) {
		t.Errorf("%q", got)
	}
	r.check()
	r.pass(time.Hour)
	r.empty()
}

// What is parked for one peer and needed by an item of another is wanted from that.
func TestWhatOthersNeedDoesNotStayParked(t *testing.T) {
	r := newRig(t, items(10, 1))
	r.add(peerN(0), 1, 0)
	r.add(peerN(0), 2, 0)
	r.add(peerN(1), 3, 2)
	if got := r.said(); !slices.Equal(got, []string{"want 2@p01 depth 1"}) {
		t.Errorf("%q", got)
	}
	if got := r.states(2); got[0] != StateMissing || r.Stats().Parked != 0 {
		t.Errorf("%v", got)
	}
	r.check()
}

func TestParkedIDsAreBounded(t *testing.T) {
	r := newRig(t, items(2, 1), func(c *Config) { c.MaxParked, c.MaxPeerParked = 3, 2 })
	for p := range 2 {
		for i := range 4 {
			f, err := r.try(peerN(p), 10*p+i+1, 0)
			if (f == Refused) != errors.Is(err, ErrFull) {
				t.Errorf("%v, %v", f, err)
			}
		}
	}
	s := r.Stats()
	if s.Parked != 3 || s.Dropped != 3 {
		t.Errorf("%+v", s)
	}
	r.check()
}

func TestUnparkingIsSlowAndInTurn(t *testing.T) {
	r := newRig(t, items(100, 50), func(c *Config) { c.UnparkBatch = 3 })
	for p := range 2 {
		for i := range 55 {
			r.add(peerN(p), 100*p+i+1, 1000)
		}
	}
	r.landed(1000)
	r.pass(time.Second)
	if got := r.said(); !slices.Equal(got, []string{"unpark 51@p00", "unpark 151@p01", "unpark 52@p00"}) {
		t.Errorf("%q", got)
	}
	r.pass(time.Second)
	if got := r.said(); !slices.Equal(got, []string{"unpark 152@p01", "unpark 53@p00", "unpark 153@p01"}) {
		t.Errorf("%q", got)
	}
	r.landed(51)    // came in another way
	r.invalid(52)   // is forgotten
	r.notFound(151) // nobody has it
	if s := r.Stats(); s.Parked != 7 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	r.pass(time.Hour)
	if s := r.Stats(); s.Dropped != 7 {
		t.Errorf("what did not come again: %+v", s)
	}
	r.empty()
}

// The room of what was asked for again is kept, so that nothing is fetched in vain.
func TestRoomIsKeptForWhatIsComing(t *testing.T) {
	r := newRig(t, items(10, 2))
	for i := range 5 {
		r.add(peerN(0), i+1, 100+i)
	}
	r.landed(100)
	r.pass(10 * time.Second)
	if got := r.said(); !slices.Equal(got, []string{"unpark 3@p00"}) {
		t.Errorf("room for one: %q", got)
	}
}

func TestOurOwnItemsAreRefusedAndNeverParked(t *testing.T) {
	r := newRig(t, items(4, 2))
	r.add("", 1, 0)
	r.add("", 2, 0)
	if f, err := r.try("", 3, 0); f != Refused || !errors.Is(err, ErrFull) {
		t.Errorf("over the bound: %v, %v", f, err)
	}
	for p := range 4 {
		for i := range 2 {
			r.add(peerN(p), 10+10*p+i, 0)
		}
	}
	if got := r.states(1, 2, 3); !slices.Equal(got, []State{StateWaiting, StateWaiting, StateUnknown}) {
		t.Errorf("%v", got)
	}
	r.check()
}

func TestAWantMovesToThePeerThatWaitsLess(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxPeerWants = 1 })
	r.add(peerN(0), 1, 10, 11, 12, 13)
	r.add(peerN(1), 2, 13)
	if got := r.said(); !slices.Equal(got, []string{"want 13@p00 depth 1", "holder 13@p01"}) {
		t.Errorf("%q", got)
	}
	r.check()
}

func TestPeersWithTheSameChargeTakeNothingFromEachOther(t *testing.T) {
	r := newRig(t, items(4, 3))
	for i := range 4 {
		r.add(peerN(i%2), i, 100)
	}
	for i := range 4 {
		if f := r.add(peerN(i%2), 10+i, 100); f != Parked {
			t.Errorf("item %d: %v", 10+i, f)
		}
	}
	r.pass(10 * time.Second)
	if len(r.out) != 0 {
		t.Errorf("both have room, but all is full: %q", r.said())
	}
	r.add(peerN(2), 20, 101) // takes 3
	if f := r.add(peerN(2), 21, 101); f != Parked {
		t.Errorf("one more, which would only change who has most: %v", f)
	}
	r.Landed(r.now, id(101), &r.out)
	r.pass(10 * time.Second)
	if got := r.said(); !slices.Equal(got, []string{"unpark 10@p00"}) {
		t.Errorf("there is room for one: %q", got)
	}
}

// The only item of a peer makes room for one that it needs.
func TestANeededItemTakesThePlaceOfTheOnlyOne(t *testing.T) {
	r := newRig(t, items(3, 1))
	r.add(peerN(0), 2, 1)
	if f := r.add(peerN(0), 1, 0); f != Waits {
		t.Errorf("%v", f)
	}
	r.check()
	if got := r.states(1, 2); !slices.Equal(got, []State{StateWaiting, StateParked}) {
		t.Errorf("%v", got)
	}
}

// It does not help to be needed when there is nothing of one's own to give up.
func TestALargeNeededItemTakesNothingFromOthers(t *testing.T) {
	r := newRig(t, items(4, 3))
	r.add(peerN(0), 11, 1)
	r.add(peerN(0), 12, 1)
	r.out = nil
	f, err := r.Add(r.now, Item{ID: id(1), Sender: peerN(1), Size: 24, Missing: ids(0)}, &r.out)
	if got := r.said(); f != Parked || err != nil || !slices.Equal(got, []string{"unwant 1"}) {
		t.Errorf("%v, %v, %q", f, err, got)
	}
	if got := r.states(11, 12, 1); !slices.Equal(got, []State{StateWaiting, StateWaiting, StateParked}) {
		t.Errorf("%v", got)
	}
	r.check()
}

func TestOurOwnItemsMakeNoRoom(t *testing.T) {
	r := newRig(t, items(4, 1))
	r.add("", 2, 1)
	if f, err := r.try("", 1, 0); f != Refused || !errors.Is(err, ErrFull) {
		t.Errorf("%v, %v", f, err)
	}
	if got := r.states(2); got[0] != StateWaiting {
		t.Errorf("%v", got)
	}
	r.check()
}

func TestPeersTakeTurnsWithTheirWants(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxWants, c.MaxPeerWants = 2, 2 })
	r.add(peerN(0), 1, 10, 11, 12, 13)
	r.add(peerN(1), 2, 20, 21, 22, 23)
	for i, want := range []string{"want 20@p01 depth 1", "want 12@p00 depth 1", "want 21@p01 depth 1", "want 13@p00 depth 1"} {
		r.landed([]int{10, 11, 20, 12}[i])
		if got := r.said(); len(got) != 2 || got[1] != want {
			t.Errorf("turn %d: %q, want %s", i+1, got, want)
		}
	}
}

func TestAParkedIDMovesToTheSenderWithFewer(t *testing.T) {
	r := newRig(t, items(10, 1))
	r.add(peerN(0), 1, 100)
	r.add(peerN(1), 2, 100)
	for i := range 3 {
		r.add(peerN(0), 10+i, 100)
	}
	r.add(peerN(1), 12, 100)
	r.add(peerN(0), 12, 100)
	if v := r.State(id(12)); v.Sender != peerN(1) {
		t.Errorf("12 is %v of %s", v.State, string(v.Sender))
	}
	if s := r.Stats(); s.Parked != 3 {
		t.Errorf("%+v", s)
	}
	r.check()
}

// One that keeps sending over its bound does not put off what is parked.
func TestUnparkingIsNotPutOff(t *testing.T) {
	r := newRig(t, items(10, 1))
	r.add(peerN(0), 1, 100)
	r.add(peerN(0), 2, 100)
	r.add(peerN(1), 3, 101)
	r.landed(100)
	unparked := 0
	for i := range 6 {
		r.add(peerN(1), 10+i, 101)
		r.pass(300 * time.Millisecond)
		unparked += len(of[Unpark](r.out))
	}
	if unparked != 1 {
		t.Errorf("%d were asked for again", unparked)
	}
}
