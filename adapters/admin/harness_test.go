package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/admin/weft/v1/weftv1connect"
	"github.com/weftnet/weft/adapters/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// fakeNode answers a few calls; the rest is unimplemented.
type fakeNode struct {
	weftv1connect.UnimplementedNodeServiceHandler
	messages  []*weftv1.SubscribeResponse // what Subscribe delivers before it waits
	failure   error                       // what Subscribe ends with instead of waiting
	published chan *weftv1.PublishRequest
	streams   atomic.Int32 // open now
}

func (f *fakeNode) Id(context.Context, *weftv1.IdRequest) (*weftv1.IdResponse, error) {
	return &weftv1.IdResponse{PeerId: "12D3KooWfake", Network: "weft"}, nil
}

func (f *fakeNode) Status(context.Context, *weftv1.StatusRequest) (*weftv1.StatusResponse, error) {
	return &weftv1.StatusResponse{Ready: true}, nil
}

func (f *fakeNode) Health(context.Context, *weftv1.HealthRequest) (*weftv1.HealthResponse, error) {
	panic("a bug")
}

func (f *fakeNode) Ping(_ context.Context, r *weftv1.PingRequest) (*weftv1.PingResponse, error) {
	return &weftv1.PingResponse{Pongs: []*weftv1.Pong{{Rtt: durationpb.New(1500 * time.Microsecond)}}, Lost: r.Count}, nil
}

func (f *fakeNode) Peers(context.Context, *weftv1.PeersRequest) (*weftv1.PeersResponse, error) {
	return &weftv1.PeersResponse{}, nil
}

func (f *fakeNode) FindPeer(context.Context, *weftv1.FindPeerRequest) (*weftv1.FindPeerResponse, error) {
	return nil, Explain(connect.CodeNotFound, errors.New("no peer knows it"),
		&weftv1.Explanation{Reason: "dht.not_found", Remedy: "it may be offline"})
}

