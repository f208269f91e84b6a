package dialing

import (
	"fmt"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// tell says that a peer told of others, each on a host of its own.
func (b *bench) tell(by core.PeerID, net int, ids ...core.PeerID) {
	for i, id := range ids {
		a := at(fmt.Sprintf("10.%d.%d.%d", net, i>>8, i&255), 30303)
		b.handle(core.Discovered{Peer: id, Addrs: append(addrs(id)[:0], a), From: core.SourceClaim, By: by})
	}
}

// live answers dials for a time: those to peers in alive at once, all others with a
// failure after 10 s. It returns when the last of alive was dialled.
func (b *bench) live(alive map[core.PeerID]bool, within time.Duration) (last time.Duration) {
	b.t.Helper()
	begun := b.now
	due := map[core.PeerID]time.Time{}
	for b.now.Before(begun.Add(within)) {
		for _, d := range take[core.Dial](b) {
			if alive[d.Peer] {
				b.handle(core.Connected{Peer: d.Peer, Addr: d.Addrs[0]})
				delete(alive, d.Peer)
				last = b.now.Sub(begun)
			} else {
				due[d.Peer] = b.now.Add(10 * time.Second)
			}
		}
		for id, at := range due {
			if !at.After(b.now) {
				delete(due, id)
				b.fail(id)
			}
		}
		b.advance(100 * time.Millisecond)
	}
	return last
}

func TestDeadAddressesOfOneDoNotDelayWhatOthersTold(t *testing.T) {
	b := newBench(t, mesh, func(c *Config) { c.MaxPeers = 200 })
	b.accept("in") // so that the dead are forgotten
	b.tell("liar", 1, names("dead", 1000)...)
	honest := names("h", 40)
	b.tell("honest", 2, honest...)
	alive := map[core.PeerID]bool{}
	for _, id := range honest {
		alive[id] = true
	}
	took := b.live(alive, time.Minute)
	// The dials under way at the beginning take 10 s, and as many as a dial takes its turn.
	if len(alive) > 0 || took > 15*time.Second {
		t.Errorf("%d honest peers were not dialled, the last of the others after %v, want all within 15 s", len(alive), took)
	}
}

func TestWhoIsNamedByTwoWaitsForTheShorterTurn(t *testing.T) {
	b := newBench(t, mesh, func(c *Config) { c.MaxPeers, c.MaxDialing = 200, 8 })
	b.accept("in")
	b.tell("liar", 1, names("dead", 1000)...)
	b.tell("liar", 2, "victim")
	b.tell("honest", 2, "other", "victim")
	took := b.live(map[core.PeerID]bool{"other": true, "victim": true}, 30*time.Second)
	if p := b.state("victim"); p.State != StateConnected || took > 15*time.Second {
		t.Errorf("%v after %v, want it connected within 15 s", p.State, took)
	}
}

func TestWhoWasReachedOnceNeedsNobodysTurn(t *testing.T) {
	b := newBench(t, mesh, func(c *Config) { c.MaxPeers = 200 })
	b.accept("in")
	b.tell("liar", 2, "friend")
	b.live(map[core.PeerID]bool{"friend": true}, time.Minute)
	b.tell("liar", 1, names("dead", 1000)...)
	b.disconnect("friend")
	b.live(map[core.PeerID]bool{"friend": true}, 15*time.Second)
	if p := b.state("friend"); p.State != StateConnected {
		t.Errorf("%v 15 s after it was lost, want it connected", p.State)
	}
}

func TestTellersAreForgottenWithTheirCandidates(t *testing.T) {
	b := newBench(t, mesh, func(c *Config) { c.MaxKnown, c.ForgetAfter = 4096, 1 })
	b.accept("in")
	for i, by := range names("t", 300) {
		b.tell(by, 1+i%200, names(fmt.Sprintf("d%d-", i), 1)...)
	}
	b.live(nil, 10*time.Minute)
	if n := len(b.m.book.tellers.byOrigin); n != 0 {
		t.Errorf("%d tellers are kept without a candidate", n)
	}
}
