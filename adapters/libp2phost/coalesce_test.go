package libp2phost

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// recorder is a connection that notes its writes, each of which waits for a token.
type recorder struct {
	net.Conn // nil: what is not below must not be called
	tokens   chan struct{}
	closed   chan struct{}
	writes   chan []byte
	fails    error
}

func newRecorder() *recorder {
	return &recorder{tokens: make(chan struct{}, 100), closed: make(chan struct{}), writes: make(chan []byte, 100)}
}

func (r *recorder) Write(p []byte) (int, error) {
	select {
	case <-r.tokens:
	case <-r.closed:
		return 0, net.ErrClosed
	}
	if r.fails != nil {
		return 0, r.fails
	}
	r.writes <- bytes.Clone(p)
	return len(p), nil
}

func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func (r *recorder) Close() error {
	select {
	case <-r.closed:
	default:
		close(r.closed)
	}
	return nil
}

func mustWrite(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("Write took %d of %d bytes: %v", n, len(text), err)
	}
}

func TestCoalescerGathersWhileAWriteIsUnderWay(t *testing.T) {
	inner := newRecorder()
	c := newCoalescer(inner)
	mustWrite(t, c, "a")
	for c.gatheredNow() > 0 { // until flush has taken it
		time.Sleep(time.Millisecond)
	}
	mustWrite(t, c, "b")
	mustWrite(t, c, "c")
	for range 3 {
		inner.tokens <- struct{}{}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	close(inner.writes)
	var got []string
	for w := range inner.writes {
		got = append(got, string(w))
	}
	if len(got) != 2 || got[0] != "a" || got[1] != "bc" {
		t.Errorf("writes are %q, want a, then bc", got)
	}
}

func (w *coalescer) gatheredNow() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.gathered)
}

func TestCoalescerTellsOfAFailedWrite(t *testing.T) {
	inner := newRecorder()
	inner.fails = errors.New("cable cut")
	inner.tokens <- struct{}{}
	c := newCoalescer(inner)
	mustWrite(t, c, "a")
	<-inner.closed // so that a reader notices
	if _, err := c.Write([]byte("b")); !errors.Is(err, inner.fails) {
		t.Errorf("the write after a failed one says %v", err)
	}
	if _, err := c.Write(make([]byte, 2*gatherBytes)); !errors.Is(err, inner.fails) {
		t.Errorf("a large write after a failed one says %v", err)
	}
	_ = c.Close()
}

func TestCoalescerCloses(t *testing.T) {
	ours, theirs := net.Pipe()
	c := newCoalescer(ours)
	mustWrite(t, c, "farewell")
	got := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(theirs)
		got <- all
	}()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if all := <-got; string(all) != "farewell" {
		t.Errorf("the peer read %q before the end", all)
	}
	if _, err := c.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write after Close says %v", err)
	}
}

// Nobody reads: neither Close nor a writer that waits for room may hang.
func TestCoalescerClosesAStalledConnection(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := newCoalescer(ours)
	done := make(chan error)
	go func() {
		for {
			if _, err := c.Write(make([]byte, gatherBytes/2)); err != nil {
				done <- err
				return
			}
		}
	}()
	if err := c.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if err := <-done; err == nil {
		t.Error("a stalled write ended without an error")
	}
}

// Writes that come later must not put off the end of one that is stuck.
func TestCoalescerKeepsTheDeadlineOfAStuckWrite(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := newCoalescer(ours)
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, c, "a")
	for c.gatheredNow() > 0 {
		time.Sleep(time.Millisecond)
	}
	if err := c.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for { // until the first write has failed
		if _, err := c.Write([]byte("b")); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the stuck write ended with %v", err)
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestCoalescerKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOf(rapid.SampledFrom([]int{1, 12, 300, gatherBytes - 1, gatherBytes, gatherBytes + 1, 64 << 10})).Draw(t, "sizes")
		ours, theirs := net.Pipe()
		c := newCoalescer(ours)
		got := make(chan []byte)
		var want []byte
		go func() {
			all := make([]byte, sum(sizes))
			_, _ = io.ReadFull(theirs, all)
			got <- all
		}()
		for i, n := range sizes {
			p := bytes.Repeat([]byte{byte(i)}, n)
			want = append(want, p...)
			if k, err := c.Write(p); k != n || err != nil {
				t.Fatalf("Write took %d of %d bytes: %v", k, n, err)
			}
			clear(p) // Write may not keep it
		}
		if !bytes.Equal(<-got, want) {
			t.Fatal("the peer read other bytes than were written")
		}
		_ = c.Close()
	})
}

func sum(all []int) (n int) {
	for _, k := range all {
		n += k
	}
	return n
}
