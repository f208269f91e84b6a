package main

import (
	"errors"
	"os"
	"runtime/pprof"
)

// profile names the file of one kind of profile; empty when none is wanted.
func (s setup) profile(kind string) string {
	if s.Profile == "" {
		return ""
	}
	return s.Profile + "." + kind
}

// profileCPU profiles until stop is called; it does nothing without a name.
func profileCPU(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, nil
}

// profileHeap writes what is in use; the caller has just collected.
func profileHeap(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close())
}
