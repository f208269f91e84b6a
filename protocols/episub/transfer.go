package episub

import (
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// Small messages take the time of the way. Large ones queue on uplinks, the longer the more
// peers they are pushed to at once: then fewer pushes bring them sooner, and a request to
// whoever has a message is quicker than a push that queues. How long pushes take is seen at
// their receiver: gossipsub sends an IDONTWANT for a large message before it pushes it.

// mostBegun bounds the pushes of a peer that are under way: chosen above what an uplink can
// bear at a time.
const mostBegun = 16

// begun is a push under way.
type begun struct {
	id string
	at time.Time
}

// Begun tells of an IDONTWANT: a peer that pushes to us begins to push what it names.
func (t *Topic) Begun(now time.Time, from core.PeerID, ids []string) {
	l := t.links[from]
	if l == nil || !l.in || !l.Episub {
		return
	}
	for _, id := range ids[max(0, len(ids)-mostBegun):] {
		if len(id) > t.cfg.MaxID {
			continue
		}
		if len(l.begun) == mostBegun {
			l.begun = slices.Delete(l.begun, 0, 1)
		}
		l.begun = append(l.begun, begun{id, now})
	}
}

// learnTransfer follows how long the pushes of an eager peer take: small ones, which are not
// told of, take none. The lower median of the eager peers counts, so that few who begin
// early and push late, on purpose, do not make us wait.
func (t *Topic) learnTransfer(now time.Time, l *link, id string) {
	var took time.Duration
	if i := slices.IndexFunc(l.begun, func(b begun) bool { return b.id == id }); i >= 0 {
		took = min(after(l.begun[i].at, now), t.cfg.PullTimeout)
		l.begun = slices.Delete(l.begun, i, i+1)
	}
	l.transfer += (took - l.transfer) / 4 // chosen as some messages
	l.timed = true
	var few [8]time.Duration
	all := few[:0]
	for _, o := range t.order {
		if o.in && o.timed {
			all = append(all, o.transfer)
		}
	}
	slices.Sort(all)
	t.transfer = all[(len(all)-1)/2]
}

// maxPushed is how many peers we push to: fewer where that takes long.
func (t *Topic) maxPushed() int {
	if t.transfer <= 0 {
		return t.cfg.MaxPushed
	}
	return min(max(int(t.cfg.PushBudget/t.transfer), 2*t.cfg.EagerMin), t.cfg.MaxPushed)
}

// target is how many peers push to us at most: where pushes take long half as many as we
// push to, so that whoever looks for one finds one.
func (t *Topic) target() int {
	if t.transfer <= 0 {
		return t.cfg.EagerTarget
	}
	return min(max(t.maxPushed()/2, t.cfg.EagerMin), t.cfg.EagerTarget)
}

// wait is how long an announced message is left to come by a push: where pushes queue, it
// is soon asked of another.
func (t *Topic) wait() time.Duration {
	if t.transfer < t.cfg.PullWait {
		return min(t.lag, t.cfg.PullWaitMax)
	}
	return max(t.cfg.PullWait, t.transfer/2) // chosen: half to three times the time of one copy on an uplink
}

// pullTimeout is how long a peer has to answer a request, at most: answers queue as pushes do.
func (t *Topic) pullTimeout() time.Duration { return t.cfg.PullTimeout + 8*t.transfer }
