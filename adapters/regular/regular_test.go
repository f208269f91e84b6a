package regular

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestARegularFileIsReadUpToTheLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	link := path + "-link"
	if err := errors.Join(os.WriteFile(path, []byte("12345"), 0o600), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link} {
		if got, err := ReadFile(p, 5); string(got) != "12345" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if _, err := ReadFile(path, 4); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), path) {
		t.Errorf("above the limit: %v", err)
	}
	if _, err := ReadFile(path+"-none", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestOtherFilesAreRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	pipe, socket := filepath.Join(dir, "pipe"), filepath.Join(dir, "socket")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, path := range []string{pipe, socket, dir, "/dev/zero", os.DevNull} {
		read := make(chan error, 1)
		go func() { _, err := ReadFile(path, 100); read <- err }()
		select {
		case err := <-read:
			if !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", path, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: reading does not end", path)
		}
	}
}
