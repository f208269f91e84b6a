package pending

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

var start = time.Unix(1_750_000_000, 0)

// id is the ID of the object that the tests call i.
func id(i int) (o object.ID) {
	binary.BigEndian.PutUint64(o[:], uint64(i)+1)
	return o
}

func ids(is ...int) (all []object.ID) {
	for _, i := range is {
		all = append(all, id(i))
	}
	return all
}

func peerN(i int) core.PeerID { return core.PeerID(fmt.Sprintf("p%02d", i)) }

// rig is one machine, and what it said to the last input.
type rig struct {
	*Machine
	t   testing.TB
	now time.Time
	out []core.Action
}

func newRig(t testing.TB, change ...func(*Config)) *rig {
	cfg := DefaultConfig()
	for _, c := range change {
		c(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return &rig{Machine: New(cfg), t: t, now: start}
}

// items bounds how many items of at most 8 links fit, in all and of a peer.
func items(all, peer int) func(*Config) {
	return func(c *Config) {
		c.ItemBytes, c.LinkBytes, c.MaxBytes, c.MaxPeerBytes = 8, 1, 8*all, 8*peer
	}
}

// try adds an item of a peer that misses others.
func (r *rig) try(peer core.PeerID, i int, missing ...int) (Fate, error) {
	r.out = nil
	return r.Add(r.now, Item{ID: id(i), Sender: peer, Size: 1, Missing: ids(missing...), Body: i}, &r.out)
}

// add adds one that is taken or parked.
func (r *rig) add(peer core.PeerID, i int, missing ...int) Fate {
	r.t.Helper()
	f, err := r.try(peer, i, missing...)
	if err != nil {
		r.t.Fatalf("%d of %s: %v", i, peer, err)
	}
	return f
}

func (r *rig) landed(i int)   { r.out = nil; r.Landed(r.now, id(i), &r.out) }
func (r *rig) invalid(i int)  { r.out = nil; r.Invalid(r.now, id(i), &r.out) }
func (r *rig) notFound(i int) { r.out = nil; r.NotFound(r.now, id(i), &r.out) }
func (r *rig) retry(i int)    { r.out = nil; r.Retry(r.now, id(i), &r.out) }

// pass lets time pass, with a tick at each deadline.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	r.out = nil
	end := r.now.Add(d)
	for next := r.Deadline(); !next.IsZero() && !next.After(end); next = r.Deadline() {
		if next.Before(r.now) {
			r.t.Fatalf("deadline %v, now %v", next, r.now)
		}
		r.now = next
		r.Tick(r.now, &r.out)
		if again := r.Deadline(); !again.IsZero() && !again.After(r.now) {
			r.t.Fatalf("at %v it ticked and wants to tick at %v", r.now, again)
		}
	}
	r.now = end
}

// said is the last output in words: want 1@p00, ready 2 …
func (r *rig) said() (all []string) {
	for _, a := range r.out {
		all = append(all, word(a))
	}
	return all
}

func word(a core.Action) string {
	switch a := a.(type) {
	case Want:
		return fmt.Sprintf("want %d@%s depth %d", number(a.ID), string(a.Peer), a.Depth)
	case Holder:
		return fmt.Sprintf("holder %d@%s", number(a.ID), string(a.Peer))
	case Unwant:
		return fmt.Sprintf("unwant %d", number(a.ID))
	case Ready:
		return fmt.Sprintf("ready %d", a.Body)
	case Fallen:
		also := make([]string, len(a.Also))
		for i, p := range a.Also {
			also[i] = string(p)
		}
		return fmt.Sprintf("fallen %d of %s %v because of %d", a.Body, string(a.Sender), also, number(a.Because))
	case Expired:
		return fmt.Sprintf("expired %d because of %d", a.Body, number(a.Because))
	case Unpark:
		return fmt.Sprintf("unpark %d@%s", number(a.ID), string(a.Sender))
	}
	return fmt.Sprintf("%T", a)
}

// number is what the tests call an object; -1: none.
func number(o object.ID) int { return int(binary.BigEndian.Uint64(o[:])) - 1 }

func of[A core.Action](out []core.Action) (all []A) {
	for _, a := range out {
		if a, ok := a.(A); ok {
			all = append(all, a)
		}
	}
	return all
}

// empty fails the test unless nothing is left.
func (r *rig) empty() {
	r.t.Helper()
	s := r.Stats()
	if s.Waiting+s.Bytes+s.Missing+s.Wanted+s.Queued+s.Parked+s.Peers != 0 || len(r.loads)+r.retries.Len()+r.hungry.Len()+r.parkers.Len()+r.coming.Len()+r.reserved != 0 {
		r.t.Errorf("something is left: %+v", s)
	}
	if d := r.Deadline(); !d.IsZero() {
		r.t.Errorf("nothing is left, and there is a deadline in %v", d.Sub(r.now))
	}
}
