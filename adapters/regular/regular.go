// Package regular reads files that an operator names: regular ones alone, and no
// more of them than can be meant. A pipe or a terminal would hold up the program
// until somebody writes, and a device such as /dev/zero never ends.
package regular

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// What can be wrong with a file, beside what package os reports.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrTooLarge   = errors.New("file too large")
)

// Open opens a regular file, or one that symlinks lead to, for reading. It never
// waits for anything but the disk.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // so that opening a pipe does not wait for its writer
	if errors.Is(err, syscall.ENXIO) {                             // a socket
		return nil, fmt.Errorf("%s is %w", path, ErrNotRegular)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is %w", path, ErrNotRegular)
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

// ReadFile reads a regular file of at most limit bytes.
func ReadFile(path string, limit int) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrTooLarge, path, limit)
	}
	return data, nil
}