// Connect waits until the caller has had enough.
func (f *fakeNode) Connect(ctx context.Context, _ *weftv1.ConnectRequest) (*weftv1.ConnectResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (f *fakeNode) Publish(_ context.Context, r *weftv1.PublishRequest) (*weftv1.PublishResponse, error) {
	f.published <- r
	return &weftv1.PublishResponse{Peers: 1}, nil
}

func (f *fakeNode) Subscribe(ctx context.Context, r *weftv1.SubscribeRequest, out *connect.ServerStream[weftv1.SubscribeResponse]) error {
	f.streams.Add(1)
	defer f.streams.Add(-1)
	if r.Topic == "bad" {
		return Explain(connect.CodeInvalidArgument, errors.New("no such topic"), &weftv1.Explanation{Reason: "topic.bad"})
	}
	if err := out.Send(nil); err != nil {
		return err
	}
	for _, m := range f.messages {
		if err := out.Send(m); err != nil {
			return err
		}
	}
	if f.failure != nil {
		return f.failure
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakeNode) Events(ctx context.Context, r *weftv1.EventsRequest, out *connect.ServerStream[weftv1.EventsResponse]) error {
	err := out.Send(&weftv1.EventsResponse{Seq: r.After + 1, Kind: strings.Join(r.Kinds, ","), Text: "all\nof it"})
	if err != nil || r.PastOnly {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakeNode) ObjectPut(_ context.Context, r *weftv1.ObjectPutRequest) (*weftv1.ObjectPutResponse, error) {
	return &weftv1.ObjectPutResponse{Cid: "bafkreifake" + strconv.Itoa(len(r.Data)+len(r.Text))}, nil
}

func (f *fakeNode) SubscribeObjects(ctx context.Context, r *weftv1.SubscribeObjectsRequest, out *connect.ServerStream[weftv1.SubscribeObjectsResponse]) error {
	m := &weftv1.SubscribeObjectsResponse{Seq: 7, Object: &weftv1.Object{Topic: r.Topic}, Missed: 9}
	if r.After != nil {
		m.Seq, m.Missed = *r.After+1, 0
	}
	if err := out.Send(m); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fakeNode) Candidates(ctx context.Context, r *weftv1.CandidatesRequest, out *connect.ServerStream[weftv1.CandidatesResponse]) error {
	if err := out.Send(&weftv1.CandidatesResponse{Object: &weftv1.Object{Topic: r.Topic}, From: "a"}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// Validate answers each decision with a candidate of its name.
func (f *fakeNode) Validate(_ context.Context, s *connect.BidiStream[weftv1.ValidateRequest, weftv1.ValidateResponse]) error {
	f.streams.Add(1)
	defer f.streams.Add(-1)
	for {
		m, err := s.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		c := &weftv1.CandidatesResponse{Object: &weftv1.Object{Topic: m.Topic, Cid: m.Decision.GetCid()}}
		if err := s.Send(&weftv1.ValidateResponse{Candidate: c}); err != nil {
			return err
		}
	}
}

func message(data string) *weftv1.SubscribeResponse {
	return &weftv1.SubscribeResponse{Topic: "news", From: "a", Via: "b", Seq: "01", Data: []byte(data), Id: "ff", Time: timestamppb.New(time.Unix(1, 0))}
}

// soon bounds what should happen at once, on a busy machine.
const soon = 20 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	t.Cleanup(cancel)
	return ctx
}

// serve starts a server on loopback, changed by set.
func serve(t testing.TB, node *fakeNode, set func(*ServerConfig)) *Server {
	t.Helper()
	cfg := DefaultServerConfig()
	cfg.Addr = "127.0.0.1:0"
	if set != nil {
		set(&cfg)
	}
	if node.published == nil {
		node.published = make(chan *weftv1.PublishRequest, 16)
	}
	s, err := Listen(cfg, node)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(within(t)); err != nil {
			t.Error("close:", err)
		}
	})
	return s
}

func dial(t testing.TB, addr, token string) *Client {
	t.Helper()
	c, err := Dial(addr, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// curl makes the requests that curl makes: HTTP/1.1, over a unix socket too.
type curl struct {
	t       testing.TB
	addr    string
	headers []string // name, value, …
}

func (c curl) with(headers ...string) curl {
	c.headers = append(c.headers, headers...)
	return c
}

func (c curl) client() *http.Client {
	tr := &http.Transport{DisableKeepAlives: true}
	if path, isUnix := strings.CutPrefix(c.addr, "unix://"); isUnix {
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
	}
	return &http.Client{Transport: tr}
}

func (c curl) request(method, path string, body io.Reader) *http.Request {
	c.t.Helper()
	host := c.addr
	if strings.HasPrefix(host, "unix:") {
		host = "localhost"
	}
	r, err := http.NewRequestWithContext(within(c.t), method, "http://"+host+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(c.headers); i += 2 {
		if c.headers[i] == "Host" {
			r.Host = c.headers[i+1]
		}
		r.Header.Set(c.headers[i], c.headers[i+1])
	}
	return r
}

// open sends a request and leaves the body to the caller.
func (c curl) open(r *http.Request) *http.Response {
	c.t.Helper()
	res, err := c.client().Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { res.Body.Close() })
	return res
}

func (c curl) do(r *http.Request) (status int, body string) {
	c.t.Helper()
	res := c.open(r)
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func (c curl) get(path string) (int, string) {
	c.t.Helper()
	return c.do(c.request(http.MethodGet, path, nil))
}

// call posts JSON to a method.
func (c curl) call(method, body string) (int, string) {
	c.t.Helper()
	r := c.request(http.MethodPost, "/weft.v1.NodeService/"+method, bytes.NewReader([]byte(body)))
	r.Header.Set("Content-Type", "application/json")
	return c.do(r)
}

// failure reads the error of a response.
func failure(t testing.TB, body string) (code, message string) {
	t.Helper()
	var e struct{ Code, Message string }
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%q is not an error: %v", body, err)
	}
	return e.Code, e.Message
}

// newRawClient is a client without this package's help.
func newRawClient(tr http.RoundTripper, addr string, option connect.ClientOption) weftv1connect.NodeServiceClient {
	return weftv1connect.NewNodeServiceClient(&http.Client{Transport: tr}, "http://"+addr, option)
}

func someMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "weft_test_total", Help: "Counts tests."})
	c.Inc()
	r.MustRegister(c)
	return r
}
