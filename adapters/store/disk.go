package store

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is Pebble's file system, and stands between it and failures that it does not
// survive: it panics when a write to its log or its manifest fails, and waits without
// end for room for its tables. The first write that fails breaks the disk. From then
// on nothing there changes; Pebble is told that all is well, and writes what it has
// to into memory. So it can be read and closed in order. Its callers learn the truth
// from failed, and write no more.
//
// What is on the disk then is what a crash would have left, so the next start finds
// all that was there when the last write succeeded.
type disk struct {
	vfs.FS
	dir     string
	log     *slog.Logger
	armed   atomic.Bool // opening is over: until then Pebble sees errors, and reports them
	broken  atomic.Pointer[error]
	spill   *vfs.MemFS // what is written after the failure; bounded, as no more comes in
	closing chan struct{}
	close   func()
}

func newDisk(dir string, files vfs.FS, log *slog.Logger) *disk {
	d := &disk{FS: files, dir: dir, log: log, spill: vfs.NewMem(), closing: make(chan struct{})}
	d.close = sync.OnceFunc(func() { close(d.closing) })
	return d
}

// failed is ErrFailed with the reason once a write has failed.
func (d *disk) failed() error {
	if err := d.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// survive says whether Pebble is to be spared the error of a write.
func (d *disk) survive(err error) bool {
	if !d.armed.Load() {
		return false
	}
	err = fmt.Errorf("%w: %w: what it has can be read; see to the disk, then restart", ErrFailed, err)
	if d.spill.MkdirAll(d.dir, 0o700) == nil && d.broken.CompareAndSwap(nil, &err) {
		d.log.Error("store: writing failed", "err", err)
	}
	return true
}

// room checks that so many bytes can be written, and Pebble has space to work.
func (d *disk) room(size int) error {
	usage, err := d.GetDiskUsage(d.dir)
	if err != nil {
		return nil // in memory; or the write tells what is wrong
	}
	if need := uint64(spareBytes + 2*size); usage.AvailBytes < need { // in the log and in a table
		return fmt.Errorf("%w: %s: %d KiB are free, %d KiB are needed: free some space", ErrFull, d.dir, usage.AvailBytes>>10, need>>10)
	}
	return nil
}

// compactPause is how often a compaction that waits for room looks again: chosen
// for somebody who waits for it after freeing some.
const compactPause = time.Second

// hold makes a compaction wait while the disk is full or broken: Pebble would try it
// again at once, without end.
func (d *disk) hold() {
	for d.failed() != nil || d.room(0) != nil {
		select {
		case <-time.After(compactPause):
		case <-d.closing:
			return
		}
	}
}

const (
	compaction = vfs.DiskWriteCategory("pebble-compaction") // Pebble's names
	flush      = vfs.DiskWriteCategory("pebble-memtable-flush")
)

// isTable says whether Pebble survives that a file cannot be written, and begins
// another.
func isTable(category vfs.DiskWriteCategory) bool { return category == compaction || category == flush }

func (d *disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if category == compaction {
		d.hold()
	}
	return d.create(name, category, func() (vfs.File, error) { return d.FS.Create(name, category) })
}

func (d *disk) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.create(name, category, func() (vfs.File, error) { return d.FS.ReuseForWrite(old, name, category) })
}

func (d *disk) create(name string, category vfs.DiskWriteCategory, do func() (vfs.File, error)) (vfs.File, error) {
	if d.failed() == nil {
		f, err := do()
		if err == nil {
			return &diskFile{f, d, isTable(category)}, nil
		}
		if !d.survive(err) {
			return nil, err
		}
	}
	return d.spill.Create(name, category)
}

func (d *disk) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if d.failed() != nil {
		if f, err := d.spill.Open(name, opts...); err == nil {
			return f, nil
		}
	}
	return d.FS.Open(name, opts...)
}

func (d *disk) Stat(name string) (vfs.FileInfo, error) {
	if d.failed() != nil {
		if i, err := d.spill.Stat(name); err == nil {
			return i, nil
		}
	}
	return d.FS.Stat(name)
}

func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &diskFile{f, d, false}, nil
}

// Remove leaves the files of a broken disk alone: what replaces them is in memory.
func (d *disk) Remove(name string) error {
	if d.failed() == nil {
		return d.FS.Remove(name)
	}
	_ = d.spill.Remove(name) // it need not be there
	return nil
}

func (d *disk) Rename(old, name string) error {
	return d.do(func() error { return d.FS.Rename(old, name) })
}

func (d *disk) Link(old, name string) error {
	return d.do(func() error { return d.FS.Link(old, name) })
}

func (d *disk) MkdirAll(name string, perm os.FileMode) error {
	return d.do(func() error { return d.FS.MkdirAll(name, perm) })
}

// do makes a change, unless the disk is broken.
func (d *disk) do(change func() error) error {
	if d.failed() != nil {
		return nil
	}
	if err := change(); err != nil && !d.survive(err) {
		return err
	}
	return nil
}

func (d *disk) Unwrap() vfs.FS { return d.FS }

// diskFile is a file that was opened before the disk broke.
type diskFile struct {
	vfs.File
	disk  *disk
	table bool
}

// do makes a change to the file. Of a table Pebble learns that it failed: it begins
// another one, while a half written one would be read later.
func (f *diskFile) do(change func() error) error {
	if err := f.disk.failed(); err != nil {
		return f.verdict(err)
	}
	if err := change(); err != nil {
		if !f.disk.survive(err) {
			return err
		}
		return f.verdict(err)
	}
	return nil
}

func (f *diskFile) verdict(err error) error {
	if f.table {
		return err
	}
	return nil
}

func (f *diskFile) Write(p []byte) (n int, err error) {
	return len(p), f.do(func() error {
		_, err := f.File.Write(p)
		return err
	})
}

func (f *diskFile) Sync() error { return f.do(f.File.Sync) }

func (f *diskFile) SyncData() error { return f.do(f.File.SyncData) }

func (f *diskFile) SyncTo(length int64) (full bool, err error) {
	err = f.do(func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

func (f *diskFile) Preallocate(offset, length int64) error {
	if f.disk.failed() != nil {
		return nil
	}
	return f.File.Preallocate(offset, length) // a failure is no harm; the write tells
}

func (f *diskFile) Close() error {
	err := f.File.Close()
	if err == nil || !f.disk.survive(err) {
		return err
	}
	return f.verdict(err)
}
