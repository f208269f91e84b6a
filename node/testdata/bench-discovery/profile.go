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

// profileMemory writes what is in use: the heap, and the goroutines, whose stacks
// are the rest of it. The caller has just collected.
func (s setup) profileMemory() error {
	if s.Profile == "" {
		return nil
	}
	for _, kind := range []string{"heap", "goroutine"} {
		f, err := os.Create(s.profile(kind))
		if err != nil {
			return err
		}
		if err := errors.Join(pprof.Lookup(kind).WriteTo(f, 0), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
