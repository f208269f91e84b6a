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
	ErrFailed   = errors.New("the store failed and takes no more calls")
	ErrClosed   = errors.New("the store is closed")
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
	case isDamage(err):
		first, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Errorf("%w: %s: %s: move it away; only addresses of known peers are lost, not the identity", ErrDamaged, dir, first)
	}
	return fmt.Errorf("opening the store %s: %w: see to the disk, then restart", dir, err)
}

// isDamage says that the files are to blame: what is wrong with them, or missing,
// Pebble reports in many ways, what the system refuses always by number.
func isDamage(err error) bool {
	var refused syscall.Errno
	return pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) || !errors.As(err, &refused)
}
