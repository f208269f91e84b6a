package uptime

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// ledger keeps for how long each node was a connected member.
type ledger struct {
	remember   int
	nodes      map[core.PeerID]*record
	validators map[core.PeerID]uint64 // weights
	others     int                    // nodes neither connected nor validators
}

// record is the history of one node.
type record struct {
	known time.Time // since when we know of it
	up    time.Duration
	live  bool
	since time.Time // of the state that live says
}

func newLedger(remember int) ledger {
	return ledger{remember: remember, nodes: map[core.PeerID]*record{}}
}

func (l *ledger) joined(now time.Time, peer core.PeerID) {
	r := l.get(now, peer)
	if r.live {
		return
	}
	if l.validators[peer] == 0 {
		l.others--
	}
	r.live, r.since = true, now
}

func (l *ledger) left(now time.Time, peer core.PeerID) {
	r := l.nodes[peer]
	if r == nil || !r.live {
		return
	}
	r.up += now.Sub(r.since)
	r.live, r.since = false, now
	if l.validators[peer] == 0 {
		l.others++
		l.trim()
	}
}

// setValidators replaces the validator set. Each counts from now on at the
// latest, connected or not. A weight of zero counts as one.
func (l *ledger) setValidators(now time.Time, weights map[core.PeerID]uint64) {
	l.validators = make(map[core.PeerID]uint64, len(weights))
	for p, w := range weights {
		l.get(now, p)
		l.validators[p] = max(w, 1)
	}
	l.others = 0
	for p, r := range l.nodes {
		if !r.live && l.validators[p] == 0 {
			l.others++
		}
	}
	l.trim()
}

// get returns the record of a node, a new one at need. A new one counts as one of
// the others until its caller says what it is.
func (l *ledger) get(now time.Time, peer core.PeerID) *record {
	r := l.nodes[peer]
	if r == nil {
		r = &record{known: now, since: now}
		l.nodes[peer] = r
		l.others++
	}
	return r
}

// trim forgets those that are gone longest, until no more are left than are to be
// remembered.
func (l *ledger) trim() {
	for l.others > l.remember {
		var oldest core.PeerID
		for p, r := range l.nodes {
			if r.live || l.validators[p] > 0 {
				continue
			}
			if first := l.nodes[oldest]; first == nil || r.since.Before(first.since) || r.since.Equal(first.since) && p < oldest {
				oldest = p
			}
		}
		delete(l.nodes, oldest)
		l.others--
	}
}

// uptime is the part of the time since a node is known during which it was up.
func (l *ledger) uptime(now time.Time, peer core.PeerID) (Percent, bool) {
	r := l.nodes[peer]
	if r == nil {
		return 0, false
	}
	up, all := r.up, now.Sub(r.known)
	if r.live {
		up += now.Sub(r.since)
	}
	switch {
	case all <= 0 && r.live:
		return All, true
	case all <= 0:
		return 0, true
	}
	return Percent(min(max(float64(up)/float64(all), 0), 1)*float64(All) + 0.5), true
}
