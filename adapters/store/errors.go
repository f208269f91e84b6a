package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// What can be wrong with a store. Every error says where and what to do.
var (
	ErrLocked   = errors.New("another weft process uses the store")
	ErrReadOnly = errors.New("the store cannot be written")
	ErrFormat   = errors.New("the store was written by a later version of weft")
	ErrDamaged  = errors.New("the store is damaged")
	ErrFailed   = errors.New("the store failed and saves no more")
	ErrFull     = errors.New("the disk is full")
	ErrRecord   = errors.New("the record cannot be kept")
	ErrClosed   = errors.New("the store is closed")
	ErrNotFound = errors.New("no such object")
	ErrPruned   = errors.New("the object is held without its bytes")
	ErrAnchored = fmt.Errorf("%w, as an anchor", ErrPruned)
)

// explain adds to a failure what to do about it.
func explain(dir string, err error) error {
	switch {
	case errors.Is(err, ErrFormat):
		return fmt.Errorf("%s: %w", dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w: this process runs as uid %d; give it the directory: mkdir -p %s && chown -R %d %[4]s",
			ErrReadOnly, err, os.Getuid(), dir, os.Getuid())
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w: mount it for writing for uid %d, name another --data-dir, or run with --ephemeral", ErrReadOnly, err, os.Getuid())
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %s: %w: free some space", ErrReadOnly, dir, err)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %w: %s must be a directory", ErrReadOnly, err, dir)
	case strings.Contains(err.Error(), "unknown format major version"): // Pebble's own
		return fmt.Errorf("%w: %s: %w: run the later version, or name another --data-dir", ErrFormat, dir, err)
	case errors.Is(err, ErrDamaged):
		first, _, _ := strings.Cut(err.Error(), "\n") // Pebble adds lines for itself
		return fmt.Errorf("%w: %s: move it away; only what is known of other peers is lost, not the identity", ErrDamaged,
			strings.TrimPrefix(first, ErrDamaged.Error()+": "))
	}
	return fmt.Errorf("opening the store %s: %w: see to the disk, or name another --data-dir", dir, err)
}

// markDamage marks an error of Pebble that its files are to blame for: what is
// wrong with them, or missing, it reports in many ways, but what the system
// refuses always with the system's number.
func markDamage(dir string, err error) error {
	var refused syscall.Errno
	byFiles := pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) || !errors.As(err, &refused)
	if !byFiles || errors.Is(err, ErrFormat) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrDamaged, dir, err)
}
