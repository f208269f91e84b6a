package episub

import (
	"slices"
	"time"
)

// gossipPlain is how many plain peers are told of what is recent at a tick
// (gossipsub: Dlazy).
const gossipPlain = 6

// announce puts a message into the batch, or announces it at once when copies of it
// are dear.
func (t *Topic) announce(now time.Time, r *record, size int, out *[]Effect) {
	t.batch = append(t.batch, r)
	if size >= t.cfg.UrgentSize || t.cfg.Batch == 0 {
		t.flush(out)
	} else if t.batchAt.IsZero() {
		t.batchAt = now.Add(t.cfg.Batch)
	}
}

// flush announces the batch to the lazy peers, except to those that announced the
// same meanwhile.
func (t *Topic) flush(out *[]Effect) {
	batch := t.batch
	t.batch, t.batchAt = nil, time.Time{}
	for _, l := range t.lazies() {
		t.tell(l, batch, out)
	}
}

// tell announces messages to a peer that is not known to have them.
func (t *Topic) tell(l *link, records []*record, out *[]Effect) {
	var ids []string
	for _, r := range records {
		if r.held && (!r.has.has(l.slot) || r.spare.has(l.slot)) && !r.told.has(l.slot) {
			ids = append(ids, r.id)
			r.told.add(l.slot)
		}
	}
	t.send(l, ids, out)
}

func (t *Topic) send(l *link, ids []string, out *[]Effect) {
	if len(ids) > 0 {
		t.stats.Announced += uint64(len(ids))
		*out = append(*out, Announce{Peer: l.ID, IDs: ids})
	}
}

// lazies are the peers that are told at once: episub peers that we do not push to. If
// there are too many, half of the places belong to those that we dialled, and the rest
// to others by chance: whoever came first, and many times, would have them all.
func (t *Topic) lazies() []*link {
	var all, lazy []*link
	for _, l := range t.order {
		if l.Episub && !l.pushed() {
			all = append(all, l)
		}
	}
	if len(all) <= t.cfg.LazyTarget {
		return all
	}
	start := t.rng.IntN(len(all))
	all = slices.Concat(all[start:], all[:start])
	for i, l := range all {
		if l.Dialled && len(lazy) < t.cfg.LazyTarget/2 {
			lazy, all[i] = append(lazy, l), nil
		}
	}
	for _, l := range all {
		if l != nil && len(lazy) < t.cfg.LazyTarget {
			lazy = append(lazy, l)
		}
	}
	return lazy
}

// gossip tells some peers again of what is recent, among those that are not known to
// have it: an announcement or a copy may have been lost.
func (t *Topic) gossip(out *[]Effect) {
	links := slices.Clone(t.order)
	t.rng.Shuffle(len(links), func(i, j int) { links[i], links[j] = links[j], links[i] })
	again := make([]int, len(t.recent))
	plain := 0
	for _, l := range links {
		var ids []string
		if !l.Episub && plain >= gossipPlain {
			continue
		}
		for i, r := range t.recent {
			if r.has.has(l.slot) || !r.held || (l.Episub && again[i] >= t.cfg.Gossip) {
				continue
			}
			if l.Episub {
				again[i]++
			} else if l.pushed() {
				continue // as gossipsub does
			}
			ids = append(ids, r.id)
		}
		if !l.Episub && len(ids) > 0 {
			plain++
		}
		t.send(l, ids, out)
	}
	t.recent = slices.DeleteFunc(t.recent, func(r *record) bool {
		if r.ticks--; r.ticks <= 0 {
			t.learnWays(r)
		}
		return r.ticks <= 0
	})
}

// after is the time from one event to another, never below zero.
func after(from, to time.Time) time.Duration { return max(0, to.Sub(from)) }
