package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// failing is a disk on which the writes that match fail while it is on.
func failing(files vfs.FS, matches func(errorfs.Op) bool) (vfs.FS, *errorfs.Toggle) {
	toggle := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && matches(op) {
			return syscall.ENOSPC
		}
		return nil
	})}
	return errorfs.Wrap(files, toggle), toggle
}

// saveUntilRefused writes objects of 64 KiB, at most most of them, and says how many
// were saved before the first error.
func saveUntilRefused(s *Store, most int) (saved int, err error) {
	for n := range most {
		if err := s.SaveObjects([]ObjectRecord{anObject("a", uint64(n+1), 64<<10)}); err != nil {
			return n, err
		}
	}
	return most, nil
}

func checkSaved(t *testing.T, s *Store, saved int) {
	t.Helper()
	for n := range saved {
		want := anObject("a", uint64(n+1), 64<<10)
		if got, err := s.Object(want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("object %d of %d: %v", n+1, saved, err)
		}
	}
	if got, err := s.ObjectLog("a", 0, saved+9, 1<<30); err != nil || len(got) < saved {
		t.Errorf("the log has %d objects of %d, %v", len(got), saved, err)
	}
}

// within fails the test if f takes longer than anything here can.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("%s does not end", what)
	}
}

// A write that the disk refuses, to whatever file, is an error of that call and of
// later ones. The process goes on, what was there can be read, the store can be
// closed, and opened again with all that was acknowledged.
func TestAFailingDiskEndsWritingOnly(t *testing.T) {
	suffix := func(suffix string) func(errorfs.Op) bool {
		return func(op errorfs.Op) bool { return strings.HasSuffix(op.Path, suffix) }
	}
	for name, matches := range map[string]func(errorfs.Op) bool{
		"all":      func(errorfs.Op) bool { return true },
		"log":      suffix(".log"),
		"tables":   suffix(".sst"),
		"manifest": func(op errorfs.Op) bool { return strings.Contains(op.Path, "MANIFEST") },
		"sync": func(op errorfs.Op) bool {
			return op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
		},
		"create": func(op errorfs.Op) bool { return op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite },
	} {
		t.Run(name, func(t *testing.T) { breakDisk(t, matches) })
	}
}

func breakDisk(t *testing.T, matches func(errorfs.Op) bool) {
	memory := vfs.NewMem()
	files, toggle := failing(memory, matches)
	s, err := open("db", files, pebble.Sync, quiet)
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, aPeer(t, 1))
	toggle.On()
	var saved int
	within(t, "writing", func() { saved, err = saveUntilRefused(s, 1000) })
	for range 2 {
		if !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "see to the disk") {
			t.Fatalf("after %d objects: %v", saved, err)
		}
		err = s.Save(aPeer(t, 2))
	}
	checkSaved(t, s, saved)
	if n := s.LastSeq("a"); n != uint64(saved) {
		t.Errorf("%d objects were saved, the log ends at %d", saved, n)
	}
	if peers, err := s.SavedPeers(9); err != nil || len(peers) == 0 {
		t.Errorf("SavedPeers = %v, %v", peers, err)
	}
	within(t, "closing", func() { err = s.Close() })
	if err != nil {
		t.Error("close:", err)
	}
	reopenAfterFailure(t, memory, saved)
}

// reopenAfterFailure opens what a process that died would leave, and writes on.
func reopenAfterFailure(t *testing.T, files vfs.FS, saved int) {
	t.Helper()
	s, err := open("db", files, pebble.Sync, quiet)
	if err != nil {
		t.Fatal("reopen:", err)
	}
	defer s.Close()
	checkSaved(t, s, saved)
	saveObjects(t, s, anObject("a", s.LastSeq("a")+1, 10))
}

// The disk fails from any of its writes on.
func TestADiskMayFailAtAnyMoment(t *testing.T) {
	for from := int64(1); from < 2000; from += from/3 + 1 {
		var writes atomic.Int64
		memory := vfs.NewMem()
		files, toggle := failing(memory, func(errorfs.Op) bool { return writes.Add(1) >= from })
		s, err := open("db", files, pebble.Sync, quiet)
		if err != nil {
			t.Fatal(err)
		}
		toggle.On()
		var saved int
		within(t, "writing", func() { saved, err = saveUntilRefused(s, 300) })
		if err != nil && !errors.Is(err, ErrFailed) {
			t.Errorf("from write %d: %v", from, err)
		}
		checkSaved(t, s, saved)
		within(t, "closing", func() { err = s.Close() })
		if err != nil {
			t.Errorf("from write %d: close: %v", from, err)
		}
		reopenAfterFailure(t, memory, saved)
	}
}

// smallDisk mounts a disk of its own.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("mounting a small disk takes root: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A disk that fills up is no failure: writing goes on when there is room again.
func TestAFullDiskRefusesWritesUntilThereIsRoom(t *testing.T) {
	dir := smallDisk(t, "64m")
	s := open1(t, filepath.Join(dir, "store"))
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 20<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	saved, err := saveUntilRefused(s, 1000)
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "free some space") || saved < 50 {
		t.Fatalf("after %d objects: %v", saved, err)
	}
	grow(t, filler, 1<<20) // a peer takes less than what was refused
	if err := s.Save(aPeer(t, 1)); !errors.Is(err, ErrFull) {
		t.Errorf("Save = %v", err)
	}
	checkSaved(t, s, saved)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	saveObjects(t, s, anObject("a", uint64(saved)+1, 64<<10))
	save(t, s, aPeer(t, 1))
	checkSaved(t, s, saved+1)
}

// grow makes a file larger by so many bytes.
func grow(t *testing.T, path string, by int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, by)); err != nil {
		t.Fatal(err)
	}
}

// Something else takes the last byte while the store writes.
func TestADiskThatFillsUnderwayDoesNotEndTheProcess(t *testing.T) {
	dir := smallDisk(t, "80m")
	path := filepath.Join(dir, "store")
	s, err := Open(path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	filled := make(chan error, 1)
	go func() {
		_, err := io.Copy(filler, endless{})
		filled <- err
	}()
	var saved int
	within(t, "writing", func() { saved, err = saveUntilRefused(s, 2000) })
	if !errors.Is(err, ErrFull) && !errors.Is(err, ErrFailed) {
		t.Errorf("after %d objects: %v", saved, err)
	}
	if err := <-filled; !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	checkSaved(t, s, saved)
	within(t, "closing", func() { err = s.Close() })
	if err := errors.Join(err, filler.Truncate(0), filler.Close()); err != nil {
		t.Fatal(err)
	}
	checkSaved(t, open1(t, path), saved)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return min(len(p), 64<<10), nil }

// Pebble begins a compaction that failed again at once: it has to wait meanwhile.
func TestACompactionWaitsForRoom(t *testing.T) {
	files := vfs.NewMem()
	d := newDisk("", files, quiet)
	d.armed.Store(true)
	created := make(chan error, 1)
	compact := func() {
		f, err := d.Create("table", compaction)
		if err == nil {
			err = f.Close()
		}
		created <- err
	}
	waits := func() {
		t.Helper()
		select {
		case err := <-created:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	files.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: spareBytes - 1})
	go compact()
	waits()
	files.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: spareBytes})
	within(t, "a compaction with room", func() {
		if err := <-created; err != nil {
			t.Error(err)
		}
	})
	d.survive(syscall.EIO)
	go compact()
	waits()
	d.close()
	within(t, "a compaction of a store that is closed", func() {
		if err := <-created; err != nil {
			t.Error(err)
		}
	})
}
