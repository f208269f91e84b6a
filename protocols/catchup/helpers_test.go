package catchup

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

var start = time.Unix(1_800_000_000, 0)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// idN is the ID of object n.
func idN(n int) object.ID { return object.IDOf(binary.BigEndian.AppendUint64(nil, uint64(n))) }

// shelf is what a node holds: a Log, and the composer's side of List.
type shelf struct {
	logs    map[string][]landed
	held    map[object.ID]bool
	horizon time.Time
}

type landed struct {
	id object.ID
	at time.Time
}

func newShelf() *shelf { return &shelf{logs: map[string][]landed{}, held: map[object.ID]bool{}} }

// land puts an object on the shelf; false: it is there.
func (s *shelf) land(topic string, id object.ID, at time.Time) bool {
	if s.held[id] {
		return false
	}
	s.held[id] = true
	s.logs[topic] = append(s.logs[topic], landed{id, at})
	return true
}

func (s *shelf) Recent(topic string, since time.Time, each func(object.ID) bool) {
	for _, l := range slices.Backward(s.logs[topic]) {
		if l.at.Before(since) || !each(l.id) {
			return
		}
	}
}

func (s *shelf) Horizon(string) time.Time { return s.horizon }

// walk walks the log as List asks for. The number of an entry is its place, from 1.
func (s *shelf) walk(l List) (ids []object.ID, next uint64, more bool) {
	log := s.logs[l.Topic]
	first := sort.Search(len(log), func(i int) bool { return !log[i].at.Before(l.Since) })
	at := max(first, int(l.Cursor))
	for ; at < len(log) && len(ids) < MaxIDs && !l.Spent(); at++ {
		if l.Lacks(log[at].id) {
			ids = append(ids, log[at].id)
		}
	}
	return ids, uint64(at), at < len(log)
}

// rig is one machine in a test's hands.
type rig struct {
	*Machine
	*shelf
	t   testing.TB
	now time.Time
}

func newRig(t testing.TB, topics ...string) *rig {
	r := &rig{shelf: newShelf(), t: t, now: start}
	r.Machine = New(DefaultConfig(), r.shelf, seeded(1))
	r.set(topics...)
	return r
}

// do runs one input and returns what follows from it.
func (r *rig) do(input func(out *[]core.Action)) (out []core.Action) {
	input(&out)
	return out
}

func (r *rig) set(topics ...string) []core.Action {
	return r.do(func(out *[]core.Action) {
		if err := r.SetTopics(r.now, topics, out); err != nil {
			r.t.Fatal(err)
		}
	})
}

// up lets a peer join that carries topics.
func (r *rig) up(id core.PeerID, topics ...string) []core.Action {
	return r.do(func(out *[]core.Action) {
		r.PeerUp(id, out)
		r.Receive(r.now, id, TypeTopics, Topics{topics}.Append(nil), out)
	})
}

func (r *rig) down(id core.PeerID) []core.Action {
	return r.do(func(out *[]core.Action) { r.PeerDown(r.now, id, out) })
}

func (r *rig) receive(from core.PeerID, kind frame.Type, payload []byte) []core.Action {
	return r.do(func(out *[]core.Action) { r.Receive(r.now, from, kind, payload, out) })
}

// page answers a question with some IDs.
func (r *rig) page(from core.PeerID, page Recent) []core.Action {
	return r.receive(from, TypeRecent, page.Append(nil))
}

// tick goes on to the next deadline, at most by d.
func (r *rig) tick(d time.Duration) []core.Action {
	next := r.Deadline()
	if next.IsZero() || next.After(r.now.Add(d)) {
		r.now = r.now.Add(d)
	} else if next.After(r.now) {
		r.now = next
	}
	return r.do(func(out *[]core.Action) { r.Tick(r.now, out) })
}

// pass lets d pass and returns what happened.
func (r *rig) pass(d time.Duration) (out []core.Action) {
	for until := r.now.Add(d); r.now.Before(until); {
		out = append(out, r.tick(until.Sub(r.now))...)
	}
	return out
}

// asked is a question that was sent.
type asked struct {
	to core.PeerID
	GetRecent
}

func questions(t testing.TB, actions []core.Action) (all []asked) {
	t.Helper()
	for _, a := range actions {
		if s, ok := a.(core.Send); ok && s.Type == TypeGetRecent {
			q, err := ParseGetRecent(s.Payload)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, asked{s.Peer, q})
		}
	}
	return all
}

// of returns the actions of one type.
func of[T core.Action](actions []core.Action) (all []T) {
	for _, a := range actions {
		if a, ok := a.(T); ok {
			all = append(all, a)
		}
	}
	return all
}

func faults(actions []core.Action) (all []core.Offence) {
	for _, p := range of[core.Penalize](actions) {
		all = append(all, p.Offence)
	}
	return all
}
