package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/gofrs/flock"

	"github.com/weftnet/weft/protocols/core"
)

const (
	cacheBytes  = 8 << 20 // see "Memory" in doc.go
	bufferBytes = 4 << 20
	spareBytes  = 4 * bufferBytes // of disk: two buffers, their log, and one compaction
	format      = 1
	// Pebble's own lock tells neither two nodes of one process nor two names of
	// one directory apart; this one does.
	lockFile = "LOCK.weft"
)

// Store is an open store. Its methods may be called from any goroutine.
type Store struct {
	db   *pebble.DB
	lock *flock.Flock // nil in memory

	mu     sync.Mutex // also keeps Close away from calls under way: a closed Pebble panics
	closed bool
	failed error // of the call that Pebble could not survive

	peers     table[core.SavedPeer]
	claims    table[core.SavedClaim]
	bans      table[core.SavedBan]
	malformed int // records that could not be read
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
	s, err := open(dir, vfs.Default, log)
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
func OpenMemory(log *slog.Logger) (*Store, error) { return open("", vfs.NewMem(), log) }

func open(dir string, files vfs.FS, log *slog.Logger) (s *Store, err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var failed error
	defer contain(&failed, &err)
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{
		FS: files, Cache: cache, MemTableSize: bufferBytes, Logger: logger{log}, EventListener: watch(log),
		FormatMajorVersion: pebble.FormatNewest,
	})
	if err != nil {
		return nil, err
	}
	s = &Store{db: db, peers: newTable(peerKind), claims: newTable(claimKind), bans: newTable(banKind)}
	if err := s.checkFormat(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := s.index(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if s.malformed > 0 {
		log.Warn("store: some records cannot be read and are left out", "records", s.malformed)
	}
	return s, nil
}

// Close flushes and releases the store. It may be called more than once.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
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
		return s.db.Set(formatKey, []byte{format}, pebble.Sync)
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

// use runs f, one call at a time, unless the store is closed.
func (s *Store) use(f func() error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.failed != nil:
		return s.failed
	}
	defer contain(&s.failed, &err)
	return f()
}
