package episub

import (
	"slices"
	"time"
)

// longestPause is the most between two trials when they fail: chosen so that many peers
// that promise and do not push have a place for a small part of the time.
const longestPause = time.Minute

// try makes a peer eager for what it promises. When it has pushed, another loses its place.
func (t *Topic) try(now time.Time, l, instead *link, why Reason, out *[]Effect) {
	t.unchoke(now, l, why, out)
	l.trial, l.instead = true, instead
}

// passed notes that an eager peer pushes.
func (t *Topic) passed(now time.Time, l *link, out *[]Effect) {
	if !l.trial {
		return
	}
	if o := l.instead; o != nil && t.links[o.ID] == o && !o.random && t.mayChoke(now, o) {
		t.choke(now, o, ReasonSlower, out)
	}
	l.trial, l.instead, t.failures = false, nil, max(0, t.failures-1)
}

// failed notes that an eager peer does not push. While those that are tried do not, the
// next one is tried later each time; each that does takes one failure back.
func (t *Topic) failed(now time.Time) {
	t.trialAt = now.Add(min(t.cfg.Every<<t.failures, longestPause))
	t.failures = min(t.failures+1, 10)
}

// dismiss lets go of eager peers that keep back what they announce, and of those from which
// nothing comes any more, where there is another.
func (t *Topic) dismiss(now time.Time, b *board, out *[]Effect) {
	for _, l := range t.order {
		switch {
		case !t.mayChoke(now, l):
		case l.debt.lapses(now) >= shunned:
			t.failed(now)
			t.choke(now, l, ReasonWithholds, out)
		case t.quiet(b, l) && (slices.ContainsFunc(t.order, t.candidate(now, b)) || t.count(func(l *link) bool { return l.in }) > t.cfg.EagerMin):
			if l.trial {
				t.failed(now)
			}
			t.choke(now, l, ReasonSilent, out)
		}
	}
}
