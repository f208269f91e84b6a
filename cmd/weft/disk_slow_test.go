//go:build slow

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// While its disk is full `weft health` says so, puts fail, and the daemon lives; with
// room again it goes on.
func TestADaemonWhoseDiskIsFullSaysSo(t *testing.T) {
	k := newKept(t, "--listen", "/ip4/127.0.0.1/tcp/0", "--object-topic", "votes")
	if err := syscall.Mount("tmpfs", k.dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skip("mounting a small disk takes root: ", err)
	}
	t.Cleanup(func() {
		k.kill()
		if err := syscall.Unmount(k.dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	k.start()
	put := func(payload string) (string, int) { return k.weft("object", "put", "votes", payload) }
	if out, code := put("before"); code != 0 {
		t.Fatalf("put: %d %s", code, out)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(k.dir, &s); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(k.dir, "filler")
	if err := os.WriteFile(filler, make([]byte, int64(s.Bavail)*s.Bsize-8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := put("refused"); code == 0 || !strings.Contains(out, "the disk is full") {
		t.Errorf("put on a full disk: %d %s", code, out)
	}
	if out, code := k.weft("health"); code != exitUnhealthy || !strings.Contains(out, "objects cannot be kept") || !strings.Contains(out, "free some space") {
		t.Errorf("health on a full disk: %d %s", code, out)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	await(t, "a healthy node", func() bool { _, code := k.weft("health"); return code == 0 })
	if out, code := put("after"); code != 0 {
		t.Errorf("put with room again: %d %s", code, out)
	}
}
