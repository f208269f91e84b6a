package simtest

import (
	"slices"

	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/object"
)

// shelf is a store of objects. It outlives the node's restarts.
type shelf struct {
	topics map[string]*row
	bytes  map[object.ID][]byte // of what is on disk and not pruned
	held   map[object.ID]bool   // the same, pruned ones and anchors as well
}

// row is the log of one topic.
type row struct {
	log    []dissemination.Entry
	pruned []object.ID
	last   uint64 // sequence number
}

func newShelf() *shelf {
	return &shelf{topics: map[string]*row{}, bytes: map[object.ID][]byte{}, held: map[object.ID]bool{}}
}

func (s *shelf) row(topic string) *row {
	if s.topics[topic] == nil {
		s.topics[topic] = &row{}
	}
	return s.topics[topic]
}

func (s *shelf) save(t dissemination.Save) {
	r := s.row(t.Topic)
	r.log = append(r.log, dissemination.Entry{Seq: t.Seq, ID: t.ID, Size: len(t.Bytes), Landed: t.Landed})
	r.last = t.Seq
	s.bytes[t.ID], s.held[t.ID] = t.Bytes, true
}

func (s *shelf) prune(t dissemination.Prune) {
	r := s.row(t.Topic)
	for len(r.log) > 0 && r.log[0].Seq <= t.Upto {
		delete(s.bytes, r.log[0].ID)
		r.pruned = append(r.pruned, r.log[0].ID)
		r.log = r.log[1:]
	}
}

func (s *shelf) anchor(t dissemination.SaveAnchor) {
	r := s.row(t.Topic)
	r.pruned = append(r.pruned, t.ID)
	s.held[t.ID] = true
}

// load returns an object and, for a closure, what it depends on, nearest first, up to
// the bounds; dependencies come first in the answer.
func (s *shelf) load(t dissemination.Load) (objects [][]byte) {
	passed := make(map[object.ID]bool, len(t.Have))
	for _, id := range t.Have {
		passed[id] = true
	}
	size := 0
	for queue := []object.ID{t.ID}; len(queue) > 0 && len(objects) < max(t.MaxObjects, 1); queue = queue[1:] {
		b := s.bytes[queue[0]]
		if passed[queue[0]] || b == nil {
			continue
		}
		if size += len(b); size > t.MaxBytes && len(objects) > 0 {
			break
		}
		passed[queue[0]] = true
		objects = append(objects, b)
		if o, err := object.Parse(b); err == nil && t.Closure {
			queue = append(queue, o.Deps...)
		}
	}
	slices.Reverse(objects)
	return objects
}
