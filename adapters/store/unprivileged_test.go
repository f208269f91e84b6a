package store

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	openReadOnly = "WEFT_STORE_TEST_OPEN_READ_ONLY"
	nobody       = 65534
)

// runAsNobody opens a store below root's directory as a user who may not.
func runAsNobody(t *testing.T, dir string) {
	shared := filepath.Join(os.TempDir(), filepath.Base(dir)+"-"+t.Name())
	if err := os.MkdirAll(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(shared)
	self := filepath.Join(shared, "test")
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(self, data, 0o755); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Dir = "/"
	child.Env = []string{openReadOnly + "=" + shared}
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{ErrReadOnly.Error(), "chown -R 65534 " + shared} {
		if !strings.Contains(string(out), want) {
			t.Errorf("open as nobody = %s, want it to say %q", out, want)
		}
	}
}
