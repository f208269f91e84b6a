package episub

import (
	"slices"
	"time"
)

// tiers looks at who pushes to us, and changes little at a time.
func (t *Topic) tiers(now time.Time, out *[]Effect) {
	t.groups(now, out)
	t.plain(now, out)
	b := t.compare(now)
	t.dismiss(now, b, out)
	t.random(now, b, out)
	if len(b.delay) < t.cfg.MinSamples {
		if !t.fill(now, t.target(), out) {
			t.trim(now, out)
		}
		return
	}
	if t.refill(now, b, out) || t.count(func(l *link) bool { return l.trial }) > 0 {
		return
	}
	if !t.resize(now, b, out) {
		t.swap(now, b, out)
	}
}

// groups lets go of what a public IP group has too many of.
func (t *Topic) groups(now time.Time, out *[]Effect) {
	n := make(map[string]int)
	for _, l := range t.order {
		if !l.in || l.Group == "" {
			continue
		}
		if n[l.Group]++; n[l.Group] > t.cfg.PerGroup && t.mayChoke(now, l) {
			t.choke(now, l, ReasonGroup, out)
		}
	}
}

// plain joins a few plain peers that did not join us, so that the two halves of a
// network stay one.
func (t *Topic) plain(now time.Time, out *[]Effect) {
	t.pick(now, t.cfg.PlainMin-t.count(func(l *link) bool { return l.in && !l.Episub }), ReasonPlain,
		func(l *link) bool { return !l.Episub }, out)
}

// random keeps peers by chance: to be the quickest does not help to their places. They
// are drawn among the better half, so that they are of use, and drawn anew when that half
// is known, and now and then.
func (t *Topic) random(now time.Time, b *board, out *[]Effect) {
	slow := t.slower(b)
	if t.shuffleAt.IsZero() && slow != nil {
		t.shuffleAt = now
	}
	if due(now, t.shuffleAt) {
		t.shuffleAt = now.Add(t.cfg.ShuffleEach)
		for _, l := range t.order {
			l.random = false
		}
	}
	need := t.cfg.Random - t.count(func(l *link) bool { return l.random })
	for ; need > 0; need-- {
		fit := func(l *link) bool {
			return l.Episub && !l.random && !slow[l] && !t.quiet(b, l) && (l.in || t.mayUnchoke(now, l))
		}
		l := t.draw(func(l *link) bool { return l.Dialled && fit(l) }) // whom an attacker did not choose for us
		if l == nil {
			l = t.draw(fit)
		}
		if l == nil {
			return
		}
		if !l.in {
			t.unchoke(now, l, ReasonRandom, out)
		}
		l.random, l.reason = true, ReasonRandom
	}
}

// slower are the peers of the worse half, by mean delay; nil: too little is known.
func (t *Topic) slower(b *board) map[*link]bool {
	if len(b.delay) < t.cfg.MinSamples {
		return nil
	}
	means := make([]float64, len(b.links))
	for i := range b.links {
		means[i] = b.mean([]int{i})
	}
	sorted := slices.Sorted(slices.Values(means))
	slow := make(map[*link]bool)
	for i, l := range b.links {
		slow[l] = means[i] > sorted[(len(sorted)-1)/2]
	}
	return slow
}

// draw picks a peer by chance; nil: there is none.
func (t *Topic) draw(fit func(*link) bool) *link {
	var fits []*link
	for _, l := range t.order {
		if fit(l) {
			fits = append(fits, l)
		}
	}
	if len(fits) == 0 {
		return nil
	}
	return fits[t.rng.IntN(len(fits))]
}

// fill unchokes by chance until enough push to us, half of them peers that we dialled,
// whom no attacker chose for us. It says whether it had to.
func (t *Topic) fill(now time.Time, target int, out *[]Effect) (found bool) {
	for _, tier := range []struct {
		target int
		fit    func(*link) bool
	}{
		{(target + 1) / 2, func(l *link) bool { return l.Episub && l.Dialled }},
		{target, func(l *link) bool { return l.Episub }},
		{target, func(l *link) bool { return !l.Episub }},
	} {
		need := tier.target - t.count(func(l *link) bool { return l.in })
		found = t.pick(now, need, ReasonFew, tier.fit, out) || found
	}
	return found
}

// trim chokes a peer by chance when pushes queue: there is no time to learn which.
func (t *Topic) trim(now time.Time, out *[]Effect) {
	if t.target() == t.cfg.EagerTarget || t.count(func(l *link) bool { return l.in }) <= t.target() {
		return
	}
	if l := t.draw(func(l *link) bool { return !l.random && t.mayChoke(now, l) }); l != nil {
		t.choke(now, l, ReasonMany, out)
	}
}

