package pending

import (
	"runtime"
	"testing"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// chain is 1,000 items that each miss the one before, in reverse order.
func chain() []Item {
	all := make([]Item, 1000)
	for i := range all {
		n := len(all) - i
		all[i] = Item{ID: id(n), Sender: peerN(0), Size: 1024, Missing: ids(n - 1)}
	}
	return all
}

// A chain of 1,000 comes from its end and is released from its beginning.
func BenchmarkChain1000Reversed(b *testing.B) {
	items := chain()
	var out []core.Action
	b.ReportAllocs()
	for b.Loop() {
		m := New(DefaultConfig())
		for _, it := range items {
			out = out[:0]
			if _, err := m.Add(start, it, &out); err != nil {
				b.Fatal(err)
			}
		}
		for i := range len(items) + 1 {
			out = out[:0]
			m.Landed(start, id(i), &out)
		}
		if len(m.nodes) != 0 {
			b.Fatal("not all were released")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(items)), "ns/item")
}

// An item with 1,024 missing dependencies, which then land.
func Benchmark1024Missing(b *testing.B) {
	it := Item{ID: id(0), Sender: peerN(0), Size: 40 << 10}
	for i := range 1024 {
		it.Missing = append(it.Missing, id(i+1))
	}
	var out []core.Action
	b.ReportAllocs()
	for b.Loop() {
		m := New(DefaultConfig())
		out = out[:0]
		if f, _ := m.Add(start, it, &out); f != Waits {
			b.Fatal(f)
		}
		for _, o := range it.Missing {
			out = out[:0]
			m.Landed(start, o, &out)
		}
		if len(m.nodes) != 0 {
			b.Fatal("it was not released")
		}
	}
}

// One item that waits for one object, in a machine that is otherwise full.
func BenchmarkAddAndReleaseWhenFull(b *testing.B) {
	m := full(b, 1)
	it := Item{ID: id(-2), Sender: peerN(9), Size: 1024, Missing: []object.ID{id(-3)}}
	var out []core.Action
	b.ReportAllocs()
	for b.Loop() {
		out = out[:0]
		if f, _ := m.Add(start, it, &out); f != Waits {
			b.Fatal(f)
		}
		m.Landed(start, id(-3), &out)
		m.Landed(start, it.ID, &out)
	}
}

// full is a machine in which four peers use up what there is, with items that miss
// so many.
func full(tb testing.TB, links int) *Machine {
	m := New(DefaultConfig())
	var out []core.Action
	link := 1_000_000
	for i := 0; m.bytes < m.cfg.MaxBytes; i++ {
		it := Item{ID: id(i), Sender: peerN(i % 4), Size: 100}
		for range links {
			it.Missing = append(it.Missing, id(link))
			link++
		}
		out = out[:0]
		if f, err := m.Add(start, it, &out); f != Waits {
			tb.Fatal(f, err)
		}
	}
	return m
}

// BenchmarkMemoryWhenFull reports what is used beside the bytes of the items.
func BenchmarkMemoryWhenFull(b *testing.B) {
	for name, links := range map[string]int{"1 link": 1, "1024 links": 1024} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				m := full(b, links)
				runtime.GC()
				runtime.ReadMemStats(&after)
				s := m.Stats()
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(s.Waiting), "B/item")
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(s.Missing), "B/link")
				b.ReportMetric(float64(s.Waiting), "items")
				runtime.KeepAlive(m)
			}
		})
	}
}
