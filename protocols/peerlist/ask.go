package peerlist

import (
	"time"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/core"
)

// hurry begins the ramp of questions at its shortest pause. One that is under way
// goes on, so that a stream of newcomers costs no more than one ramp after another.
func (x *Exchange) hurry(now time.Time, joining bool) {
	if joining || x.pause >= x.cfg.AskEvery {
		size := (x.tracker.known.query.Filter.Size() + bloom.SaltSize + 1<<10 - 1) >> 10 // in KiB
		x.pause = min(time.Duration(size)*x.cfg.AskFirst, x.cfg.AskEvery)
	}
	x.askAt = core.Earliest(x.askAt, now.Add(x.pause))
}

// settle ends a round. The pause doubles, without news beyond the usual one; after
// a full list with news the next question follows at once, so that joining does
// not wait for ticks.
func (x *Exchange) settle(now time.Time, v Verify, news bool, out *[]core.Action) {
	switch {
	case news && v.full && x.streak < maxStreak:
		x.pause = min(x.pause, x.cfg.AskEvery)
		x.streak++
		x.ask(now, out)
		return
	case news:
		x.pause = min(2*x.pause, x.cfg.AskEvery)
	case v.asked:
		x.pause = min(2*x.pause, x.cfg.MaxAskEvery)
	default:
		return // an empty greeting: its sender may know nobody yet
	}
	x.streak = 0
	if len(x.order) == 0 {
		return
	}
	next := now.Add(x.pause)
	if !v.asked {
		next = core.Earliest(next, x.askAt) // a stream of newcomers must not put the question off
	}
	x.askAt = next
}

// ask sends the filter to one random candidate, unless a question is open.
func (x *Exchange) ask(now time.Time, out *[]core.Action) {
	if x.waiting != "" {
		return
	}
	peer, any := x.candidate()
	if !any {
		x.askAt = time.Time{} // Ready sets it again
		return
	}
	x.lastID++
	m := x.askers[peer]
	if m.asked != 0 {
		m.late++
	}
	m.asked = x.lastID
	x.waiting, x.answerBy = peer, now.Add(x.cfg.AnswerWithin)
	x.askAt = now.Add(x.pause)
	x.tracker.stats.Asked++
	question := GetPeerList{ID: x.lastID, Query: x.tracker.Query()}
	*out = append(*out, send(peer, TypeGetPeerList, question.Append(nil)))
}

// candidate draws a connected validator; where none is connected, any member,
// or else a node that knows only its bootstrapper would never find one.
func (x *Exchange) candidate() (core.PeerID, bool) {
	var chosen core.PeerID
	validators := 0
	for _, p := range x.order {
		if x.tracker.isValidator(p) {
			validators++
			if x.rng.IntN(validators) == 0 { // reservoir of one: each is as likely
				chosen = p
			}
		}
	}
	if validators > 0 {
		return chosen, true
	}
	if len(x.order) == 0 {
		return "", false
	}
	return x.order[x.rng.IntN(len(x.order))], true
}

// Tick renews the filter, gives up on a late answer and asks, whichever is due.
func (x *Exchange) Tick(now time.Time, out *[]core.Action) {
	if !x.renewAt.After(now) {
		x.renew(now)
	}
	if x.waiting != "" && !x.answerBy.After(now) {
		x.waiting = ""
		x.tracker.stats.TimedOut++
		x.settle(now, Verify{asked: true}, false, out)
	}
	if x.waiting == "" && !x.askAt.IsZero() && !x.askAt.After(now) {
		x.ask(now, out)
	}
}

// renew drops expired claims and rebuilds the filter with a new salt.
func (x *Exchange) renew(now time.Time) {
	if !x.renewAt.IsZero() {
		x.tracker.renew(now)
	}
	x.renewAt = now.Add(x.cfg.RebuildEvery)
}

// Deadline is when Tick has something to do.
func (x *Exchange) Deadline() time.Time {
	if x.renewAt.IsZero() {
		return time.Unix(0, 0) // the first Tick starts the clock
	}
	if x.waiting != "" {
		return core.Earliest(x.renewAt, x.answerBy)
	}
	return core.Earliest(x.renewAt, x.askAt)
}
