package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/libp2p/go-libp2p/core/test"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/leaktest"
	"github.com/weftnet/weft/protocols/core"
)

var quiet = slog.New(slog.DiscardHandler)

func open1(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return s
}

func aPeer(t testing.TB, seen int64, addrs ...string) core.SavedPeer {
	t.Helper()
	id, err := test.RandPeerID()
	if err != nil {
		t.Fatal(err)
	}
	p := core.SavedPeer{Peer: id, LastSeen: time.UnixMilli(seen)}
	for _, a := range addrs {
		p.Addrs = append(p.Addrs, multiaddr.StringCast(a))
	}
	return p
}

func TestSavedPeersSurviveAReopenTheNewestFirst(t *testing.T) {
	dir := t.TempDir()
	old := aPeer(t, 1000, "/ip4/192.0.2.1/tcp/1")
	recent := aPeer(t, 2000, "/ip4/192.0.2.2/tcp/2", "/ip6/2001:db8::1/udp/3/quic-v1")
	s := open1(t, dir)
	for _, p := range []core.SavedPeer{old, recent, aPeer(t, 500)} {
		if err := s.Save(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := open1(t, dir).SavedPeers(2)
	if err != nil || !reflect.DeepEqual(got, []core.SavedPeer{recent, old}) {
		t.Errorf("SavedPeers = %v, %v; want %v", got, err, []core.SavedPeer{recent, old})
	}
}

func TestASavedPeerIsReplacedAndDeleted(t *testing.T) {
	s := open1(t, t.TempDir())
	p := aPeer(t, 1, "/ip4/192.0.2.1/tcp/1")
	moved := p
	moved.LastSeen, moved.Addrs = time.UnixMilli(2), []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/192.0.2.9/tcp/9")}
	if err := errors.Join(s.Save(p), s.Save(moved)); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.SavedPeers(10); len(got) != 1 || !reflect.DeepEqual(got[0], moved) {
		t.Errorf("after a move: %v", got)
	}
	if err := s.DeletePeer(p.Peer); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.SavedPeers(10); len(got) != 0 {
		t.Errorf("after a delete: %v", got)
	}
}

func TestTheOldestOfTooManyPeersAreForgotten(t *testing.T) {
	s, err := OpenMemory(quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 3 * MaxSavedPeers {
		if err := s.Save(aPeer(t, int64(i))); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.SavedPeers(1 << 20)
	if err != nil || len(got) > MaxSavedPeers || len(got) < MaxSavedPeers*7/8 {
		t.Fatalf("%d peers kept, %v; want %d to %d", len(got), err, MaxSavedPeers*7/8, MaxSavedPeers)
	}
	if newest, oldest := got[0].LastSeen.UnixMilli(), got[len(got)-1].LastSeen.UnixMilli(); newest != 3*MaxSavedPeers-1 || oldest < 2*MaxSavedPeers-1 {
		t.Errorf("kept %d to %d: not the newest", oldest, newest)
	}
}

func TestTheSecondOpenOfADirectoryIsRefusedByName(t *testing.T) {
	dir := t.TempDir()
	open1(t, dir)
	_, err := Open(dir, quiet)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("second open = %v", err)
	}
}

func TestALaterFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open1(t, dir)
	if err := errors.Join(s.db.Set(formatKey, []byte{format + 1}, pebble.Sync), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, quiet); !errors.Is(err, ErrFormat) {
		t.Errorf("open = %v, want ErrFormat", err)
	}
}

func TestALaterFormatOfPebbleIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := open1(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	markers, err := filepath.Glob(filepath.Join(dir, "marker.format-version.*"))
	if err != nil || len(markers) != 1 {
		t.Fatal(markers, err)
	}
	if err := os.Rename(markers[0], filepath.Join(dir, "marker.format-version.000099.999")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, quiet); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "run the later version") {
		t.Errorf("open = %v, want ErrFormat", err)
	}
}

func TestAFileInThePlaceOfTheDirectoryIsExplained(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(file, "store"), quiet); !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), "must be a directory") {
		t.Errorf("open below a file = %v", err)
	}
}

