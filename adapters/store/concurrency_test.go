package store

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftnet/weft/protocols/object"
)

// stuck is a store whose disk, once it is told to, does not end to sync until it is
// released. syncing has an element when a sync has begun.
func stuck(t *testing.T) (s *Store, stick func(), release func(), syncing chan struct{}) {
	t.Helper()
	released := make(chan struct{})
	syncing = make(chan struct{}, 100)
	var sticks atomic.Bool
	s, err := open("db", errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if sticks.Load() && strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			syncing <- struct{}{}
			<-released
		}
		return nil
	})), pebble.Sync, quiet)
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() { close(released) })
	t.Cleanup(func() { release(); s.Close() })
	return s, func() { sticks.Store(true) }, release, syncing
}

func TestReadingWaitsForNoSync(t *testing.T) {
	s, stick, release, syncing := stuck(t)
	a := someObjects("a", 1, 5, 100)
	saveObjects(t, s, a[:4]...)
	save(t, s, aPeer(t, 1))
	stick()
	saved, another := make(chan error, 2), aPeer(t, 2)
	go func() { saved <- s.SaveObjects(a[4:]) }()
	<-syncing
	go func() { saved <- s.Save(another) }()
	within(t, "reading", func() {
		_, err1 := s.Object(a[0].ID)
		log, err2 := s.ObjectLog("a", 0, 9, 1<<20)
		_, err3 := s.SavedPeers(9)
		_, err4 := s.Closure(a[1].ID, nil, 1, 1, depsOfNothing)
		if err := errors.Join(err1, err2, err3, err4); err != nil || len(log) != 4 || s.LastSeq("a") != 4 {
			t.Errorf("the log has %v before the sync has ended: %v", numbers(log), err)
		}
		s.Malformed()
	})
	select {
	case err := <-saved:
		t.Errorf("saved without a sync: %v", err)
	default:
	}
	release()
	if err := errors.Join(<-saved, <-saved); err != nil || s.LastSeq("a") != 5 {
		t.Errorf("the log ends at %d, %v", s.LastSeq("a"), err)
	}
}

func TestClosingWaitsForCallsUnderWay(t *testing.T) {
	s, stick, release, syncing := stuck(t)
	stick()
	saved, closed := make(chan error, 1), make(chan error, 1)
	go func() { saved <- s.SaveObjects(someObjects("a", 1, 1, 100)) }()
	<-syncing
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		t.Fatalf("closed below a write: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	release()
	if err := errors.Join(<-saved, <-closed); err != nil {
		t.Error(err)
	}
	if err := s.SaveObjects(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("SaveObjects on a closed store = %v", err)
	}
	if _, err := s.ObjectLog("a", 0, 1, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("ObjectLog on a closed store = %v", err)
	}
}

// Readers and writers, and in the end somebody who closes.
func TestCallsFromManyGoroutines(t *testing.T) {
	s, err := open("db", vfs.NewMem(), pebble.Sync, quiet)
	if err != nil {
		t.Fatal(err)
	}
	first := someObjects("a", 1, 100, 3000)
	saveObjects(t, s, first...)
	var tasks sync.WaitGroup
	repeat := func(f func(n uint64) error) {
		tasks.Go(func() {
			for n := uint64(0); ; n++ {
				if err := f(n); errors.Is(err, ErrClosed) {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	repeat(func(uint64) error {
		last := s.LastSeq("a")
		return s.SaveObjects(someObjects("a", last+1, last+20, 3000))
	})
	repeat(func(n uint64) error { return s.Save(aPeer(t, int64(n))) })
	repeat(func(uint64) error { return s.PruneObjects("a", s.LastSeq("a")-50) })
	repeat(func(uint64) error { return s.TrimTombstones("a", 100) })
	repeat(func(n uint64) error {
		_, err := s.Object(first[n%100].ID)
		if errors.Is(err, ErrPruned) || errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	var after uint64
	repeat(func(uint64) error {
		got, err := s.ObjectLog("a", after, 10, 1<<20)
		for _, r := range got {
			after = r.Seq
		}
		return err
	})
	for deadline := time.Now().Add(30 * time.Second); s.LastSeq("a") < 1000 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	tasks.Wait()
	if s.LastSeq("a") < 1000 || after == 0 {
		t.Errorf("%d objects were saved, %d read", s.LastSeq("a"), after)
	}
}

func depsOfNothing([]byte) []object.ID { return nil }
