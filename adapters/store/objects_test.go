package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weftnet/weft/protocols/object"
)

// anObject is a record whose bytes nothing else has.
func anObject(topic string, seq uint64, size int) ObjectRecord {
	b := make([]byte, size)
	copy(b, fmt.Sprintf("%s %d ", topic, seq))
	rand.NewChaCha8([32]byte{byte(seq), byte(seq >> 8), byte(seq >> 16)}).Read(b[min(size, len(topic)+10):])
	return ObjectRecord{topic, seq, object.IDOf(b), at(int64(1000 + seq)), b}
}

func someObjects(topic string, first, last uint64, size int) (records []ObjectRecord) {
	for seq := first; seq <= last; seq++ {
		records = append(records, anObject(topic, seq, size))
	}
	return records
}

func saveObjects(t testing.TB, s *Store, records ...ObjectRecord) {
	t.Helper()
	if err := s.SaveObjects(records); err != nil {
		t.Fatal(err)
	}
}

func numbers(records []ObjectRecord) (seqs []uint64) {
	for _, r := range records {
		seqs = append(seqs, r.Seq)
	}
	return seqs
}

func TestObjectsSurviveAReopen(t *testing.T) {
	dir := t.TempDir()
	s := open1(t, dir)
	a, b := someObjects("a", 1, 5, 100), someObjects("b", 7, 9, 20)
	saveObjects(t, s, append(a, b...)...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open1(t, dir)
	for _, want := range append(a, b...) {
		if got, err := s.Object(want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("Object = %+v, %v; want %+v", got, err, want)
		}
	}
	if got, err := s.ObjectLog("b", 0, 9, 1000); err != nil || !reflect.DeepEqual(got, b) {
		t.Errorf("ObjectLog = %v, %v", got, err)
	}
	if s.LastSeq("a") != 5 || s.LastSeq("b") != 9 || s.LastSeq("c") != 0 || s.Malformed() > 0 {
		t.Errorf("the logs end at %d, %d, %d", s.LastSeq("a"), s.LastSeq("b"), s.LastSeq("c"))
	}
}

func TestTheLogIsReadInPortions(t *testing.T) {
	s := inMemory(t)
	saveObjects(t, s, someObjects("a", 1, 10, 100)...)
	saveObjects(t, s, someObjects("ab", 1, 3, 100)...)
	for _, c := range []struct {
		after           uint64
		limit, maxBytes int
		want            []uint64
	}{
		{0, 3, 1 << 20, []uint64{1, 2, 3}},
		{3, 3, 1 << 20, []uint64{4, 5, 6}},
		{8, 99, 1 << 20, []uint64{9, 10}},
		{10, 99, 1 << 20, nil},
		{1 << 63, 99, 1 << 20, nil},
		{0, 99, 299, []uint64{1, 2}},
		{0, 99, 300, []uint64{1, 2, 3}},
		{0, 99, 99, []uint64{1}}, // larger than maxBytes, but the first
		{0, 99, 0, []uint64{1}},
		{0, 0, 1 << 20, nil},
		{0, -1, 1 << 20, nil},
	} {
		got, err := s.ObjectLog("a", c.after, c.limit, c.maxBytes)
		if err != nil || !reflect.DeepEqual(numbers(got), c.want) {
			t.Errorf("after %d, %d, %d bytes: %v, %v; want %v", c.after, c.limit, c.maxBytes, numbers(got), err, c.want)
		}
	}
}

func TestABatchOfObjectsIsSavedWhollyOrNot(t *testing.T) {
	s := inMemory(t)
	saveObjects(t, s, anObject("a", 5, 10))
	for name, bad := range map[string]ObjectRecord{
		"the same number":  anObject("a", 5, 11),
		"a number before":  anObject("a", 4, 10),
		"a number twice":   anObject("a", 6, 11),
		"number 0":         anObject("new", 0, 10),
		"no topic":         anObject("", 1, 10),
		"a long topic":     anObject(strings.Repeat("x", maxTopic+1), 1, 600),
		"no bytes":         {Topic: "a", Seq: 9},
		"too many bytes":   {Topic: "a", Seq: 9, Bytes: make([]byte, maxObject+1)},
		"too many at once": {},
	} {
		good := anObject("a", 6, 10)
		batch := []ObjectRecord{good, bad}
		if name == "too many at once" {
			batch = []ObjectRecord{good}
			for i := range uint64(5) {
				batch = append(batch, ObjectRecord{Topic: "b", Seq: 1 + i, Bytes: make([]byte, maxObject)})
			}
		}
		if err := s.SaveObjects(batch); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Object(good.ID); !errors.Is(err, ErrNotFound) || s.LastSeq("a") != 5 {
			t.Errorf("%s: the rest of the batch was saved: %v", name, err)
		}
	}
	saveObjects(t, s) // nothing
	saveObjects(t, s, anObject("a", 6, 10), anObject(strings.Repeat("x", maxTopic), 1, 600))
}

func TestWhatIsNotThereSaysWhy(t *testing.T) {
	s := inMemory(t)
	a := someObjects("a", 1, 4, 10)
	saveObjects(t, s, a...)
	anchor, unknown := object.IDOf([]byte("anchor")), object.IDOf([]byte("unknown"))
	if err := errors.Join(s.PruneObjects("a", 2), s.Anchor("a", anchor, at(7))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		id       object.ID
		is, not  error
		contains string
	}{
		"pruned":   {a[0].ID, ErrPruned, ErrAnchored, a[0].ID.String()},
		"anchored": {anchor, ErrPruned, ErrNotFound, anchor.String()},
		"an":       {anchor, ErrAnchored, ErrNotFound, "anchor"},
		"unknown":  {unknown, ErrNotFound, ErrPruned, unknown.String()},
	} {
		if _, err := s.Object(c.id); !errors.Is(err, c.is) || errors.Is(err, c.not) || !strings.Contains(err.Error(), c.contains) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Anchor("", anchor, at(7)); !errors.Is(err, ErrRecord) {
		t.Errorf("an anchor of no topic: %v", err)
	}
}

func TestADamagedObjectIsNamed(t *testing.T) {
	s := inMemory(t)
	a := someObjects("a", 1, 5, 10)
	saveObjects(t, s, a...)
	for key, value := range map[string][]byte{
		string(seqKey(bytesPrefix, "a", 1)): []byte("something else"),
		string(seqKey(bytesPrefix, "a", 3)): []byte("something else"),
		string(idKey(idPrefix, a[3].ID)):    []byte("short"),
	} {
		if err := s.db.Set([]byte(key), value, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Delete(seqKey(bytesPrefix, "a", 5), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 2, 3, 4} {
		if _, err := s.Object(a[i].ID); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), a[i].ID.String()) {
			t.Errorf("object %d: %v", i+1, err)
		}
	}
	if _, err := s.ObjectLog("a", 0, 9, 1000); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), a[0].ID.String()) {
		t.Errorf("the log from a damaged object: %v", err)
	}
	if got, err := s.ObjectLog("a", 1, 9, 1000); err != nil || !reflect.DeepEqual(got, a[1:2]) {
		t.Errorf("the log up to a damaged object: %v, %v", got, err)
	}
}