func TestADirectoryThatCannotBeMadeIsNoDamage(t *testing.T) {
	if _, err := Open("/proc/none/store", quiet); err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("open = %v", err)
	}
}

func TestADirectoryOfSomebodyElseNamesTheUserAndTheRemedy(t *testing.T) {
	dir := t.TempDir()
	if os.Getuid() == 0 {
		runAsNobody(t, dir)
		return
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	checkReadOnly(t, dir)
}

func checkReadOnly(t *testing.T, dir string) {
	_, err := Open(filepath.Join(dir, "store"), quiet)
	want := fmt.Sprintf("chown -R %d", os.Getuid())
	if !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), want) {
		t.Errorf("open = %v, want ErrReadOnly with %q", err, want)
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	s, err := OpenMemory(quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(aPeer(t, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("Save on a closed store = %v", err)
	}
	if _, err := s.SavedPeers(1); !errors.Is(err, ErrClosed) {
		t.Errorf("SavedPeers on a closed store = %v", err)
	}
}

// A process that writes is killed again and again; the store opens each time
// and every record can be read.
func TestAKilledWriterLeavesAStoreThatOpens(t *testing.T) {
	dir := t.TempDir()
	for round := range 20 {
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), writeInto+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1+round)); err != nil { // it has begun to write
			t.Fatal(err)
		}
		child.Process.Kill()
		child.Wait()
		s, err := Open(dir, quiet)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if peers, err := s.SavedPeers(MaxSavedPeers); err != nil || len(peers) == 0 || s.Malformed() > 0 {
			t.Errorf("round %d: %d records, %d malformed, %v", round, len(peers), s.Malformed(), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

const writeInto = "WEFT_STORE_TEST_WRITE_INTO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writeInto); dir != "" {
		writeUntilKilled(dir)
	}
	if dir := os.Getenv(writeObjectsInto); dir != "" {
		writeObjectsUntilKilled(dir)
	}
	if dir := os.Getenv(openReadOnly); dir != "" {
		_, err := Open(filepath.Join(dir, "store"), quiet)
		fmt.Print(err)
		os.Exit(0)
	}
	leaktest.Main(m)
}

func writeUntilKilled(dir string) {
	s, err := Open(dir, quiet)
	if err != nil {
		panic(err)
	}
	for i := int64(0); ; i++ {
		id, _ := test.RandPeerID()
		p := core.SavedPeer{Peer: id, LastSeen: time.UnixMilli(i), Addrs: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/192.0.2.1/tcp/1")}}
		if err := s.Save(p); err != nil {
			panic(err)
		}
		os.Stdout.Write([]byte{'.'})
	}
}

func BenchmarkSavePeer(b *testing.B) {
	s := open1(b, b.TempDir())
	p := aPeer(b, 1, "/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/udp/1/quic-v1")
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Save(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSaveBatch(b *testing.B) {
	s := open1(b, b.TempDir())
	batch := make([]core.Record, 256)
	for i := range batch {
		batch[i] = aPeer(b, 1, "/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/udp/1/quic-v1")
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Save(batch...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSavedPeers(b *testing.B) {
	s, err := OpenMemory(quiet)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for i := range MaxSavedPeers {
		if err := s.Save(aPeer(b, int64(i), "/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/udp/1/quic-v1")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := s.SavedPeers(MaxSavedPeers); err != nil || len(got) != MaxSavedPeers {
			b.Fatal(len(got), err)
		}
	}
}

func BenchmarkParsePeer(b *testing.B) {
	p := aPeer(b, 1, "/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/udp/1/quic-v1")
	value := appendPeer(nil, p)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parsePeer(p.Peer, value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenAndClose(b *testing.B) {
	for name, open := range map[string]func() (*Store, error){
		"disk":   func() (*Store, error) { return Open(b.TempDir(), quiet) },
		"memory": func() (*Store, error) { return OpenMemory(quiet) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := open()
				if err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}
