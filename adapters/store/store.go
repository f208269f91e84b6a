package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/gofrs/flock"

	"github.com/weftnet/weft/protocols/core"
)

const (
	cacheBytes  = 8 << 20 // see "Memory" in doc.go
	bufferBytes = 4 << 20
	spareBytes  = 4 * bufferBytes // of disk: two buffers, their log, and one compaction
	batchBytes  = 4 << 10         // of a batch beside its objects, before it has to grow
	format      = 1
	// filterBits is for each key of a table's Bloom filter: 1 % of the looks for an
	// object that is not there read a block (Pebble's documentation).
	filterBits = 10
	// pruneDelay is until pruning reaches the tables in which the space is: chosen
	// to gather what a node prunes in one go.
	pruneDelay = 10 * time.Second
	// Pebble's own lock tells neither two nodes of one process nor two names of
	// one directory apart; this one does.
	lockFile = "LOCK.weft"
)

// Store is an open store. Its methods may be called from any goroutine.
type Store struct {
	db   *pebble.DB
	disk *disk
	lock *flock.Flock         // nil in memory
	sync *pebble.WriteOptions // of a write that has to be on disk

	open   sync.RWMutex // held for reading by each call, so that Close waits: a closed Pebble panics
	closed bool
	panics atomic.Pointer[error] // of the call that Pebble did not survive

	saving sync.Mutex // one Save at a time, for these; reading needs none of them
	peers  table[core.SavedPeer]
	claims table[core.SavedClaim]
	bans   table[core.SavedBan]

	logging sync.Mutex // one change to the logs of objects at a time
	garbage garbage
	endsMu  sync.RWMutex // held for moments only, never over a write
	logs    map[string]ends

	malformed int // records that could not be read on opening
}

// Open opens the store in dir, which is made if need be. One process uses a
// store at a time, and opens it once. A nil logger discards.
func Open(dir string, log *slog.Logger) (*Store, error) {
	if err := prepare(dir); err != nil {
		return nil, explain(dir, err)
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	got, err := lock.TryLock()
	if err != nil {
		return nil, explain(dir, err)
	}
	if !got {
		return nil, fmt.Errorf("%w %s: stop it, or name another --data-dir", ErrLocked, dir)
	}
	s, err := open(dir, vfs.Default, pebble.Sync, log)
	if err != nil {
		return nil, errors.Join(explain(dir, markDamage(dir, err)), lock.Unlock())
	}
	s.lock = lock
	return s, nil
}

// prepare makes the directory and sees that there is room: on a full disk Pebble
// would wait for space without end.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	disk, err := vfs.Default.GetDiskUsage(dir)
	if err != nil {
		return err
	}
	if disk.AvailBytes < spareBytes {
		return fmt.Errorf("%w: %d KiB are free, %d KiB are needed", syscall.ENOSPC, disk.AvailBytes>>10, spareBytes>>10)
	}
	return nil
}

// OpenMemory opens a store that is forgotten when it is closed.
func OpenMemory(log *slog.Logger) (*Store, error) { return open("", vfs.NewMem(), pebble.NoSync, log) }

func open(dir string, files vfs.FS, sync *pebble.WriteOptions, log *slog.Logger) (s *Store, err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s = &Store{
		disk: newDisk(dir, files, log), sync: sync,
		peers: newTable(peerKind), claims: newTable(claimKind), bans: newTable(banKind),
	}
	defer contain(&s.panics, &err)
	cache := pebble.NewCache(cacheBytes + 2*bufferBytes)
	defer cache.Unref()
	if s.db, err = pebble.Open(dir, s.options(cache, log)); err != nil {
		return nil, err
	}
	if err := s.checkFormat(); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	if err := s.index(); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	if s.malformed > 0 {
		log.Warn("store: some records cannot be read and are left out", "records", s.malformed)
	}
	s.disk.armed.Store(true)
	return s, nil
}

func (s *Store) options(cache *pebble.Cache, log *slog.Logger) *pebble.Options {
	o := &pebble.Options{
		FS: s.disk, Cache: cache, MemTableSize: bufferBytes, Logger: logger{log}, EventListener: watch(log),
		FormatMajorVersion: pebble.FormatNewest, FlushDelayDeleteRange: pruneDelay, DisableWAL: !s.sync.Sync,
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	return o
}

// Close flushes and releases the store. It may be called more than once.
func (s *Store) Close() error {
	s.disk.close()
	s.open.Lock()
	defer s.open.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.db.Close()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Unlock())
	}
	return err
}

var formatKey = []byte("mformat")

func (s *Store) checkFormat() error {
	got, closer, err := s.db.Get(formatKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return s.db.Set(formatKey, []byte{format}, s.sync)
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	switch {
	case len(got) != 1:
		return fmt.Errorf("%w: its format has %d bytes", ErrDamaged, len(got))
	case got[0] > format:
		return fmt.Errorf("%w: format %d, this one knows up to %d: run the later version, or name another --data-dir", ErrFormat, got[0], format)
	}
	return nil
}

// use runs f, unless the store is closed.
func (s *Store) use(f func() error) (err error) {
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return ErrClosed
	}
	if err := s.panics.Load(); err != nil {
		return *err
	}
	defer contain(&s.panics, &err)
	return f()
}

// usable is the error of a call that has nothing to do.
func (s *Store) usable() error { return s.use(func() error { return nil }) }

// commit carries out what fill puts into a batch of about size bytes, all of it or
// nothing.
func (s *Store) commit(size int, sync *pebble.WriteOptions, fill func(*pebble.Batch) error) error {
	return s.use(func() error {
		if err := errors.Join(s.disk.failed(), s.disk.room(size)); err != nil {
			return err
		}
		b := s.db.NewBatchWithSize(size + batchBytes)
		defer b.Close()
		if err := fill(b); err != nil {
			return err
		}
		if err := b.Commit(sync); err != nil {
			return fmt.Errorf("saving %d records: %w", b.Count(), err)
		}
		return s.disk.failed()
	})
}
