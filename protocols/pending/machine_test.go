package pending

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// step is one input and what is said to it.
type step struct {
	do   func(*rig)
	want []string
}

func (r *rig) run(steps []step) {
	r.t.Helper()
	for i, s := range steps {
		s.do(r)
		if got := r.said(); !slices.Equal(got, s.want) {
			r.t.Errorf("step %d: %q\n want %q", i+1, got, s.want)
		}
		r.check()
	}
}

func TestFlows(t *testing.T) {
	a, b, c := peerN(0), peerN(1), peerN(2)
	add := func(p core.PeerID, i int, missing ...int) func(*rig) {
		return func(r *rig) { r.try(p, i, missing...) }
	}
	landed := func(i int) func(*rig) { return func(r *rig) { r.landed(i) } }
	invalid := func(i int) func(*rig) { return func(r *rig) { r.invalid(i) } }
	notFound := func(i int) func(*rig) { return func(r *rig) { r.notFound(i) } }
	retry := func(i int) func(*rig) { return func(r *rig) { r.retry(i) } }
	pass := func(d time.Duration) func(*rig) { return func(r *rig) { r.pass(d) } }

	for name, steps := range map[string][]step{
		"nothing is missing": {
			{add(a, 1), []string{"ready 1"}},
			{landed(1), nil},
		},
		"the last dependency releases": {
			{add(a, 3, 1, 2), []string{"want 1@p00 depth 1", "want 2@p00 depth 1"}},
			{landed(2), []string{"unwant 2"}},
			{landed(1), []string{"unwant 1", "ready 3"}},
		},
		"from its end": {
			{add(a, 3, 2), []string{"want 2@p00 depth 1"}},
			{add(a, 2, 1), []string{"unwant 2", "want 1@p00 depth 2"}},
			{add(a, 1), []string{"unwant 1", "ready 1"}},
			{landed(1), []string{"ready 2"}},
			{landed(2), []string{"ready 3"}},
		},
		"from its beginning": {
			{add(a, 1, 0), []string{"want 0@p00 depth 1"}},
			{add(a, 2, 1), nil},
			{add(a, 3, 2, 1), nil},
			{landed(0), []string{"unwant 0", "ready 1"}},
			{landed(1), []string{"ready 2"}},
			{landed(2), []string{"ready 3"}},
		},
		"many wait for one": {
			{add(a, 1, 0), []string{"want 0@p00 depth 1"}},
			{add(a, 2, 0), nil},
			{add(b, 3, 0), []string{"holder 0@p01"}},
			{landed(0), []string{"unwant 0", "ready 1", "ready 2", "ready 3"}},
		},
		"held in another way": {
			{add(a, 2, 0, 1), []string{"want 0@p00 depth 1", "want 1@p00 depth 1"}},
			{add(a, 3, 2, 1), nil},
			{landed(2), []string{"unwant 0"}},
			{landed(1), []string{"unwant 1", "ready 3"}},
		},
		"an item comes twice": {
			{add(a, 1, 0), []string{"want 0@p00 depth 1"}},
			{add(a, 1, 0), nil},
			{add(b, 1, 0), []string{"holder 0@p01"}},
			{add(b, 1, 0), nil},
			{add(c, 1, 0), []string{"holder 0@p02"}},
			{invalid(0), []string{"unwant 0", "fallen 1 of p00 [p01 p02] because of 0"}},
		},
		"the second sender is named to what is wanted later": {
			{add(a, 1, 0), []string{"want 0@p00 depth 1"}},
			{add(b, 1, 0), []string{"holder 0@p01"}},
			{retry(0), nil},
			{add(c, 2, 0), nil},
			{pass(14 * time.Second), nil},
			{pass(time.Second), []string{"want 0@p01 depth 1", "holder 0@p00", "holder 0@p02"}},
			{retry(0), nil},
			{pass(15 * time.Second), []string{"want 0@p00 depth 1", "holder 0@p02", "holder 0@p01"}},
			{landed(0), []string{"unwant 0", "ready 1", "ready 2"}},
		},
		"what comes again while it is saved": {
			{add(a, 2, 1), []string{"want 1@p00 depth 1"}},
			{add(a, 1), []string{"unwant 1", "ready 1"}},
			{add(b, 1), nil},
			{landed(1), []string{"ready 2"}},
		},
		"an invalid dependency fells all above it": {
			{add(a, 1, 0), []string{"want 0@p00 depth 1"}},
			{add(b, 2, 1, 7), []string{"want 7@p01 depth 1"}},
			{add(c, 3, 2, 1, 0), []string{"holder 0@p02"}},
			{add(c, 9, 7), []string{"holder 7@p02"}},
			{invalid(0), []string{"unwant 0", "fallen 3 of p02 [] because of 0", "fallen 1 of p00 [] because of 0", "fallen 2 of p01 [] because of 0"}},
			{landed(7), []string{"unwant 7", "ready 9"}},
		},
		"an item that waits is invalid itself": {
			{add(a, 1, 0), []string{"want 0@p00 depth 1"}},
			{add(b, 2, 1), nil},
			{invalid(1), []string{"unwant 0", "fallen 1 of p00 [] because of 1", "fallen 2 of p01 [] because of 1"}},
		},
		"a released item is invalid": {
			{add(a, 1, 0), []string{"want 0@p00 depth 1"}},
			{add(b, 2, 1), nil},
			{landed(0), []string{"unwant 0", "ready 1"}},
			{invalid(1), []string{"fallen 2 of p01 [] because of 1"}},
		},
		"nobody has it": {
			{add(a, 1, 0), []string{"want 0@p00 depth 1"}},
			{add(b, 2, 1), nil},
			{notFound(1), nil},
			{notFound(0), []string{"expired 1 because of 0", "expired 2 because of 0"}},
		},
		"a released item is of no use": {
			{add(a, 2, 1), []string{"want 1@p00 depth 1"}},
			{add(a, 1), []string{"unwant 1", "ready 1"}},
			{notFound(1), []string{"expired 2 because of 1"}},
		},
		"a released item cannot be saved": {
			{add(a, 2, 1), []string{"want 1@p00 depth 1"}},
			{add(a, 1), []string{"unwant 1", "ready 1"}},
			{retry(1), nil},
			{retry(1), nil},
			{pass(15 * time.Second), []string{"want 1@p00 depth 1"}},
			{add(b, 1), []string{"unwant 1", "ready 1"}},
			{landed(1), []string{"ready 2"}},
		},
		"age": {
			{add(a, 1, 0), []string{"want 0@p00 depth 1"}},
			{pass(5 * time.Minute), nil},
			{add(b, 2, 1), nil},
			{pass(5 * time.Minute), []string{"unwant 0", "expired 1 because of -1", "want 1@p01 depth 1"}},
			{pass(5 * time.Minute), []string{"unwant 1", "expired 2 because of -1"}},
		},
		"what is retried is not wanted when nobody waits any more": {
			{add(a, 1, 0), []string{"want 0@p00 depth 1"}},
			{retry(0), nil},
			{landed(1), nil},
			{pass(time.Hour), nil},
		},
		"our own": {
			{add("", 1, 0), []string{"want 0@ depth 1"}},
			{add(a, 1, 0), []string{"holder 0@p00"}},
			{landed(0), []string{"unwant 0", "ready 1"}},
		},
		"unknown objects": {
			{landed(1), nil}, {invalid(1), nil}, {notFound(1), nil}, {retry(1), nil}, {pass(time.Hour), nil},
		},
		// Hashes rule these out; they must do no harm all the same.
		"an object that names itself, and one that names another twice": {
			{add(a, 1, 1, 0), []string{"want 0@p00 depth 2"}},
			{add(a, 2, 0, 0), nil},
			{landed(0), []string{"unwant 0", "ready 2"}},
			{pass(time.Hour), []string{"expired 1 because of -1"}},
		},
		"two objects that name each other": {
			{add(a, 1, 2), []string{"want 2@p00 depth 1"}},
			{add(a, 2, 1), []string{"unwant 2"}},
			{invalid(1), []string{"fallen 1 of p00 [] because of 1", "fallen 2 of p00 [] because of 1"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.run(steps)
			r.empty()
		})
	}
}

func TestAtMostFiveSendersAreRemembered(t *testing.T) {
	r := newRig(t)
	for i := range 9 {
		r.add(peerN(i), 1, 0)
	}
	r.invalid(0)
	if f := of[Fallen](r.out); len(f) != 1 || f[0].Sender != peerN(0) || len(f[0].Also) != maxAlso {
		t.Errorf("fallen: %+v", f)
	}
	for i := range 9 {
		r.add(peerN(i), 10+i, 0)
		if got := len(of[Holder](r.out)); i > 0 && got != min(1, max(0, maxAlso+1-i)) {
			t.Errorf("item %d names %d holders", i, got)
		}
	}
	r.check()
}

func TestAChainOfAThousandInReverse(t *testing.T) {
	const length = 1000
	r := newRig(t)
	for i := length; i > 0; i-- {
		r.add(peerN(0), i, i-1)
		if w := of[Want](r.out); len(w) != 1 || w[0].ID != id(i-1) || w[0].Depth != length+1-i {
			t.Fatalf("item %d: %v", i, r.said())
		}
	}
	r.cascade(0, length)
	r.empty()
}

// cascade lands a first object, and then each that is ready, in order.
func (r *rig) cascade(first, length int) {
	r.t.Helper()
	r.landed(first)
	for i := range length {
		ready := of[Ready](r.out)
		if len(ready) != 1 || ready[0].ID != id(first+1+i) {
			r.t.Fatalf("after %d: %v", first+i, r.said())
		}
		r.landed(first + 1 + i)
	}
	if len(r.out) != 0 {
		r.t.Fatalf("after the last: %v", r.said())
	}
}

func TestAThousandMissing(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxPeerWants = 100 })
	deps := make([]int, 1024)
	for i := range deps {
		deps[i] = i + 1
	}
	r.add(peerN(0), 2000, deps...)
	open := len(of[Want](r.out))
	if open != 100 {
		t.Errorf("%d are wanted at once, not 100", open)
	}
	for i := range 1023 {
		r.landed(deps[i])
		open += len(of[Want](r.out)) - len(of[Unwant](r.out))
		if left := 1023 - i; open != min(100, left) {
			t.Fatalf("%d are missing and %d wanted", left, open)
		}
	}
	r.check()
	r.landed(1024)
	if got := r.said(); !slices.Equal(got, []string{"unwant 1024", "ready 2000"}) {
		t.Errorf("%q", got)
	}
	r.empty()
}

