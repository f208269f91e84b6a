package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADataDirectoryThatEveryoneMayWriteToIsRefused(t *testing.T) {
	for mode, refused := range map[fs.FileMode]bool{0o700: false, 0o755: false, 0o775: false, 0o777: true, 0o702: true, 0o777 | fs.ModeSticky: true} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		err := CheckDataDir(dir)
		if errors.Is(err, ErrDataDir) != refused || refused && !strings.Contains(err.Error(), "chmod o-w "+dir) {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if err := CheckDataDir(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("a directory that does not exist: %v", err)
	}
}

func TestANodeMakesNoIdentityWhereEveryoneMayWrite(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.DataDir, cfg.Listen = dir, []string{"/ip4/127.0.0.1/tcp/0"}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); !errors.Is(err, ErrDataDir) {
		t.Errorf("start: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	cfg.DataDir = filepath.Join(dir, "below")
	if n, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.Start(t.Context()), n.Close()); err != nil {
		t.Errorf("below it: %v", err)
	}
}
