package bloom

import (
	"slices"
	"testing"

	"github.com/weftnet/weft/docs/protocols/vectors"
)

// filterVector is a filter to which entries were added one after the other.
type filterVector struct {
	Name   string      `json:"name"`
	Hashes int         `json:"hashes"`
	Bytes  int         `json:"bytes"`
	Salt   vectors.Hex `json:"salt"`
	Added  []struct {
		Entry vectors.Hex `json:"entry"`
		First uint64      `json:"first,string"`
		Step  uint64      `json:"step,string"`
		Bits  []int       `json:"bits"`
	} `json:"added"`
	Filter vectors.Hex `json:"filter"`
	Query  vectors.Hex `json:"query"`
}

// readVectors reads the filters of docs/protocols/vectors/peerlist.json.
func readVectors(t testing.TB) []filterVector {
	t.Helper()
	var v struct {
		vectors.Page
		Filters                                   []filterVector
		Entries, Sizes, Questions, Lists, Refused any
	}
	if err := vectors.Read("peerlist", &v); err != nil {
		t.Fatal(err)
	}
	return v.Filters
}

// The layout is a wire format: these values may not change.
func TestVectorsOfFilters(t *testing.T) {
	for _, f := range readVectors(t) {
		b := &Filter{bits: make([]byte, f.Bytes), hashes: f.Hashes}
		keyer := NewKeyer([SaltSize]byte(f.Salt))
		for _, e := range f.Added {
			key := keyer.Key([EntrySize]byte(e.Entry))
			one := &Filter{bits: make([]byte, f.Bytes), hashes: f.Hashes}
			one.Add(key)
			b.Add(key)
			if key != (Key{e.First, e.Step}) || !slices.Equal(set(one.bits), e.Bits) {
				t.Errorf("%s: entry %v falls on %+v, bits %v; want %+v", f.Name, e.Entry, key, set(one.bits), e)
			}
		}
		q := Query{Filter: b, Salt: [SaltSize]byte(f.Salt)}
		if got := q.Append(nil); !f.Filter.Is(b.bits) || !f.Query.Is(got) {
			t.Errorf("%s: filter %x, query %x; want %v, %v", f.Name, b.bits, got, f.Filter, f.Query)
		}
		read, err := ParseQuery(f.Query, mostBytes)
		if err != nil || read.Filter.hashes != f.Hashes || !f.Filter.Is(read.Filter.bits) || !f.Salt.Is(read.Salt[:]) {
			t.Errorf("%s is read as %+v, %v", f.Name, read, err)
		}
	}
}

// set lists the bits that are set, in ascending order.
func set(filter []byte) (bits []int) {
	for i := range len(filter) * 8 {
		if filter[i/8]&(1<<(i%8)) != 0 {
			bits = append(bits, i)
		}
	}
	return bits
}
