package store

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weftnet/weft/protocols/core"
)

// damages are what can happen to a file while no process uses it.
var damages = map[string]func(file string, data []byte) error{
	"overwritten": func(file string, data []byte) error {
		for i := range data {
			data[i] = byte(i*7 + 3)
		}
		return os.WriteFile(file, data, 0o600)
	},
	"cut in half": func(file string, data []byte) error { return os.WriteFile(file, data[:len(data)/2], 0o600) },
	"emptied":     func(file string, _ []byte) error { return os.WriteFile(file, nil, 0o600) },
	"missing":     func(file string, _ []byte) error { return os.Remove(file) },
	"first byte":  func(file string, data []byte) error { return flip(file, data, 0) },
	"middle byte": func(file string, data []byte) error { return flip(file, data, len(data)/2) },
	"last byte":   func(file string, data []byte) error { return flip(file, data, len(data)-1) },
}

func flip(file string, data []byte, i int) error {
	if len(data) > 0 {
		data[i] ^= 0xff
	}
	return os.WriteFile(file, data, 0o600)
}

// Whatever happens to whichever file: the store opens with records that can be
// read, or says that it is damaged and what to do. It never ends the process.
func TestADamagedStoreOpensOrSaysSo(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	fill(t, whole)
	files, err := os.ReadDir(whole)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, f := range files {
		for name, damage := range damages {
			dir := filepath.Join(t.TempDir(), "store")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(dir, f.Name()), data); err != nil {
				t.Fatal(err)
			}
			if err := useDamaged(t, dir); err != nil {
				refused++
				if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "move it away") || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s %s: %v", f.Name(), name, err)
				}
			}
		}
	}
	if refused < 10 {
		t.Errorf("only %d damages were noticed", refused)
	}
}

// fill leaves a store with records in a table and in the log.
func fill(t *testing.T, dir string) {
	t.Helper()
	s := open1(t, dir)
	for i := range 200 {
		save(t, s, aPeer(t, int64(i), "/ip4/192.0.2.1/tcp/1"), aClaim(t, int64(i), 300), aBan(t, int64(i)), core.OwnTimestamp{Highest: at(int64(i))})
		saveObjects(t, s, anObject("a", uint64(i+1), 1000))
		if i == 100 {
			if err := s.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func useDamaged(t *testing.T, dir string) error {
	t.Helper()
	s, err := Open(dir, quiet)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err1 := s.SavedPeers(MaxSavedPeers)
	_, err2 := s.SavedClaims(at(0), MaxSavedClaims)
	_, err3 := s.SavedBans(at(0))
	_, err4 := s.OwnTimestamp()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Errorf("reading what opened: %v", err)
	}
	for i := range 200 {
		want := anObject("a", uint64(i+1), 1000)
		got, err := s.Object(want.ID)
		if err == nil && !reflect.DeepEqual(got, want) || err != nil && !errors.Is(err, ErrNotFound) && !(errors.Is(err, ErrDamaged) && strings.Contains(err.Error(), want.ID.String())) {
			t.Errorf("object %d of what opened: %v", i+1, err)
		}
	}
	err1, err2 = s.Save(aPeer(t, 1)), s.SaveObjects([]ObjectRecord{anObject("a", 1000, 100)})
	if err := errors.Join(err1, err2); err != nil {
		t.Errorf("writing to what opened: %v", err)
	}
	return nil
}

func TestTooLittleSpaceIsExplainedBeforePebbleWaitsForIt(t *testing.T) {
	err := explain("/data", errors.Join(syscall.ENOSPC))
	if !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), "free some space") || !strings.Contains(err.Error(), "/data") {
		t.Error(err)
	}
}

func TestOneDirectoryUnderTwoNamesIsOneStore(t *testing.T) {
	dir := t.TempDir()
	open1(t, dir)
	other := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, other); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(other, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("open by another name = %v", err)
	}
}

func TestAFailedOpenGivesTheLockBack(t *testing.T) {
	dir := t.TempDir()
	s := open1(t, dir)
	if err := errors.Join(s.db.Set(formatKey, []byte{1, 2}, pebble.Sync), s.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(dir, quiet); !errors.Is(err, ErrDamaged) {
			t.Errorf("open = %v, want ErrDamaged", err)
		}
	}
}
