package episub

import (
	"fmt"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// relay is a machine between an author and another lazy peer.
type relay struct {
	*Topic
	t             *testing.T
	author, other core.PeerID
	now           time.Time
	n             int
}

func newRelay(t *testing.T) *relay {
	r := &relay{Topic: New(pair(), 1), t: t, author: name(1), other: name(2), now: start}
	for i := range 3 { // the first becomes eager
		r.PeerUp(start, Peer{ID: name(i), Episub: true, Dialled: i == 0})
		r.tick(settle)
	}
	if r.links[r.author].in || r.links[r.other].in {
		t.Fatal("the author or the other peer is eager")
	}
	return r
}

func (r *relay) tick(d time.Duration) (out []Effect) {
	r.now = r.now.Add(d)
	r.Tick(r.now, &out)
	return out
}

// comes lets the author's next message come. It says whether the other peer is pushed it.
func (r *relay) comes(named core.PeerID, had bool) (pushed bool) {
	r.n++
	id, out := fmt.Sprint("message ", r.n), []Effect(nil)
	if had {
		r.Announced(r.now, r.other, []string{id}, &out)
	}
	r.Arrived(r.now, r.author, named, id, &out)
	r.Accepted(r.now, id, 1024, false, named, &out)
	for _, e := range out {
		if p, ok := e.(Push); ok && p.Peer == r.other {
			pushed = true
		}
	}
	return pushed
}

// knows lets the machine look back at the last message.
func (r *relay) knows() {
	r.tick(r.cfg.Batch)
	for range r.cfg.GossipTicks + 1 {
		r.tick(r.cfg.Every)
	}
}

func TestWhatComesFromItsAuthorIsPushedOnToWhomItReachesThroughUs(t *testing.T) {
	for _, named := range []bool{true, false} {
		r := newRelay(t)
		author := core.PeerID("")
		if named {
			author = r.author
		}
		r.comes(author, false)
		r.knows()
		if !r.comes(author, false) {
			t.Errorf("author named: %t: the message was not pushed on, though the last one was missing there", named)
		}
		if r.comes("elsewhere", false) {
			t.Errorf("author named: %t: a message of another author was pushed on", named)
		}
	}
}

func TestWhoHadTheLastMessageOfAnAuthorIsNotPushedTheNext(t *testing.T) {
	r := newRelay(t)
	r.comes(r.author, false)
	r.tick(r.cfg.Batch)
	var out []Effect
	r.Announced(r.now, r.other, []string{"message 1"}, &out) // it crossed ours
	r.knows()
	for range 20 { // what is not known would be tried
		if r.comes(r.author, false) {
			t.Fatal("a message was pushed on, though the last one was there already")
		}
	}
}

func TestTheWayBackIsTakenToBeLikeTheWayThere(t *testing.T) {
	r := newRelay(t)
	r.comes(r.author, false)
	r.knows()
	r.author, r.other = r.other, r.author
	if !r.comes(r.author, false) {
		t.Error("the message was not pushed on the way back")
	}
}

func TestAChokeEndsWhatIsPushedOn(t *testing.T) {
	r := newRelay(t)
	r.comes(r.author, false)
	r.knows()
	var out []Effect
	r.Pruned(r.now, r.other, time.Second, &out)
	for range 20 {
		if r.comes(r.author, false) {
			t.Fatal("a message was pushed on to a peer that choked us")
		}
	}
}

func TestAPeerThatComesInAPlaceOfAnotherStartsAnew(t *testing.T) {
	r := newRelay(t)
	r.comes(r.author, false)
	r.knows()
	slot := r.links[r.author].slot
	r.PeerDown(r.now, r.author)
	r.author = "another"
	r.PeerUp(r.now, Peer{ID: r.author, Episub: true})
	if r.links[r.author].slot != slot || r.links[r.other].ways.known.has(slot) {
		t.Error("what was learnt of one peer holds for another")
	}
}

func TestWhoPushesWhatIsHereIsTold(t *testing.T) {
	r := newRelay(t)
	r.comes(r.author, false)
	var out []Effect
	r.now = r.now.Add(r.cfg.MinPause)
	r.comes("elsewhere", true) // announced before, so that nothing else says it
	r.Arrived(r.now, r.other, "elsewhere", "message 2", &out)
	for _, e := range r.tick(r.cfg.Batch) {
		if a, ok := e.(Announce); ok && a.Peer == r.other {
			return
		}
	}
	t.Error("nothing says that the push was not needed")
}

func TestAMessageIsPushedOnToAFewOnly(t *testing.T) {
	m, out := New(DefaultConfig(), 1), []Effect(nil)
	for i := range 200 {
		m.PeerUp(start, Peer{ID: name(i), Episub: true})
	}
	m.Arrived(start, name(0), name(0), "m", &out)
	m.Accepted(start, "m", 1024, false, name(0), &out)
	pushed := m.Stats().Pushed
	if pushed == 0 || pushed > uint64(m.cfg.MaxPushed) {
		t.Errorf("pushed on to %d peers, want some and at most %d", pushed, m.cfg.MaxPushed)
	}
	m.Arrived(start, name(0), name(0), "large", &out)
	m.Accepted(start, "large", m.cfg.FloodSize+1, false, name(0), &out)
	if m.Stats().Pushed > pushed {
		t.Error("a large message was pushed on")
	}
}
