package validators

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weftnet/weft/adapters/leaktest"
	"github.com/weftnet/weft/adapters/regular"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// often is how often the tests look: well above the grain of file times (10 ms
// at most), and quick.
const often = 25 * time.Millisecond

// watched is a file of validators, its watcher, what that told and logged.
type watched struct {
	*Watcher
	t    *testing.T
	path string
	sets chan Set

	mu  sync.Mutex
	log bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *watched) errorsLogged() int { return strings.Count(w.logged(), "level=ERROR") }

func (w *watched) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func watch(t *testing.T, path string) *watched {
	t.Helper()
	w := &watched{t: t, path: path, sets: make(chan Set, 100)}
	cfg := DefaultConfig()
	cfg.Path, cfg.Every, cfg.Logger = path, often, slog.New(slog.NewTextHandler(w, nil))
	cfg.Changed = func(s Set) { w.sets <- s }
	var err error
	if w.Watcher, err = Watch(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func watchText(t *testing.T, text string) *watched {
	t.Helper()
	path := filepath.Join(t.TempDir(), "validators")
	write(t, path, text)
	return watch(t, path)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace renames a new file over an old one.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// expect waits for the next set and checks it.
func (w *watched) expect(text string) {
	w.t.Helper()
	want, err := Validators.Parse([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	select {
	case got := <-w.sets:
		if !got.Equal(want) || !w.Set().Equal(want) || w.Err() != nil {
			w.t.Errorf("got %v, holds %v, error %v; want %v", got, w.Set(), w.Err(), want)
		}
	case <-time.After(20 * time.Second):
		w.t.Fatalf("no new set; error %v", w.Err())
	}
}

// awaitErr waits for an error that says what it should, or for its end.
func (w *watched) awaitErr(want string) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(often / 5) {
		err := w.Err()
		if err == nil && want == "" || err != nil && want != "" && strings.Contains(err.Error(), want) {
			return
		}
	}
	w.t.Fatalf("error %v, want %q", w.Err(), want)
}

func TestAReplacedFileIsReadAgain(t *testing.T) {
	w := watchText(t, peerA+" 1")
	replace(t, w.path, peerA+" 2") // of the same size
	w.expect(peerA + " 2")
	replace(t, w.path, peerB)
	w.expect(peerB)
}

func TestAFileWrittenInPlaceIsReadAgain(t *testing.T) {
	w := watchText(t, peerA+" 1")
	write(t, w.path, peerA+" 2")
	w.expect(peerA + " 2")
	write(t, w.path, "")
	w.expect("")
	write(t, w.path, peerB+"\n"+keyA)
	w.expect(peerB + "\n" + keyA)
}

// As Kubernetes does it: file -> ..data/file, ..data -> a directory with a date.
func TestASwappedSymlinkIsFollowed(t *testing.T) {
	dir := t.TempDir()
	at := time.Now().Add(-time.Hour)
	for name, text := range map[string]string{"..1": peerA, "..2": peerB} {
		file := filepath.Join(dir, name, "validators")
		if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, file, text)
		if err := os.Chtimes(file, at, at); err != nil { // same size, same time
			t.Fatal(err)
		}
	}
	data, path := filepath.Join(dir, "..data"), filepath.Join(dir, "validators")
	if err := errors.Join(os.Symlink("..1", data), os.Symlink("..data/validators", path)); err != nil {
		t.Fatal(err)
	}
	w := watch(t, path)
	if err := errors.Join(os.Symlink("..2", data+"_tmp"), os.Rename(data+"_tmp", data)); err != nil {
		t.Fatal(err)
	}
	w.expect(peerB)
}

func TestADeletedFileKeepsTheSetUntilItReturns(t *testing.T) {
	w := watchText(t, peerA)
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	w.awaitErr("no such file")
	if !errors.Is(w.Err(), fs.ErrNotExist) || w.Set().Len() != 1 {
		t.Errorf("error %v, set %v", w.Err(), w.Set())
	}
	write(t, w.path, peerA) // as it was
	w.awaitErr("")
	write(t, w.path, peerB)
	w.expect(peerB)
	if w.errorsLogged() != 1 || strings.Count(w.logged(), "can be used again") != 1 {
		t.Errorf("logged:\n%s", w.logged())
	}
}

func TestABrokenFileKeepsTheSet(t *testing.T) {
	w := watchText(t, peerA)
	write(t, w.path, peerA+"\nbob")
	w.awaitErr(`line 2: "bob"`)
	if err := w.Err(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), w.path) || w.Set().Len() != 1 {
		t.Errorf("error %v, set %v", err, w.Set())
	}
	write(t, w.path, peerA+"\n"+peerB)
	w.expect(peerA + "\n" + peerB)
}

func TestEachBrokenContentIsLoggedOnce(t *testing.T) {
	w := unwatched(t, peerA)
	for i, text := range []string{"bob", "bob", "bob ", "bob "} {
		replace(t, w.path, text)
		for range 3 {
			w.look()
		}
		if w.errorsLogged() != i/2+1 || !errors.Is(w.Err(), ErrInvalid) {
			t.Errorf("after %q: error %v, logged:\n%s", text, w.Err(), &w.log)
		}
	}
}

// unwatched is a watcher that looks only when it is told to.
func unwatched(t *testing.T, text string) *watched {
	t.Helper()
	w := &watched{t: t, path: filepath.Join(t.TempDir(), "validators"), sets: make(chan Set, 100)}
	write(t, w.path, text)
	cfg := DefaultConfig()
	cfg.Path, cfg.Logger = w.path, slog.New(slog.NewTextHandler(w, nil))
	cfg.Changed = func(s Set) { w.sets <- s }
	var err error
	if w.Watcher, err = open(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAFileIsNotReadHalfWritten(t *testing.T) {
	w := unwatched(t, peerA)
	for i := range 5 {
		write(t, w.path, (peerA + "\n" + peerB + "\n" + keyA)[:10+i])
		w.look()
	}
	if w.Err() != nil || len(w.sets) > 0 || w.Set().Len() != 1 {
		t.Fatalf("while it is written: error %v, set %v", w.Err(), w.Set())
	}
	write(t, w.path, peerA+"\n"+peerB)
	w.look()
	w.look()
	w.expect(peerA + "\n" + peerB)
}

func TestAFileThatWasBeingWrittenAtTheStartIsReadAgain(t *testing.T) {
	w := unwatched(t, peerA)
	write(t, w.path, peerA+"\n"+peerB)
	w.look()
	w.look()
	w.expect(peerA + "\n" + peerB)
}

// Of a change that changes nobody the owner is not told.
func TestACommentIsNoChange(t *testing.T) {
	w := unwatched(t, peerA)
	write(t, w.path, peerA+" 1 # as before")
	w.look()
	w.look()
	if !w.settled || len(w.sets) > 0 || w.Err() != nil {
		t.Errorf("read %t, told %d times, error %v", w.settled, len(w.sets), w.Err())
	}
}

func TestAPipeInThePlaceOfTheFileDoesNotHoldUpAnything(t *testing.T) {
	w := watchText(t, peerA)
	if err := errors.Join(os.Remove(w.path), syscall.Mkfifo(w.path, 0o600)); err != nil {
		t.Fatal(err)
	}
	w.awaitErr("not a regular file")
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	write(t, w.path, peerB)
	w.expect(peerB)
}

func TestTheFirstSetIsThereAtOnce(t *testing.T) {
	w := watchText(t, peerA+" 7")
	if got := w.Set().Peers[decoded(t, peerA)]; got != 7 || w.Err() != nil {
		t.Errorf("weight %d, error %v", got, w.Err())
	}
}

func TestAFileThatCannotBeReadAtTheStartIsAnError(t *testing.T) {
	dir := t.TempDir()
	broken, pipe := filepath.Join(dir, "broken"), filepath.Join(dir, "pipe")
	write(t, broken, "bob")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		filepath.Join(dir, "none"): fs.ErrNotExist, broken: ErrInvalid, pipe: regular.ErrNotRegular, dir: regular.ErrNotRegular, "": ErrConfig,
	} {
		cfg := DefaultConfig()
		cfg.Path = path
		if w, err := Watch(cfg); !errors.Is(err, want) || w != nil {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
}

func TestAListThatNamesNobodyIsWarnedOf(t *testing.T) {
	const warning = `level=WARN msg="the file of validators names nobody`
	w := watchText(t, "# not yet\n")
	if n := strings.Count(w.logged(), warning); n != 1 {
		t.Errorf("%d warnings at the start, want one: %s", n, w.logged())
	}
	replace(t, w.path, peerA)
	w.expect(peerA)
	if n := strings.Count(w.logged(), warning); n != 1 {
		t.Errorf("%d warnings when it names somebody", n-1)
	}
	replace(t, w.path, "")
	w.expect("")
	if n := strings.Count(w.logged(), warning); n != 2 {
		t.Errorf("%d warnings when it is emptied, want one", n-1)
	}
}