func TestDepthFromBothEnds(t *testing.T) {
	const depth = 10_000
	for name, dep := range map[string]func(i int) (it, missing int){
		"from its end":       func(i int) (int, int) { return -i, -i - 1 },
		"from its beginning": func(i int) (int, int) { return i + 1, i },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			for i := range depth {
				it, missing := dep(i)
				r.add(peerN(i%4), it, missing)
			}
			it, missing := dep(depth)
			if f, err := r.try(peerN(0), it, missing); f != Refused || !errors.Is(err, ErrDepth) {
				t.Errorf("the item at level %d: %v, %v", depth+1, f, err)
			}
			if s := r.Stats(); s.Waiting != depth || s.TooDeep != 1 || (s.Wanted == 0) != (name == "from its end") {
				t.Errorf("%+v", s)
			}
			_, first := dep(0)
			if name == "from its end" {
				_, first = dep(depth - 1)
			}
			r.cascade(first, depth)
			r.empty()
		})
	}
}

// A stream of chained objects, of which a few wait at any time, is not deep.
func TestARollingChainIsNotDeep(t *testing.T) {
	r := newRig(t)
	const length, window = 35_000, 5
	for i := range length {
		r.add(peerN(0), i+1, i)
		if i >= window {
			r.landed(i - window)
		}
		r.now = r.now.Add(time.Millisecond)
	}
	if s := r.Stats(); s.Waiting != window || s.TooDeep != 0 {
		t.Errorf("%+v", s)
	}
}

