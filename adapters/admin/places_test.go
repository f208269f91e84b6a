package admin

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// silent opens connections that say nothing.
func silent(t *testing.T, addr string, n int) (conns []net.Conn) {
	t.Helper()
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conns = append(conns, c)
	}
	return conns
}

// closed says whether the other side closes a connection soon.
func closed(t *testing.T, c net.Conn) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	var late net.Error
	return err != nil && (!errors.As(err, &late) || !late.Timeout())
}

// crowdedOut says whether newcomers make the server close a connection. On a busy
// machine it may have closed the first of them, which say nothing, before the last.
func crowdedOut(t *testing.T, c net.Conn, addr string) bool {
	t.Helper()
	for range 4 {
		silent(t, addr, MaxConns)
		if closed(t, c) {
			return true
		}
	}
	return false
}

func TestSilentConnectionsLockNobodyOut(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	conns := silent(t, s.Addr(), 2*MaxConns)
	if status, body := (curl{t: t, addr: s.Addr()}).call("Id", "{}"); status != http.StatusOK {
		t.Errorf("a call beside them: %d %s", status, body)
	}
	if !closed(t, conns[0]) {
		t.Error("the first one is still open")
	}
}

// A connection that has asked once and is kept open is as idle as a silent one,
// in both HTTP versions; one with a call under way is not.
func TestAnIdleConnectionMakesRoomAndOneAtWorkDoesNot(t *testing.T) {
	node := &fakeNode{}
	s := serve(t, node, nil)
	stream, err := dial(t, s.Addr(), "").Subscribe(t.Context(), &weftv1.SubscribeRequest{Topic: "news"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	idle := dial(t, s.Addr(), "")
	if _, err := idle.Id(within(t), &weftv1.IdRequest{}); err != nil {
		t.Fatal(err)
	}
	kept := silent(t, s.Addr(), 1)[0]
	askOnce(t, kept, s.Addr())
	if !crowdedOut(t, kept, s.Addr()) {
		t.Error("the connection kept open is still open")
	}
	// It dials again, unless it asked in the moment in which its connection was closed.
	for tries := 1; ; tries++ {
		_, err := idle.Id(within(t), &weftv1.IdRequest{})
		if err == nil {
			break
		}
		if tries == 3 {
			t.Fatal(err)
		}
	}
	if n := node.streams.Load(); n != 1 {
		t.Errorf("%d streams are open, want the one", n)
	}
}

func askOnce(t *testing.T, c net.Conn, addr string) {
	t.Helper()
	if _, err := io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: "+addr+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
}

func TestWithAllAtWorkANewcomerWaitsForAPlace(t *testing.T) {
	l := limited(t, 2)
	defer l.Close()
	silent(t, l.Addr().String(), 3)
	first, second := accept(t, l), accept(t, l)
	l.turn(first, http.StateActive)
	l.turn(second, http.StateActive)
	accepted := make(chan net.Conn)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	select {
	case <-accepted:
		t.Fatal("a third place was found")
	case <-time.After(50 * time.Millisecond):
	}
	l.turn(second, http.StateIdle)
	third := <-accepted
	if _, err := second.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the idle one is not closed: %v", err)
	}
	l.turn(second, http.StateActive) // it learns of its end late
	if err := errors.Join(first.Close(), third.Close()); err != nil {
		t.Fatal(err)
	}
	if len(l.held) > 0 {
		t.Errorf("%d places are taken", len(l.held))
	}
}

func limited(t *testing.T, most int) *places {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return limit(l, most)
}

func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClosingEndsTheWaitForAPlace(t *testing.T) {
	l := limited(t, 1)
	silent(t, l.Addr().String(), 2)
	first := accept(t, l)
	l.turn(first, http.StateActive)
	ended := make(chan error, 1)
	go func() { _, err := l.Accept(); ended <- err }()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepting ended with %v", err)
	}
	first.Close()
}
