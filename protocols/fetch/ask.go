package fetch

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// request is what a peer was asked. It is in flight until it is answered or overdue,
// and then remembered for a grace time. Its want may have ended meanwhile.
type request struct {
	number  uint64
	id      object.ID
	peer    *peer
	closure bool
	told    bool // a Coming came
	coming  bool // and was taken in: the place is one of those for large answers
	late    bool // overdue
	sent    time.Time
	timer   timer
}

// next asks the next holder of a want, makes it wait for a free place, or gives up.
// While a request is open or an object is being checked it does nothing.
func (m *Machine) next(now time.Time, w *want, out *[]core.Action) {
	w.leave()
	if w.state() != waits {
		return
	}
	if len(w.holders) == 0 || len(w.replies) >= m.cfg.MaxAsked {
		m.exhaust(w, out)
		return
	}
	from := w.candidates(now)
	at := slices.IndexFunc(from, func(h *holder) bool { return h.peer.inFlight < m.cfg.MaxInFlight })
	if at < 0 {
		w.wait(from)
		return
	}
	m.request(now, w, from[at].peer, out)
}

// candidates are the holders to choose from, in order. Those that seem to be silent
// are left out while there are others.
func (w *want) candidates(now time.Time) []*holder {
	var good []*holder
	for i, h := range w.holders {
		switch silent := h.peer.silent(now); {
		case silent && good == nil:
			good = append(make([]*holder, 0, len(w.holders)), w.holders[:i]...)
		case !silent && good != nil:
			good = append(good, h)
		}
	}
	if len(good) == 0 {
		return w.holders
	}
	return good
}

// doubtAfter is how long a peer may answer none of its requests before others are
// preferred to it. Chosen above what a round trip and a busy store take, and well
// below AnswerWithin: what times out first must not go on to those that are next.
const doubtAfter = 2 * time.Second

// silent says whether a peer let a request time out and has answered none since, or
// seems to be about to.
func (p *peer) silent(now time.Time) bool {
	return p.failed || p.inFlight > 0 && now.Sub(p.since) > doubtAfter
}

func (m *Machine) request(now time.Time, w *want, p *peer, out *[]core.Action) {
	w.forget(p)
	m.requested++
	r := &request{number: m.requested, id: w.id, peer: p, closure: w.closure, sent: now}
	r.timer.of = r
	m.requests[r.number] = r
	m.timers.set(&r.timer, now.Add(m.cfg.AnswerWithin))
	if p.inFlight++; p.inFlight == 1 {
		p.since = now
	}
	w.open = r
	w.reply(p.id)
	m.stats.Requests++
	if w.closure {
		m.stats.Closures++
	}
	msg := Message{Request: r.number, ID: w.id, Closure: w.closure, Have: w.have}
	m.send(p.id, Protocol, TypeRequest, msg.Append(TypeRequest, nil), out)
}

// onAnswer takes in an answer. One that comes late is used if it still can be.
func (m *Machine) onAnswer(now time.Time, p *peer, msg Message, out *[]core.Action) {
	r := m.requests[msg.Request]
	if r == nil || r.peer.id != p.id || r.id != msg.ID {
		if r != nil || !m.forgives(now, msg.Request) {
			m.blame(p.id, OffenceUnsolicited, "an answer "+strconv.FormatUint(msg.Request, 10)+" about "+msg.ID.String(), out)
		}
		return
	}
	p.failed, p.since = false, now
	m.count(now, r, msg)
	m.drop(r)
	if len(msg.Extras) > 0 && !r.closure {
		m.blame(p.id, OffenceUnsolicited, "the closure of "+msg.ID.String()+", which was not asked for", out)
		msg = Message{Status: StatusWrong}
	}
	m.use(now, r, msg, out)
	m.fill(now, r.peer, out)
}

// forgives says whether a number that is unknown may be one of our own all the same:
// of before a restart, or forgotten for want of room.
func (m *Machine) forgives(now time.Time, number uint64) bool {
	if number <= m.first {
		return now.Before(m.started.Add(m.cfg.Grace))
	}
	return number <= m.forgotten
}

// use does with an answer what is left to be done.
func (m *Machine) use(now time.Time, r *request, msg Message, out *[]core.Action) {
	w := m.wants[r.id]
	switch {
	case w == nil:
		m.stats.Unneeded++
	case msg.Status == StatusFound:
		m.take(now, w, r, msg, out)
	default:
		w.answered(r, msg.Status)
		m.next(now, w, out)
	}
}

