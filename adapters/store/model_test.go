package store

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/object"
)

// model is a store as maps.
type model struct {
	files   vfs.FS
	s       *Store
	objects map[object.ID]ObjectRecord // with their bytes, also when pruned
	logs    map[string][]ObjectRecord  // with tombstones
	pruned  map[string]uint64
	last    map[string]uint64
	anchors map[object.ID]string
}

var modelTopics = []string{"a", "ab", "b"}

// Whatever is saved, pruned, trimmed and anchored, in whatever order and with the
// store closed in between: it tells what maps would tell.
func TestTheStoreIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			files: vfs.NewMem(), objects: make(map[object.ID]ObjectRecord), logs: make(map[string][]ObjectRecord),
			pruned: make(map[string]uint64), last: make(map[string]uint64), anchors: make(map[object.ID]string),
		}
		m.open(t)
		defer func() { m.s.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"save": m.save, "save again": m.saveAgain, "prune": m.prune, "trim": m.trim, "anchor": m.anchor,
			"reopen": m.reopen, "flush": m.flush, "log": m.checkLog, "": m.check,
		})
	})
}

func (m *model) open(t *rapid.T) {
	s, err := open("db", m.files, pebble.Sync, quiet)
	if err != nil {
		t.Fatal(err)
	}
	m.s = s
}

func (m *model) reopen(t *rapid.T) {
	if err := m.s.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(t)
}

func (m *model) flush(t *rapid.T) {
	if err := m.s.db.Flush(); err != nil {
		t.Fatal(err)
	}
}

func (m *model) save(t *rapid.T) {
	var batch []ObjectRecord
	for range rapid.IntRange(0, 5).Draw(t, "records") {
		topic := rapid.SampledFrom(modelTopics).Draw(t, "topic")
		m.last[topic] += rapid.Uint64Range(1, 3).Draw(t, "step")
		batch = append(batch, anObject(topic, m.last[topic], rapid.IntRange(20, 5000).Draw(t, "size")))
	}
	m.put(t, batch)
}

// saveAgain saves an object that was there before under a new number.
func (m *model) saveAgain(t *rapid.T) {
	topic := rapid.SampledFrom(modelTopics).Draw(t, "topic")
	if len(m.logs[topic]) == 0 {
		t.Skip("no object")
	}
	r := rapid.SampledFrom(m.logs[topic]).Draw(t, "object")
	m.last[topic]++
	r.Seq = m.last[topic]
	m.put(t, []ObjectRecord{r})
}

func (m *model) put(t *rapid.T, batch []ObjectRecord) {
	if err := m.s.SaveObjects(batch); err != nil {
		t.Fatal(err)
	}
	for _, r := range batch {
		m.objects[r.ID] = r
		m.logs[r.Topic] = append(m.logs[r.Topic], r)
	}
}

func (m *model) prune(t *rapid.T) {
	topic := rapid.SampledFrom(modelTopics).Draw(t, "topic")
	upTo := rapid.Uint64Range(0, m.last[topic]+2).Draw(t, "up to")
	if rapid.Bool().Draw(t, "much garbage") {
		m.s.garbage.objects = garbageObjects
	}
	if err := m.s.PruneObjects(topic, upTo); err != nil {
		t.Fatal(err)
	}
	m.pruned[topic] = max(m.pruned[topic], min(upTo, m.last[topic]))
}

func (m *model) trim(t *rapid.T) {
	topic := rapid.SampledFrom(modelTopics).Draw(t, "topic")
	keep := rapid.IntRange(0, 5).Draw(t, "keep")
	if err := m.s.TrimTombstones(topic, keep); err != nil {
		t.Fatal(err)
	}
	tombs := 0
	for _, r := range m.logs[topic] {
		if r.Seq <= m.pruned[topic] {
			tombs++
		}
	}
	for _, r := range m.logs[topic][:max(0, tombs-keep)] {
		if m.objects[r.ID].Seq == r.Seq {
			delete(m.objects, r.ID)
		}
	}
	m.logs[topic] = m.logs[topic][max(0, tombs-keep):]
}

func (m *model) anchor(t *rapid.T) {
	topic := rapid.SampledFrom(modelTopics).Draw(t, "topic")
	id := object.IDOf([]byte{byte(len(m.anchors))})
	if ids := slices.Collect(maps.Keys(m.objects)); len(ids) > 0 && rapid.Bool().Draw(t, "of an object") {
		id = ids[0]
	}
	if err := m.s.Anchor(topic, id, at(5)); err != nil {
		t.Fatal(err)
	}
	m.anchors[id] = topic
}

func (m *model) check(t *rapid.T) {
	for id, want := range m.objects {
		got, err := m.s.Object(id)
		if want.Seq <= m.pruned[want.Topic] {
			if !errors.Is(err, ErrPruned) || errors.Is(err, ErrAnchored) {
				t.Fatalf("%s %d is pruned: %v", want.Topic, want.Seq, err)
			}
		} else if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s %d: %s %d, %v", want.Topic, want.Seq, got.Topic, got.Seq, err)
		}
	}
	for id := range m.anchors {
		if _, known := m.objects[id]; known {
			continue
		}
		if _, err := m.s.Object(id); !errors.Is(err, ErrAnchored) {
			t.Fatalf("anchor: %v", err)
		}
	}
	m.checkIndex(t)
}

func (m *model) checkIndex(t *rapid.T) {
	var got, want []string
	err := m.s.ObjectIndex(func(topic string, seq uint64, id object.ID, size int, landed time.Time, state State) {
		got = append(got, fmt.Sprintf("%s %d %s %d %d %s", topic, seq, id, size, landed.UnixMilli(), state))
	})
	for id, topic := range m.anchors {
		want = append(want, fmt.Sprintf("%s 0 %s 0 5 anchored", topic, id))
	}
	slices.Sort(want)
	slices.Sort(got[:min(len(want), len(got))])
	for _, topic := range []string{"a", "b", "ab"} { // as their lengths go first
		for _, r := range m.logs[topic] {
			state := Held
			if r.Seq <= m.pruned[topic] {
				state = Pruned
			}
			want = append(want, fmt.Sprintf("%s %d %s %d %d %s", topic, r.Seq, r.ID, len(r.Bytes), r.Landed.UnixMilli(), state))
		}
		if last := m.s.LastSeq(topic); last != m.last[topic] {
			t.Fatalf("the log of %s ends at %d, want %d", topic, last, m.last[topic])
		}
	}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("the index is %q, want %q: %v", got, want, err)
	}
}

func (m *model) checkLog(t *rapid.T) {
	topic := rapid.SampledFrom(modelTopics).Draw(t, "topic")
	after := rapid.Uint64Range(0, m.last[topic]+1).Draw(t, "after")
	limit, room := rapid.IntRange(0, 10).Draw(t, "limit"), rapid.IntRange(0, 20000).Draw(t, "bytes")
	var want []ObjectRecord
	left := room
	for _, r := range m.logs[topic] {
		if r.Seq <= max(after, m.pruned[topic]) {
			continue
		}
		if left -= len(r.Bytes); len(want) == limit || left < 0 && len(want) > 0 {
			break
		}
		want = append(want, r)
	}
	got, err := m.s.ObjectLog(topic, after, limit, room)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("after %d, %d, %d bytes: %v, %v; want %v", after, limit, room, numbers(got), err, numbers(want))
	}
}
