package node_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/store"
	"github.com/weftnet/weft/node"
)

// smallDisk mounts a disk of its own, of 64 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skip("mounting a small disk takes root: ", err)
	}
	unmountLater(t, dir)
	return dir
}

func unmountLater(t *testing.T, dir string) {
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill leaves 8 MiB of a disk, below what the store wants free. It returns what to
// remove.
func fill(t *testing.T, dir string) string {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, int64(s.Bavail)*s.Bsize-8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return filler
}

// readyz is what a load balancer and Kubernetes ask.
func readyz(t *testing.T, n *node.Node) (code int, body string) {
	t.Helper()
	r, err := http.Get("http://" + n.APIAddr() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// degraded awaits that a node says why it cannot keep objects, wherever it is asked.
func degraded(t *testing.T, n *node.Node, why string) {
	t.Helper()
	eventually(t, "/readyz to say: "+why, func() bool {
		code, body := readyz(t, n)
		return code == http.StatusServiceUnavailable && strings.Contains(body, "objects cannot be kept") && strings.Contains(body, why)
	})
	h, err := client(t, n).Health(soon(t), &weftv1.HealthRequest{})
	if err != nil || h.Ok {
		t.Fatalf("healthy: %v, %v", h, err)
	}
	for _, c := range h.Checks {
		if told := !c.Ok && strings.Contains(c.Reason, why); c.Name == "objects" && !told {
			t.Errorf("health of objects: %v", c)
		}
	}
	if _, err := n.PutObject(soon(t), "votes", node.Draft{Payload: []byte("refused")}); err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("put: %v", err)
	}
}

// A full disk makes a node unready, and neither ends nor forgets anything. With room
// again it goes on: what came meanwhile is delivered.
func TestANodeOnAFullDiskWaitsForRoom(t *testing.T) {
	dir := smallDisk(t)
	n := start(t, withAPI, carrying("votes"), inDir(filepath.Join(dir, "data")))
	other := start(t, carrying("votes"), joining(n))
	awaitCarriers(t, n, "votes", 1)
	before := put(t, n, "votes", "before")
	filler := fill(t, dir)
	during := put(t, other, "votes", "during", putFrom(t, other, before))
	degraded(t, n, store.ErrFull.Error())
	if o, err := n.GetObject(soon(t), before); err != nil || string(o.Payload) != "before" {
		t.Errorf("what was there: %q, %v", o.Payload, err)
	}
	if entries, err := n.ListObjects(soon(t), "votes", 0, 9); err != nil || len(entries) == 0 {
		t.Errorf("listed %v, %v", entries, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s := reads(t, n, "votes", 0)
	for _, want := range []node.ObjectID{before, during} {
		if d := delivered(t, s); d.ID != want {
			t.Errorf("delivered %q", d.Payload)
		}
	}
	eventually(t, "/readyz", func() bool { code, _ := readyz(t, n); return code == http.StatusOK })
	after := put(t, n, "votes", "after", during)
	if d := delivered(t, s); d.ID != after {
		t.Errorf("delivered %q", d.Payload)
	}
	if !member(t, n, other.ID()) {
		t.Error("the other was dropped")
	}
}

// putFrom awaits an object that another node has put, and names it.
func putFrom(t *testing.T, n *node.Node, id node.ObjectID) node.ObjectID {
	t.Helper()
	awaitState(t, n, id, "held")
	return id
}

// frail is an ext4 disk that turns read-only at an error.
type frail struct{ image, dir string }

func newFrail(t *testing.T) frail {
	t.Helper()
	f := frail{filepath.Join(t.TempDir(), "image"), t.TempDir()}
	if err := errors.Join(os.WriteFile(f.image, nil, 0o600), os.Truncate(f.image, 64<<20)); err != nil {
		t.Fatal(err)
	}
	err := f.run("mkfs.ext4", "-q", f.image)
	if err == nil {
		err = f.mount()
	}
	if err != nil {
		t.Skip("a disk of its own takes root, ext4 and a loop device: ", err)
	}
	unmountLater(t, f.dir)
	return f
}

func (f frail) mount() error { return f.run("mount", "-o", "loop,errors=remount-ro", f.image, f.dir) }

func (f frail) run(line ...string) error {
	if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, out)
	}
	return nil
}

// breaks causes an error: what is open for writing stays open, and cannot be written.
func (f frail) breaks(t *testing.T) {
	t.Helper()
	device, err := exec.Command("findmnt", "-no", "SOURCE", f.dir).Output()
	if err == nil {
		name := filepath.Base(strings.TrimSpace(string(device)))
		err = os.WriteFile(filepath.Join("/sys/fs/ext4", name, "trigger_fs_error"), []byte("1"), 0o200)
	}
	if err != nil {
		t.Skip("no disk breaks here on demand: ", err)
	}
}

// mend is what an operator does.
func (f frail) mend(t *testing.T) {
	t.Helper()
	if err := f.run("umount", f.dir); err != nil {
		t.Fatal(err)
	}
	_ = f.run("e2fsck", "-fy", f.image) // fails where it mended something
	if err := f.mount(); err != nil {
		t.Fatal(err)
	}
}

// A disk that turns read-only ends the writing of objects. The node lives on, says
// what to do, and shows what it has; once the disk is mended a restart goes on.
func TestANodeOutlivesADiskThatTurnsReadOnly(t *testing.T) {
	disk := newFrail(t)
	data := inDir(filepath.Join(disk.dir, "data"))
	n := start(t, withAPI, carrying("votes"), data)
	before := put(t, n, "votes", "before")
	disk.breaks(t)
	if _, err := n.PutObject(soon(t), "votes", node.Draft{Payload: []byte("refused")}); !errors.Is(err, store.ErrFailed) {
		t.Errorf("put on a read-only disk: %v", err)
	}
	degraded(t, n, store.ErrFailed.Error())
	if _, body := readyz(t, n); !strings.Contains(body, "read-only file system") || !strings.Contains(body, "restart") {
		t.Errorf("/readyz: %s", body)
	}
	awaitEvent(t, n.EventsAfter(0), "store.failed", "")
	if d := delivered(t, reads(t, n, "votes", 0)); d.ID != before {
		t.Errorf("delivered %q", d.Payload)
	}
	other := start(t, carrying("votes"), joining(n))
	awaitPeer(t, other, n.ID()) // all but objects goes on
	if err := n.Close(); err != nil {
		t.Error("close:", err)
	}
	disk.mend(t)
	again := start(t, withAPI, carrying("votes"), data)
	after := put(t, again, "votes", "after", before)
	s := reads(t, again, "votes", 0)
	for i, want := range []node.ObjectID{before, after} {
		if d := delivered(t, s); d.ID != want || d.Seq != uint64(i+1) {
			t.Errorf("delivered %q as number %d", d.Payload, d.Seq)
		}
	}
	if code, body := readyz(t, again); code != http.StatusOK {
		t.Errorf("/readyz after a restart: %d %s", code, body)
	}
}
