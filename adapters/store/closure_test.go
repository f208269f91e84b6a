package store

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/object"
)

// A graph's objects are the IDs of their dependencies, behind a number of their own.
func vertex(n byte, deps ...object.ID) (encoded []byte) {
	encoded = []byte{n}
	for _, d := range deps {
		encoded = append(encoded, d[:]...)
	}
	return encoded
}

func depsOf(encoded []byte) (deps []object.ID) {
	for b := encoded[1:]; len(b) > 0; b = b[len(object.ID{}):] {
		deps = append(deps, object.ID(b))
	}
	return deps
}

// saveGraph saves objects of which number i depends on the numbers in edges[i].
func saveGraph(t testing.TB, s *Store, edges ...[]int) (ids []object.ID) {
	t.Helper()
	for i, to := range edges {
		var deps []object.ID
		for _, n := range to {
			deps = append(deps, ids[n])
		}
		encoded := vertex(byte(i), deps...)
		ids = append(ids, object.IDOf(encoded))
		saveObjects(t, s, ObjectRecord{"g", uint64(i + 1), ids[i], at(1), encoded})
	}
	return ids
}

func order(t testing.TB, encoded [][]byte) (numbers []int) {
	t.Helper()
	for _, b := range encoded {
		numbers = append(numbers, int(b[0]))
	}
	return numbers
}

func TestAClosureHasDependenciesFirst(t *testing.T) {
	diamond := [][]int{{}, {0}, {0}, {1, 2}, {3, 1}}
	chain := [][]int{{}, {0}, {1}, {2}, {3}, {4}}
	for name, c := range map[string]struct {
		edges             [][]int
		of                int
		have              []int
		objects, maxBytes int
		want              []int
	}{
		"alone":              {diamond, 0, nil, 9, 1 << 20, []int{0}},
		"diamond":            {diamond, 4, nil, 9, 1 << 20, []int{0, 1, 2, 3, 4}},
		"chain":              {chain, 5, nil, 9, 1 << 20, []int{0, 1, 2, 3, 4, 5}},
		"chain to a locator": {chain, 5, []int{2}, 9, 1 << 20, []int{3, 4, 5}},
		"locator is itself":  {chain, 5, []int{5, 4}, 9, 1 << 20, []int{5}},
		"three objects":      {chain, 5, nil, 3, 1 << 20, []int{3, 4, 5}},
		"no objects":         {chain, 5, nil, 0, 1 << 20, []int{5}},
		"three's bytes":      {chain, 5, nil, 9, 3 * 33, []int{3, 4, 5}},
		"no bytes":           {chain, 5, nil, 9, 0, []int{5}},
	} {
		s := inMemory(t)
		ids := saveGraph(t, s, c.edges...)
		var have []object.ID
		for _, n := range c.have {
			have = append(have, ids[n])
		}
		got, err := s.Closure(ids[c.of], have, c.objects, c.maxBytes, depsOf)
		if err != nil || !reflect.DeepEqual(order(t, got), c.want) {
			t.Errorf("%s: %v, %v; want %v", name, order(t, got), err, c.want)
		}
	}
}

func TestAClosureEndsAtWhatHasNoBytes(t *testing.T) {
	s := inMemory(t)
	ids := saveGraph(t, s, []int{}, []int{0}, []int{1}, []int{2}, []int{3})
	if err := s.PruneObjects("g", 2); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Closure(ids[4], nil, 9, 1000, depsOf); err != nil || !reflect.DeepEqual(order(t, got), []int{2, 3, 4}) {
		t.Errorf("after pruning: %v, %v", order(t, got), err)
	}
	if err := s.db.Set(seqKey(bytesPrefix, "g", 4), []byte("damaged"), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Closure(ids[4], nil, 9, 1000, depsOf); err != nil || !reflect.DeepEqual(order(t, got), []int{4}) {
		t.Errorf("after damage: %v, %v", order(t, got), err)
	}
	for id, want := range map[object.ID]error{ids[3]: ErrDamaged, ids[0]: ErrPruned, {}: ErrNotFound} {
		if _, err := s.Closure(id, nil, 9, 1000, depsOf); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

// Whatever the graph and the bounds: no object comes before one that it depends on and
// that comes too, none comes twice, and the one that is asked for comes last.
func TestClosuresOfAnyGraphAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := OpenMemory(quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var records []ObjectRecord
		for i := range rapid.IntRange(1, 30).Draw(t, "objects") {
			var deps []object.ID
			for _, r := range records {
				if rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
					deps = append(deps, r.ID)
				}
			}
			encoded := vertex(byte(i), deps...)
			records = append(records, ObjectRecord{"g", uint64(i + 1), object.IDOf(encoded), at(1), encoded})
		}
		if err := s.SaveObjects(records); err != nil {
			t.Fatal(err)
		}
		root := records[len(records)-1]
		most := rapid.IntRange(1, 40).Draw(t, "most")
		got, err := s.Closure(root.ID, nil, most, rapid.IntRange(0, 30000).Draw(t, "bytes"), depsOf)
		if err != nil || len(got) > most || !slices.Equal(got[len(got)-1], root.Bytes) {
			t.Fatalf("%d objects, %v", len(got), err)
		}
		at := make(map[object.ID]int)
		for i, b := range got {
			at[object.IDOf(b)] = i
		}
		for i, b := range got {
			for _, d := range depsOf(b) {
				if n, ok := at[d]; ok && n >= i {
					t.Fatalf("number %d depends on number %d", i, n)
				}
			}
		}
		if len(at) != len(got) {
			t.Fatalf("%d objects, %d different ones", len(got), len(at))
		}
	})
}

func TestAClosureOfALongChainIsBounded(t *testing.T) {
	s := inMemory(t)
	const length = 20000
	var records []ObjectRecord
	encoded := vertex(0)
	for i := range length {
		records = append(records, ObjectRecord{"g", uint64(i + 1), object.IDOf(encoded), at(1), encoded})
		encoded = vertex(byte(i), object.IDOf(encoded))
	}
	saveObjects(t, s, records...)
	for most, want := range map[int]int{1024: 1024, 2 * length: length} {
		if got, err := s.Closure(records[length-1].ID, nil, most, 64<<20, depsOf); err != nil || len(got) != want {
			t.Errorf("%d objects, %v; want %d", len(got), err, want)
		}
	}
}