func TestPruningLeavesTombstones(t *testing.T) {
	dir := t.TempDir()
	s := open1(t, dir)
	a, b := someObjects("a", 1, 10, 10), someObjects("aa", 1, 3, 10)
	saveObjects(t, s, append(a, b...)...)
	for range 2 {
		if err := errors.Join(s.PruneObjects("a", 6), s.PruneObjects("a", 4), s.PruneObjects("aa", 99), s.PruneObjects("none", 9)); err != nil {
			t.Fatal(err)
		}
		checkPruned(t, s, a)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open1(t, dir)
	}
	if err := errors.Join(s.TrimTombstones("a", 2), s.TrimTombstones("aa", 0), s.TrimTombstones("none", -1)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{ErrNotFound, ErrNotFound, ErrNotFound, ErrNotFound, ErrPruned, ErrPruned, nil} {
		if _, err := s.Object(a[i].ID); !errors.Is(err, want) {
			t.Errorf("trimmed: object %d: %v, want %v", i+1, err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open1(t, dir)
	if s.LastSeq("aa") != 3 { // else numbers would be given twice
		t.Errorf("an empty log ends at %d", s.LastSeq("aa"))
	}
	if err := s.SaveObjects([]ObjectRecord{anObject("aa", 3, 10)}); !errors.Is(err, ErrRecord) {
		t.Errorf("a number for the second time: %v", err)
	}
}

func checkPruned(t *testing.T, s *Store, a []ObjectRecord) {
	t.Helper()
	for i, r := range a {
		var want error
		if i < 6 {
			want = ErrPruned
		}
		if _, err := s.Object(r.ID); !errors.Is(err, want) {
			t.Errorf("object %d: %v, want %v", i+1, err, want)
		}
	}
	if got, err := s.ObjectLog("a", 0, 99, 1000); err != nil || !reflect.DeepEqual(got, a[6:]) {
		t.Errorf("the log has %v, %v", numbers(got), err)
	}
	if got, err := s.ObjectLog("aa", 0, 99, 1000); err != nil || len(got) > 0 {
		t.Errorf("the other log has %v, %v", numbers(got), err)
	}
}

// Bytes are deleted of all topics together, when it is worth it, and else after a restart.
func TestPrunedBytesAreDeletedOnceTheyAreMany(t *testing.T) {
	dir := t.TempDir()
	s := open1(t, dir)
	saveObjects(t, s, someObjects("a", 1, 10, 100)...)
	saveObjects(t, s, someObjects("b", 1, 10, 1<<20)...)
	saveObjects(t, s, someObjects("c", 1, garbageObjects+10, 100)...)
	count := func(topic string) (n int) {
		err := scan(s.db, bytesPrefix, func(key, _ []byte) {
			if name, _, ok := cutSeqKey(key); ok && string(name) == topic {
				n++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	prune := func(topic string, upTo uint64, a, b, c int) {
		t.Helper()
		if err := s.PruneObjects(topic, upTo); err != nil {
			t.Fatal(err)
		}
		if got := []int{count("a"), count("b"), count("c")}; !reflect.DeepEqual(got, []int{a, b, c}) {
			t.Errorf("pruned %q up to %d: %v are left, want %v", topic, upTo, got, []int{a, b, c})
		}
	}
	const all = garbageObjects + 10
	prune("a", 4, 10, 10, all)
	prune("b", 3, 10, 10, all)
	prune("b", 4, 6, 6, all) // 4 MiB
	prune("a", 5, 6, 6, all)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open1(t, dir)
	prune("c", garbageObjects-1, 6, 6, all)
	prune("c", garbageObjects, 5, 6, 10)
}

func TestAnObjectThatLandsAgainOutlivesItsTombstone(t *testing.T) {
	s := inMemory(t)
	r := anObject("a", 1, 10)
	saveObjects(t, s, r)
	if err := s.PruneObjects("a", 1); err != nil {
		t.Fatal(err)
	}
	r.Seq = 2
	saveObjects(t, s, r)
	if err := s.TrimTombstones("a", 0); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Object(r.ID); err != nil || got.Seq != 2 {
		t.Errorf("Object = %v, %v", got, err)
	}
}

func TestTheIndexTellsOfAllThatIsHeldInOrder(t *testing.T) {
	s := inMemory(t)
	a, b := someObjects("a", 1, 300, 10), someObjects("b", 5, 7, 20)
	saveObjects(t, s, append(b, a...)...)
	anchor := object.IDOf([]byte("anchor"))
	err := errors.Join(s.PruneObjects("a", 100), s.TrimTombstones("a", 98), s.Anchor("b", anchor, at(3)),
		s.db.Set(seqKey(logPrefix, "b", 6), []byte("malformed"), pebble.NoSync))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	note := func(topic string, seq uint64, id object.ID, size int, landed time.Time, state State) {
		got = append(got, fmt.Sprint(topic, seq, id, size, landed.UnixMilli(), state))
	}
	if err := s.ObjectIndex(note); err != nil {
		t.Fatal(err)
	}
	want := []string{fmt.Sprint("b", 0, anchor, 0, 3, Anchored)}
	for _, r := range a[2:] {
		state := Held
		if r.Seq <= 100 {
			state = Pruned
		}
		want = append(want, fmt.Sprint("a", r.Seq, r.ID, 10, r.Landed.UnixMilli(), state))
	}
	want = append(want, fmt.Sprint("b", 5, b[0].ID, 20, 1005, Held), fmt.Sprint("b", 7, b[2].ID, 20, 1007, Held))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %d lines, want %d; the first are %q, %q, the last %q", len(got), len(want), got[0], got[1], got[len(got)-1])
	}
}

func TestTheLargestObjectsAreKept(t *testing.T) {
	dir := t.TempDir()
	s := open1(t, dir)
	batch := someObjects("a", 1, 4, maxObject) // each is four write buffers
	saveObjects(t, s, batch...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open1(t, dir)
	for _, r := range batch {
		if got, err := s.Object(r.ID); err != nil || !bytes.Equal(got.Bytes, r.Bytes) {
			t.Errorf("object %d: %d bytes, %v", r.Seq, len(got.Bytes), err)
		}
	}
	if got, err := s.ObjectLog("a", 1, 9, 2*maxObject); err != nil || !reflect.DeepEqual(numbers(got), []uint64{2, 3}) {
		t.Errorf("the log has %v, %v", numbers(got), err)
	}
}
