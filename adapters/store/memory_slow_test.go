//go:build slow

package store

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// resident is what the process takes of the machine's memory, in MiB, after all that
// is free was given back: Pebble's caches are not in the heap.
func resident(t *testing.T) int {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("this system does not tell: ", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}

// However many objects there are, the store takes its caches: 100,000 of 1 KiB are 110
// MiB on disk.
func TestAHundredThousandObjectsTakeTheStoreBoundedMemory(t *testing.T) {
	const objects, batch, limitMiB = 100_000, 256, 48
	before := resident(t)
	s := open1(t, t.TempDir())
	most := 0
	measure := func(what string) {
		t.Helper()
		now := resident(t) - before
		most = max(most, now)
		t.Logf("%s: %d MiB", what, now)
	}
	measure("open")
	begun := time.Now()
	for seq := uint64(1); seq < objects; seq += batch {
		saveObjects(t, s, someObjects("a", seq, min(seq+batch-1, objects), 1<<10)...)
	}
	measure("saved in " + time.Since(begun).Round(time.Millisecond).String())
	begun = time.Now()
	after := uint64(0)
	for after < objects {
		page, err := s.ObjectLog("a", after, batch, 1<<20)
		if err != nil || len(page) == 0 {
			t.Fatalf("after %d: %d objects, %v", after, len(page), err)
		}
		after = page[len(page)-1].Seq
	}
	measure("read in order in " + time.Since(begun).Round(time.Millisecond).String())
	begun = time.Now()
	for seq := uint64(1); seq <= objects; seq += 10 {
		if _, err := s.Object(anObject("a", seq, 1<<10).ID); err != nil {
			t.Fatal(seq, err)
		}
	}
	measure("every tenth read by name in " + time.Since(begun).Round(time.Millisecond).String())
	if most > limitMiB {
		t.Errorf("%d MiB: the limit is %d", most, limitMiB)
	}
}