// refill tries the most useful peers until enough push to us, and takes others when none is
// of use. After a failure those come first that we dialled. It says whether it had to.
func (t *Topic) refill(now time.Time, b *board, out *[]Effect) (found bool) {
	fit := t.candidate(now, b)
	for t.count(func(l *link) bool { return l.in }) < t.cfg.EagerMin {
		set := b.eager()
		best, with := -1, 0.0
		if t.failures > 0 {
			best, with = b.mostUseful(set, func(l *link) bool { return l.Dialled && fit(l) })
		}
		if best < 0 {
			best, with = b.mostUseful(set, fit)
		}
		if best < 0 || with >= b.mean(set) {
			break
		}
		t.try(now, b.links[best], nil, ReasonFew, out)
		found = true
	}
	return t.fill(now, t.cfg.EagerMin, out) || found
}

// candidate says whether a peer may be made eager for what it was seen to have.
func (t *Topic) candidate(now time.Time, b *board) func(*link) bool {
	return func(l *link) bool { return l.Episub && t.mayUnchoke(now, l) && !t.quiet(b, l) }
}

// pick unchokes up to n peers by chance. It says whether it found any.
func (t *Topic) pick(now time.Time, n int, why Reason, fit func(*link) bool, out *[]Effect) (found bool) {
	for ; n > 0; n-- {
		l := t.draw(func(l *link) bool { return fit(l) && t.mayUnchoke(now, l) })
		if l == nil {
			return found
		}
		t.unchoke(now, l, why, out)
		found = true
	}
	return found
}

func (t *Topic) count(is func(*link) bool) (n int) {
	for _, l := range t.order {
		if is(l) {
			n++
		}
	}
	return n
}

// mayChoke says whether a peer may be made lazy now.
func (t *Topic) mayChoke(now time.Time, l *link) bool {
	return l.in && l.Episub && t.settled(now, l)
}

// mayUnchoke says whether a peer may be made eager now.
func (t *Topic) mayUnchoke(now time.Time, l *link) bool {
	if l.in || !t.settled(now, l) || now.Before(l.barred) || l.debt.lapses(now) >= trusted {
		return false
	}
	return l.Group == "" || t.count(func(o *link) bool { return o.in && o.Group == l.Group }) < t.cfg.PerGroup
}

// resize lets go of the peer that saves least, when that is next to nothing, or tries one
// more, when that would save much. It says whether it did either.
func (t *Topic) resize(now time.Time, b *board, out *[]Effect) bool {
	set := b.eager()
	have := b.mean(set)
	if len(set) > t.cfg.EagerMin {
		worst, without := b.leastUseful(set, func(l *link) bool { return !l.random && t.mayChoke(now, l) })
		switch {
		case worst < 0:
		case len(set) > t.target():
			t.choke(now, b.links[worst], ReasonMany, out)
			return true
		case without-have < ms(t.cfg.ShrinkBelow):
			t.choke(now, b.links[worst], ReasonCopies, out)
			return true
		}
	}
	if len(set) >= t.target() || now.Before(t.trialAt) {
		return false
	}
	best, with := b.mostUseful(set, t.candidate(now, b))
	if best < 0 || have-with <= ms(t.cfg.GrowAbove) {
		return false
	}
	t.try(now, b.links[best], nil, ReasonUseful, out)
	return true
}

// swap tries a better peer for the place of the least useful one.
func (t *Topic) swap(now time.Time, b *board, out *[]Effect) {
	if now.Before(t.trialAt) {
		return
	}
	set := b.eager()
	have := b.mean(set)
	bestOut, bestIn, least := -1, -1, have-ms(t.cfg.SwapAbove)
	for k, i := range set {
		if l := b.links[i]; l.random || !t.mayChoke(now, l) {
			continue
		}
		rest := slices.Delete(slices.Clone(set), k, k+1)
		in, with := b.mostUseful(rest, t.candidate(now, b))
		if in >= 0 && with < least {
			bestOut, bestIn, least = i, in, with
		}
	}
	if bestIn >= 0 {
		t.try(now, b.links[bestIn], b.links[bestOut], ReasonFaster, out)
	}
}

// eager are the links that push to us, by index.
func (b *board) eager() (set []int) {
	for i, l := range b.links {
		if l.in {
			set = append(set, i)
		}
	}
	return set
}

// leastUseful is the link without which the mean delay grows least.
func (b *board) leastUseful(set []int, fit func(*link) bool) (worst int, without float64) {
	worst = -1
	for k, i := range set {
		if !fit(b.links[i]) {
			continue
		}
		if m := b.mean(slices.Delete(slices.Clone(set), k, k+1)); worst < 0 || m < without {
			worst, without = i, m
		}
	}
	return worst, without
}

// mostUseful is the link with which the mean delay shrinks most.
func (b *board) mostUseful(set []int, fit func(*link) bool) (best int, with float64) {
	best = -1
	for i, l := range b.links {
		if l.in || !fit(l) {
			continue
		}
		if m := b.mean(append(set[:len(set):len(set)], i)); best < 0 || m < with {
			best, with = i, m
		}
	}
	return best, with
}
