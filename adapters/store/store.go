package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/gofrs/flock"

	"github.com/weftnet/weft/protocols/core"
)

// What can be wrong with a store. Every error says where and what to do.
var (
	ErrLocked   = errors.New("another weft process uses the store")
	ErrReadOnly = errors.New("the store cannot be written")
	ErrFormat   = errors.New("the store was written by a later version of weft")
	ErrDamaged  = errors.New("the store is damaged")
	ErrClosed   = errors.New("the store is closed")
)

const (
	cacheBytes  = 8 << 20
	bufferBytes = 4 << 20
	format      = 1
	lockFile    = "LOCK.weft"
)

// Store is an open store. Its methods may be called from any goroutine.
type Store struct {
	db   *pebble.DB
	lock *flock.Flock // nil in memory

	mu       sync.Mutex // also keeps Close away from calls under way: a closed Pebble panics
	closed   bool
	lastSeen map[core.PeerID]time.Time // of every saved peer
}

// Open opens the store in dir, which is made if need be. One process uses a
// store at a time.
func Open(dir string, log *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
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
		return nil, errors.Join(explain(dir, err), lock.Unlock())
	}
	s.lock = lock
	return s, nil
}

// OpenMemory opens a store that is forgotten when it is closed.
func OpenMemory(log *slog.Logger) (*Store, error) { return open("", vfs.NewMem(), log) }

func open(dir string, files vfs.FS, log *slog.Logger) (*Store, error) {
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{
		FS: files, Cache: cache, MemTableSize: bufferBytes, Logger: logger{log},
		FormatMajorVersion: pebble.FormatNewest,
	})
	if err != nil {
		return nil, err
	}
	s := &Store{db: db}
	if err := s.checkFormat(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := s.index(); err != nil {
		return nil, errors.Join(err, db.Close())
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

// explain adds to a failure what to do about it.
func explain(dir string, err error) error {
	switch {
	case errors.Is(err, ErrFormat):
		return fmt.Errorf("%s: %w", dir, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w: this process runs as uid %d; give it the directory: chown -R %d %s",
			ErrReadOnly, err, os.Getuid(), os.Getuid(), dir)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w: free some space", ErrReadOnly, err)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %w: %s must be a directory", ErrReadOnly, err, dir)
	case pebble.IsCorruptionError(err), errors.Is(err, ErrDamaged):
		return fmt.Errorf("%w: %s: %w: move it away; only addresses of known peers are lost, not the identity", ErrDamaged, dir, err)
	}
	return fmt.Errorf("opening the store %s: %w", dir, err)
}

// scan calls each for every record whose key begins with prefix; the slices are
// valid during the call only.
func (s *Store) scan(prefix byte, each func(key, value []byte) error) (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.First(); it.Valid(); it.Next() {
		if err := each(bytes.TrimPrefix(it.Key(), []byte{prefix}), it.Value()); err != nil {
			return err
		}
	}
	return it.Error()
}

// use runs f, one call at a time, unless the store is closed.
func (s *Store) use(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return f()
}

// logger hands Pebble's log to slog: what it did at debug level, what is wrong
// at error level.
type logger struct{ log *slog.Logger }

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf is called when going on would lose data.
func (l logger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	panic("pebble: " + fmt.Sprintf(format, args...))
}
