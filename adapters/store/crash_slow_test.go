//go:build slow

package store

import (
	"testing"
	"time"
)

func init() { crashes = 100 }

// The space of a hundred thousand objects comes back, on disk and in memory.
func TestAHundredThousandPrunedObjectsGiveTheirSpaceBack(t *testing.T) {
	const size, keep = 1 << 10, crashKeep
	for name, open := range map[string]func(dir string) *Store{
		"disk":   func(dir string) *Store { return open1(t, dir) },
		"memory": func(string) *Store { return inMemory(t) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			before := heap()
			s := open(dir)
			used := func() int64 { return onDisk(t, dir) + heap() - before }
			for seq := uint64(1); seq <= stored; seq += 1000 {
				saveObjects(t, s, someObjects("a", seq, seq+999, size)...)
			}
			full := used()
			if full < stored*size || full > stored*size*2 {
				t.Errorf("%d objects take %d KiB", stored, full>>10)
			}
			awaitUsed(t, s, used, stored*size/3, func() error { return s.PruneObjects("a", stored-keep) })
			awaitUsed(t, s, used, stored*size/5, func() error { return s.TrimTombstones("a", keep) })
			checkLog(t, s, "a", stored)
		})
	}
}

func awaitUsed(t *testing.T, s *Store, used func() int64, limit int64, f func() error) {
	t.Helper()
	if err := f(); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	for used() > limit {
		if time.Since(since) > pruneDelay+time.Minute {
			t.Fatalf("%d KiB are still used, not %d", used()>>10, limit>>10)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("%d KiB after %v", used()>>10, time.Since(since).Round(time.Second))
}
