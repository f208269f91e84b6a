package fetch

import (
	"strconv"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// job is a request of a peer.
type job struct {
	peer    *peer
	number  uint64
	id      object.ID
	closure bool
	have    []object.ID
	size    int // of the object, as far as we know
	lane    lane
	loading bool // the composer was asked for it
	max     int  // bytes that the composer was allowed
	charged int  // to the bucket of its lane, until the answer shows what it takes
	timer   timer
}

// lane is a queue of requests of one peer. Those in one do not wait for those in
// another.
type lane uint8

const (
	small    lane = iota // for objects that fit into a small answer
	closures             // one at a time: only when it is loaded is its size known
	large                // for objects that do not fit, one at a time
	lanes
)

// serving is what we do for a peer.
type serving struct {
	jobs     map[uint64]*job
	queues   [lanes][]*job // that wait to be loaded
	open     [lanes]int    // jobs
	loading  [lanes]int    // of them, those being loaded
	queued   int           // bytes of large objects that wait
	requests core.Bucket   // that may be served
	refusals core.Bucket   // that may be sent
	bytes    core.Bucket   // in small answers
	bulk     core.Bucket   // in large ones
	pace     timer         // set while a queue waits for a bucket
}

func newServing(c Config, p *peer) serving {
	rate := core.Bucket{PerSecond: float64(c.RequestsPerSecond), Most: float64(c.RequestBurst)}
	return serving{
		jobs: map[uint64]*job{}, requests: rate, refusals: rate,
		bytes: core.Bucket{PerSecond: float64(c.BytesPerSecond), Most: float64(c.BytesBurst)},
		bulk:  core.Bucket{PerSecond: float64(c.BytesPerSecond), Most: float64(c.BulkBurst)},
		pace:  timer{of: p},
	}
}

// onRequest takes in a request, or refuses it. Whoever asks for a large object is
// told at once that it takes time.
func (m *Machine) onRequest(now time.Time, p *peer, msg Message, out *[]core.Action) {
	m.stats.Asked++
	if p.jobs[msg.Request] != nil {
		m.blame(p.id, OffenceUnsolicited, "it asks "+strconv.FormatUint(msg.Request, 10)+" twice", out)
		return
	}
	j := &job{peer: p, number: msg.Request, id: msg.ID, closure: msg.Closure, have: msg.Have, size: m.size(msg.ID)}
	switch {
	case j.size > MaxPayload-extra:
		j.lane = large
	case j.closure:
		j.lane = closures
	}
	if !m.room(now, j) {
		m.refuse(now, p, msg, out)
		return
	}
	j.timer.of = j
	p.jobs[j.number] = j
	p.open[j.lane]++
	p.queues[j.lane] = append(p.queues[j.lane], j)
	if j.lane == large {
		p.queued += j.size
		m.announce(j, p.ahead(now), out)
	}
	m.serve(now, p, out)
}

// room says whether a request can be taken in.
func (m *Machine) room(now time.Time, j *job) bool {
	p := j.peer
	if j.lane == large {
		return j.size <= object.MaxSize && p.open[large] < m.cfg.MaxServed && p.ahead(now)+j.size <= m.cfg.MaxQueued
	}
	return p.open[small]+p.open[closures] < m.cfg.MaxServed
}

// ahead is how many bytes of large answers are to be sent to a peer.
func (p *peer) ahead(now time.Time) int { return p.queued + int(max(0, -p.bulk.Have(now))) }

// refuse says that we are busy, unless that is said too often.
func (m *Machine) refuse(now time.Time, p *peer, msg Message, out *[]core.Action) {
	if !p.refusals.Take(now) {
		m.stats.Silent++
		return
	}
	m.stats.GaveRefused++
	answer := Message{Request: msg.Request, ID: msg.ID, Status: StatusRefused}
	m.send(p.id, Protocol, TypeAnswer, answer.Append(TypeAnswer, nil), out)
}

func (m *Machine) announce(j *job, bytes int, out *[]core.Action) {
	msg := Message{Request: j.number, ID: j.id, Bytes: uint64(min(bytes, MaxComing))}
	m.send(j.peer.id, Protocol, TypeComing, msg.Append(TypeComing, nil), out)
}

// serve has loaded what a peer may be sent now. For the rest it sets a timer, or the
// answer to what is being loaded calls it again.
func (m *Machine) serve(now time.Time, p *peer, out *[]core.Action) {
	m.timers.stop(&p.pace)
	var wait time.Duration
	for l := range lanes {
		for len(p.queues[l]) > 0 && (l == small || p.loading[l] == 0) {
			if d := p.wait(now, l); d > 0 {
				if wait == 0 || d < wait {
					wait = d
				}
				break
			}
			m.load(now, p.take(l), out)
		}
	}
	if wait > 0 {
		m.timers.set(&p.pace, now.Add(wait))
	}
}

// wait is how long the buckets keep a lane waiting; zero: not at all.
func (p *peer) wait(now time.Time, l lane) (d time.Duration) {
	buckets := []*core.Bucket{&p.requests, &p.bytes}
	if l == large {
		buckets[1] = &p.bulk
	}
	for _, b := range buckets {
		if !b.Ready(now) {
			d = max(d, b.Wait(now))
		}
	}
	return d
}

func (p *peer) take(l lane) *job {
	j := p.queues[l][0]
	p.queues[l][0] = nil
	if p.queues[l] = p.queues[l][1:]; len(p.queues[l]) == 0 {
		p.queues[l] = nil
	}
	if l == large {
		p.queued -= j.size
	}
	return j
}

// load asks the composer for an object. A closure gets the space of a large answer
// when one may be sent now, and else that of a small one, so that it never waits.
func (m *Machine) load(now time.Time, j *job, out *[]core.Action) {
	p, objects := j.peer, 1
	j.max = object.MaxSize
	if j.closure {
		objects, j.max = m.cfg.ClosureObjects, MaxPayload-extra
		if j.lane == large || p.bulk.Ready(now) {
			j.max = m.cfg.ClosureBytes
		}
	}
	j.loading = true
	p.loading[j.lane]++
	p.requests.Spend(now, 1)
	j.charged = j.size
	p.bucket(j.lane == large).Spend(now, float64(j.charged))
	m.timers.set(&j.timer, now.Add(m.cfg.LoadWithin))
	*out = append(*out, Serve{
		Peer: p.id, Request: j.number, ID: j.id, Closure: j.closure && objects > 1, Have: j.have,
		MaxObjects: objects, MaxBytes: j.max,
	})
}

func (p *peer) bucket(bulk bool) *core.Bucket {
	if bulk {
		return &p.bulk
	}
	return &p.bytes
}

// Answer sends what the composer was asked for by Serve: with StatusFound the closure,
// dependencies first, and last the object. What is over the bounds of the Serve is
// left out from the front.
func (m *Machine) Answer(now time.Time, to core.PeerID, request uint64, status Status, objects [][]byte, out *[]core.Action) {
	p := m.peers[to]
	if p == nil || p.jobs[request] == nil || !p.jobs[request].loading {
		return // it disconnected, or this took too long
	}
	j := p.jobs[request]
	m.finish(j)
	msg := Message{Request: request, ID: j.id, Status: status}
	switch {
	case status == StatusFound:
		m.fit(j, &msg, objects)
	case status > StatusPruned || status < StatusFound: // not for the wire
		msg.Status = StatusRefused
	}
	payload := make([]byte, 0, extra+len(msg.Object)+extrasSize(msg.Extras))
	m.deliver(now, j, msg, msg.Append(TypeAnswer, payload), out)
	m.serve(now, p, out)
}

// fit puts as much of a closure into an answer as goes in.
func (m *Machine) fit(j *job, msg *Message, objects [][]byte) {
	last := len(objects) - 1
	if last < 0 || len(objects[last]) == 0 || len(objects[last]) > object.MaxSize {
		msg.Status = StatusRefused
		return
	}
	msg.Object = objects[last]
	if !j.closure {
		return
	}
	total, from := len(msg.Object), last
	for from > 0 && last-from+1 < m.cfg.ClosureObjects {
		if total += lengthSize + len(objects[from-1]); total > j.max || len(objects[from-1]) == 0 {
			break
		}
		from--
	}
	msg.Extras = objects[from:last]
}

// deliver sends an answer, and pays for it.
func (m *Machine) deliver(now time.Time, j *job, msg Message, payload []byte, out *[]core.Action) {
	p, protocol := j.peer, Protocol
	p.bucket(j.lane == large).Spend(now, -float64(j.charged))
	bulk := len(payload) > MaxPayload
	if bulk {
		protocol = BulkProtocol
		if j.lane != large {
			m.announce(j, p.ahead(now)+len(payload), out)
		}
	}
	p.bucket(bulk).Spend(now, float64(len(payload)))
	m.given(msg)
	m.stats.BytesOut += uint64(bytesOf(msg.Object, msg.Extras))
	m.send(p.id, protocol, TypeAnswer, payload, out)
}

// given counts an answer.
func (m *Machine) given(msg Message) {
	switch msg.Status {
	case StatusFound:
		m.stats.GaveFound++
	case StatusNotFound:
		m.stats.GaveNotFound++
	case StatusRefused:
		m.stats.GaveRefused++
	case StatusPruned:
		m.stats.GavePruned++
	}
	m.stats.GaveExtras += uint64(len(msg.Extras))
}

// unloaded gives up on a Serve that the composer did not answer.
func (m *Machine) unloaded(now time.Time, j *job, out *[]core.Action) {
	m.stats.Overdue++
	m.Answer(now, j.peer.id, j.number, StatusRefused, nil, out)
}

// finish forgets a job that was being loaded.
func (m *Machine) finish(j *job) {
	m.timers.stop(&j.timer)
	delete(j.peer.jobs, j.number)
	j.peer.open[j.lane]--
	j.peer.loading[j.lane]--
}

// stopServing forgets all jobs of a peer that is gone.
func (m *Machine) stopServing(p *peer) {
	m.timers.stop(&p.pace)
	for _, j := range p.jobs {
		m.timers.stop(&j.timer)
	}
}
