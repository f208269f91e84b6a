package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/object"
)

func BenchmarkSaveObjects(b *testing.B) {
	for _, n := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("%dx1KiB", n), func(b *testing.B) { benchmarkSaveObjects(b, open1(b, b.TempDir()), n) })
	}
	b.Run("memory/1024x1KiB", func(b *testing.B) { benchmarkSaveObjects(b, inMemory(b), 1024) })
}

func benchmarkSaveObjects(b *testing.B, s *Store, n int) {
	batch := someObjects("a", 1, uint64(n), 1<<10)
	seq := uint64(0)
	b.SetBytes(int64(n) << 10)
	b.ReportAllocs()
	for b.Loop() {
		for i := range batch {
			seq++
			batch[i].Seq = seq
			batch[i].ID = object.IDOf([]byte(fmt.Sprint(seq))) // new keys, as in life
		}
		if err := s.SaveObjects(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seq), "ns/object")
}

const stored = 100_000

// full is a store on disk with many objects of 1 KiB.
func full(b testing.TB) (s *Store, ids []object.ID) {
	b.Helper()
	s = open1(b, b.TempDir())
	for seq := uint64(1); seq <= stored; seq += 1000 {
		batch := someObjects("a", seq, seq+999, 1<<10)
		for _, r := range batch {
			ids = append(ids, r.ID)
		}
		saveObjects(b, s, batch...)
	}
	return s, ids
}

func BenchmarkObject(b *testing.B) {
	s, ids := full(b)
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := s.Object(ids[i*7919%len(ids)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := s.Object(object.ID{byte(i), byte(i >> 8), byte(i >> 16)}); !errors.Is(err, ErrNotFound) {
				b.Fatal(err)
			}
		}
	})
	b.Run("log of 100", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if got, err := s.ObjectLog("a", uint64(i*7919%(stored-100)), 100, 1<<20); err != nil || len(got) != 100 {
				b.Fatal(len(got), err)
			}
		}
	})
	b.Run("index", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			err := s.ObjectIndex(func(string, uint64, object.ID, int, time.Time, State) { n++ })
			if err != nil || n != stored {
				b.Fatal(n, err)
			}
		}
	})
}

// BenchmarkStored shows what many objects cost in memory and on disk.
func BenchmarkStored(b *testing.B) {
	for b.Loop() {
		before := heap()
		s, ids := full(b)
		b.ReportMetric(mib(heap()-before), "MiB-heap-stored")
		for _, id := range ids {
			if _, err := s.Object(id); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(mib(heap()-before), "MiB-heap-served")
		runtime.KeepAlive(ids)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// onDisk is the size of a directory.
func onDisk(t testing.TB, dir string) (size int64) {
	t.Helper()
	err := filepath.Walk(dir, func(_ string, i os.FileInfo, err error) error {
		if err == nil && !i.IsDir() {
			size += i.Size()
		}
		if errors.Is(err, os.ErrNotExist) { // deleted meanwhile
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}