func TestDepthIsComputedOnceASecond(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxDepth = 3 })
	r.add(peerN(0), 1, 0)
	r.add(peerN(0), 2, 1)
	r.add(peerN(0), 3, 2)
	for i := range 100 {
		if _, err := r.try(peerN(0), 4, 3); !errors.Is(err, ErrDepth) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	if r.walk != 1 {
		t.Errorf("%d walks for a hundred items at a time", r.walk)
	}
	r.landed(0)
	r.now = r.now.Add(-time.Hour) // the clock is set right
	if f := r.add(peerN(0), 4, 3); f != Waits {
		t.Errorf("with one level less: %v", f)
	}
}

func TestViews(t *testing.T) {
	r := newRig(t, items(2, 2))
	r.add(peerN(0), 1, 0)
	r.now = r.now.Add(time.Second)
	r.add(peerN(1), 2, 1, 5)
	r.add(peerN(0), 3, 9)
	for i, want := range []View{
		{State: StateMissing},
		{State: StateWaiting, Sender: peerN(0), Since: start, Missing: ids(0)},
		{State: StateWaiting, Sender: peerN(1), Since: r.now, Missing: ids(1, 5)},
		{State: StateParked, Sender: peerN(0)},
		{State: StateUnknown},
		{State: StateMissing},
	} {
		got := r.State(id(i))
		if got.State != want.State || got.Sender != want.Sender || !got.Since.Equal(want.Since) || !slices.Equal(got.Missing, want.Missing) {
			t.Errorf("%d: %+v, want %+v", i, got, want)
		}
	}
	if !r.Oldest().Equal(start) {
		t.Errorf("the oldest since %v", r.Oldest())
	}
	r.landed(0)
	if got := r.State(id(1)); got.State != StateReleased {
		t.Errorf("a released item that another waits for: %v", got.State)
	}
	r.landed(1)
	r.landed(5)
	if got := r.State(id(2)); got.State != StateUnknown {
		t.Errorf("a released item that nothing waits for: %v", got.State)
	}
}

func TestConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"items that cost nothing": func(c *Config) { c.ItemBytes = 0 },
		"links that cost nothing": func(c *Config) { c.LinkBytes = 0 },
		"no item fits":            func(c *Config) { c.MaxPeerBytes = c.ItemBytes - 1 },
		"less in all than a peer": func(c *Config) { c.MaxBytes = c.MaxPeerBytes - 1 },
		"no depth":                func(c *Config) { c.MaxDepth = 0 },
		"no age":                  func(c *Config) { c.MaxAge = 0 },
		"no pause":                func(c *Config) { c.UnparkEvery = 0 },
		"no time to come":         func(c *Config) { c.UnparkWithin = 0 },
		"no time to retry":        func(c *Config) { c.RetryAfter = 0 },
		"less than none parked":   func(c *Config) { c.MaxPeerParked = -1 },
		"parked of a peer":        func(c *Config) { c.MaxParked = c.MaxPeerParked - 1 },
		"no batch":                func(c *Config) { c.UnparkBatch = 0 },
		"no wants":                func(c *Config) { c.MaxPeerWants = 0 },
		"wants of a peer":         func(c *Config) { c.MaxWants = c.MaxPeerWants - 1 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.MaxBytes/c.ItemBytes != 16_384 || c.MaxPeerBytes/c.ItemBytes != 4096 {
		t.Errorf("room for %d and %d items", c.MaxBytes/c.ItemBytes, c.MaxPeerBytes/c.ItemBytes)
	}
	if c.MaxPeerBytes < max(object.MaxSize, c.LinkBytes*object.MaxDeps) {
		t.Error("not every object fits")
	}
}

func TestWordsForStatesAndFates(t *testing.T) {
	if Released.String() != "released" || StateReleased.String() != "released" || Refused.String() != "refused" {
		t.Error("words and values are out of step")
	}
}
