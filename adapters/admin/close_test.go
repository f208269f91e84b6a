package admin

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(soon)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// Streams of every kind are open, and calls wait: Close ends them all at once.
func TestCloseEndsOpenStreamsAndWaitingCalls(t *testing.T) {
	node := &fakeNode{messages: []*weftv1.SubscribeResponse{message("1")}}
	s := serve(t, node, func(c *ServerConfig) { c.MetricsAddr = "127.0.0.1:0" })
	lines := curl{t: t, addr: s.Addr()}
	res := lines.open(lines.request(http.MethodGet, "/v1/subscribe?topic=news", nil))
	ndjson := bufio.NewScanner(res.Body)
	if !ndjson.Scan() {
		t.Fatal(ndjson.Err())
	}
	client := dial(t, s.Addr(), "")
	stream, err := client.Subscribe(within(t), &weftv1.SubscribeRequest{Topic: "news"})
	if err != nil || !stream.Receive() {
		t.Fatal(err, stream.Err())
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := client.Connect(within(t), &weftv1.ConnectRequest{})
		waiting <- err
	}()
	eventually(t, "two streams", func() bool { return node.streams.Load() == 2 })

	begin := time.Now()
	if err := s.Close(within(t)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	if ndjson.Scan() || ndjson.Err() != nil {
		t.Errorf("NDJSON went on with %q, %v; want a clean end", ndjson.Text(), ndjson.Err())
	}
	if stream.Receive() || !errors.Is(stream.Err(), ErrUnreachable) {
		t.Errorf("the stream ended with %v", stream.Err())
	}
	if err := <-waiting; !errors.Is(err, ErrUnreachable) {
		t.Errorf("the waiting call ended with %v", err)
	}
	if err := s.Close(within(t)); err != nil {
		t.Error("second Close:", err)
	}
	if _, err := client.Id(within(t), &weftv1.IdRequest{}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a call after Close = %v", err)
	}
}

// stubborn does not look at its context.
type stubborn struct {
	fakeNode
	entered, release chan struct{}
}

func (s *stubborn) Id(context.Context, *weftv1.IdRequest) (*weftv1.IdResponse, error) {
	close(s.entered)
	<-s.release
	return &weftv1.IdResponse{}, nil
}

func TestCloseDoesNotOutlastItsContext(t *testing.T) {
	node := &stubborn{entered: make(chan struct{}), release: make(chan struct{})}
	s, err := Listen(ServerConfig{Addr: "127.0.0.1:0"}, node)
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := dial(t, s.Addr(), "").Id(within(t), &weftv1.IdRequest{})
		failed <- err
	}()
	<-node.entered
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v", err)
	}
	if err := <-failed; !errors.Is(err, ErrUnreachable) {
		t.Errorf("the call = %v", err)
	}
	close(node.release)
}

func TestNoNodeAnsweringIsExplained(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	l.Close()
	for _, addr := range []string{free, "unix://" + t.TempDir() + "/none.sock", "http://" + free} {
		_, err := dial(t, addr, "").Id(within(t), &weftv1.IdRequest{})
		want := "no weft node answers at " + addr + ": is `weft run` running? --api or WEFT_API names another address"
		if !errors.Is(err, ErrUnreachable) || err.Error() != want {
			t.Errorf("%s: %v", addr, err)
		}
		stream, err := dial(t, addr, "").Events(within(t), &weftv1.EventsRequest{})
		if err == nil && stream.Receive() || err == nil && !errors.Is(stream.Err(), ErrUnreachable) || err != nil && !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: stream %v", addr, err)
		}
	}
}

func TestSomethingElseAnsweringIsExplained(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := &http.Server{Handler: http.NotFoundHandler()} // HTTP/1.1 alone
	done := make(chan struct{})
	go func() { defer close(done); _ = other.Serve(l) }()
	t.Cleanup(func() { other.Close(); <-done })
	s := serve(t, &fakeNode{}, nil)
	for name, addr := range map[string]string{"not HTTP/2": l.Addr().String(), "another path": "http://" + s.Addr() + "/prefix"} {
		_, err := dial(t, addr, "").Id(within(t), &weftv1.IdRequest{})
		if err == nil || connect.CodeOf(err) == connect.CodeNotFound && name != "another path" {
			t.Errorf("%s: %v", name, err)
		}
		t.Log(name, err)
	}
}

func TestNoAnswerInTimeIsATimeout(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := dial(t, s.Addr(), "").Connect(ctx, &weftv1.ConnectRequest{})
	if !errors.Is(err, ErrTimeout) || connect.CodeOf(err) != connect.CodeDeadlineExceeded {
		t.Errorf("waiting = %v", err)
	}
	t.Log(err)
	stream, err := dial(t, s.Addr(), "").Subscribe(ctx, &weftv1.SubscribeRequest{Topic: "t"})
	if err == nil {
		stream.Receive()
		err = stream.Err()
	}
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("streaming = %v", err)
	}
	gone, leave := context.WithCancel(context.Background())
	leave()
	if _, err := dial(t, s.Addr(), "").Id(gone, &weftv1.IdRequest{}); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("canceled = %v", err)
	}
}

func TestAClientRefusesAddressesItCannotUse(t *testing.T) {
	for _, addr := range []string{"", "localhost", "http://", "http://user@host:1", "http://host:1?q=1", "unix://", "ftp://host:1"} {
		if _, err := Dial(addr, ""); !errors.Is(err, ErrAddress) {
			t.Errorf("Dial(%q) = %v", addr, err)
		}
	}
	if _, err := Dial(DefaultAddr, "two words"); !errors.Is(err, ErrToken) {
		t.Errorf("a bad token = %v", err)
	}
}

// A redirect would carry the token to another place.
func TestAClientFollowsNoRedirect(t *testing.T) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, &fakeNode{}, nil)
	other := &http.Server{Protocols: &protocols, Handler: http.RedirectHandler("http://"+s.Addr()+"/weft.v1.NodeService/Id", http.StatusTemporaryRedirect)}
	done := make(chan struct{})
	go func() { defer close(done); _ = other.Serve(l) }()
	t.Cleanup(func() { other.Close(); <-done })
	if id, err := dial(t, l.Addr().String(), "secret").Id(within(t), &weftv1.IdRequest{}); err == nil {
		t.Errorf("followed to %v", id)
	}
}

func BenchmarkUnaryCall(b *testing.B) {
	c := dial(b, serve(b, &fakeNode{}, nil).Addr(), "")
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Id(ctx, &weftv1.IdRequest{}); err != nil {
			b.Fatal(err)
		}
	}
}