// take hands an object over to be checked. When it came late another peer may be
// asked already, whose answer is then checked too.
func (m *Machine) take(now time.Time, w *want, r *request, msg Message, out *[]core.Action) {
	from := r.peer.id
	if r.late {
		m.stats.LateUsed++
	}
	w.leave()
	w.forget(r.peer)
	w.answered(r, StatusFound)
	w.reply(from).Status = StatusFound
	m.timers.set(&w.check, now.Add(m.cfg.CheckWithin))
	for _, e := range msg.Extras {
		*out = append(*out, Got{ID: w.id, Peer: from, Object: e, Extra: true})
	}
	*out = append(*out, Got{ID: w.id, Peer: from, Object: msg.Object})
}

func (m *Machine) count(now time.Time, r *request, msg Message) {
	switch msg.Status {
	case StatusFound:
		m.stats.Found++
	case StatusNotFound:
		m.stats.NotFound++
	case StatusRefused:
		m.stats.Refused++
	case StatusPruned:
		m.stats.Pruned++
	}
	m.stats.Extras += uint64(len(msg.Extras))
	m.stats.BytesIn += uint64(bytesOf(msg.Object, msg.Extras))
	if !r.late {
		m.stats.Answers++
		m.stats.Latency += now.Sub(r.sent)
	}
}

func bytesOf(obj []byte, extras [][]byte) int {
	n := len(obj)
	for _, e := range extras {
		n += len(e)
	}
	return n
}

// onComing gives a large answer the time that it takes. A Coming travels on another
// stream than the answer, so it may be late, and even come after it.
func (m *Machine) onComing(now time.Time, p *peer, msg Message, out *[]core.Action) {
	r := m.requests[msg.Request]
	switch {
	case r == nil && msg.Request <= m.requested:
		return
	case r == nil || r.peer.id != p.id || r.id != msg.ID || r.told:
		m.blame(p.id, OffenceUnsolicited, "it announces an answer "+strconv.FormatUint(msg.Request, 10)+" about "+msg.ID.String(), out)
		return
	}
	r.told, p.failed, p.since = true, false, now
	if r.late || p.coming >= m.cfg.MaxInFlight {
		return
	}
	m.stats.Comings++
	r.coming = true
	p.inFlight--
	p.coming++
	more := time.Duration(msg.Bytes) * time.Second / time.Duration(m.cfg.ComingPerSecond)
	m.timers.set(&r.timer, now.Add(m.cfg.AnswerWithin+more))
	m.fill(now, p, out)
}

// overdue ends a request that was not answered, or one whose grace is over.
func (m *Machine) overdue(now time.Time, r *request, out *[]core.Action) {
	if r.late {
		m.drop(r)
		return
	}
	m.stats.TimedOut++
	r.peer.failed = true
	m.letBeLate(now, r)
	if w := m.wants[r.id]; w != nil {
		w.answered(r, StatusTimedOut)
		m.next(now, w, out)
	}
	m.fill(now, r.peer, out)
}

// abandon gives up the requests to a peer that is gone, and returns the wants that
// these were for; one of them twice, if it was wanted, cancelled, and wanted again.
func (m *Machine) abandon(now time.Time, p *peer) (lost []*want) {
	var open []*request
	for _, r := range m.requests {
		if r.peer == p && !r.late {
			open = append(open, r)
		}
	}
	slices.SortFunc(open, func(a, b *request) int { return cmp.Compare(a.number, b.number) })
	for _, r := range open {
		m.stats.Gone++
		m.letBeLate(now, r)
		if w := m.wants[r.id]; w != nil {
			w.answered(r, StatusGone)
			lost = append(lost, w)
		}
	}
	return lost
}

// letBeLate frees the place of a request and remembers it for its grace, so that
// nobody is blamed for its answer.
func (m *Machine) letBeLate(now time.Time, r *request) {
	r.free()
	if m.late >= m.cfg.MaxLate {
		m.forgotten = max(m.forgotten, r.number)
		m.timers.stop(&r.timer)
		delete(m.requests, r.number)
		return
	}
	r.late = true
	m.late++
	m.timers.set(&r.timer, now.Add(m.cfg.Grace))
}

// drop forgets a request.
func (m *Machine) drop(r *request) {
	if r.late {
		m.late--
	} else {
		r.free()
	}
	m.timers.stop(&r.timer)
	delete(m.requests, r.number)
}

// free frees the place of a request in flight.
func (r *request) free() {
	if r.coming {
		r.peer.coming--
	} else {
		r.peer.inFlight--
	}
}

// fill gives free places of a peer to what waits for them, the oldest first.
func (m *Machine) fill(now time.Time, p *peer, out *[]core.Action) {
	for !p.gone && p.inFlight < m.cfg.MaxInFlight && len(p.waiting) > 0 {
		m.next(now, p.waiting[0].want, out)
	}
}
