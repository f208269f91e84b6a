package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/admin/weft/v1/weftv1connect"
)

func TestUnaryCallsAreJSONByCurl(t *testing.T) {
	node := &fakeNode{}
	c := curl{t: t, addr: serve(t, node, nil).Addr()}
	for _, tc := range []struct{ method, body, want string }{
		{"Id", `{}`, `{"peerId":"12D3KooWfake","fingerprint":"","addresses":[],"agent":"","version":"","network":"weft","protocols":[]}`},
		{"Id", ``, `{"peerId":"12D3KooWfake","fingerprint":"","addresses":[],"agent":"","version":"","network":"weft","protocols":[]}`},
		{"Peers", `{"all":true}`, `{"peers":[]}`},
		{"Ping", `{"peerId":"x","count":3,"interval":"0.2s"}`, `{"pongs":[{"rtt":"0.001500s","error":""}],"lost":3}`},
	} {
		if status, got := c.call(tc.method, tc.body); status != http.StatusOK || got != tc.want {
			t.Errorf("%s %s = %d %s, want %s", tc.method, tc.body, status, got, tc.want)
		}
	}
	if status, got := c.call("Publish", `{"topic":"news","text":"hello","data":"AQI=","timeout":"5s"}`); status != http.StatusOK {
		t.Fatalf("Publish = %d %s", status, got)
	}
	if r := <-node.published; r.Topic != "news" || r.Text != "hello" || !bytes.Equal(r.Data, []byte{1, 2}) || r.Timeout.AsDuration().Seconds() != 5 {
		t.Errorf("published %v", r)
	}
}

func TestWrongJSONIsRefusedByName(t *testing.T) {
	c := curl{t: t, addr: serve(t, &fakeNode{}, nil).Addr()}
	for body, want := range map[string]string{
		`{"topik":"x"}`: "topik", `{"topic":3}`: "topic", `{"topic"`: "unexpected", `[]`: "unexpected token",
	} {
		status, got := c.call("Publish", body)
		if code, text := failure(t, got); status != http.StatusBadRequest || code != "invalid_argument" || !strings.Contains(text, want) {
			t.Errorf("%s = %d %s, want a message with %q", body, status, got, want)
		}
	}
}

func TestANegativeDurationIsRefusedByName(t *testing.T) {
	c := curl{t: t, addr: serve(t, &fakeNode{}, nil).Addr()}
	for body, want := range map[string]string{
		`{"timeout":"-5s"}`:    "timeout is no duration that can pass: it is -5s: use a positive one, as \"10s\", or leave it out for the default",
		`{"interval":"-0.2s"}`: "interval is no duration that can pass: it is -200ms",
		`{"timeout":"5"}`:      "5",
	} {
		status, got := c.call("Ping", body)
		if code, text := failure(t, got); status != http.StatusBadRequest || code != "invalid_argument" || !strings.Contains(text, want) {
			t.Errorf("%s = %d %s, want a message with %q", body, status, got, want)
		}
	}
	if status, got := c.call("Ping", `{"timeout":"0s","interval":"1s"}`); status != http.StatusOK {
		t.Errorf("without a negative one: %d %s", status, got)
	}
}

// Other encodings than JSON can hold what is no duration at all.
func TestAMalformedDurationIsRefused(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	_, err := dial(t, s.Addr(), "").Ping(within(t), &weftv1.PingRequest{Timeout: &durationpb.Duration{Seconds: 1, Nanos: -1}})
	if connect.CodeOf(err) != connect.CodeInvalidArgument || ExplanationOf(err).GetReason() != "argument" || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("got %v", err)
	}
}

func TestAnErrorNamesCodeRemedyAndReason(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	status, body := curl{t: t, addr: s.Addr()}.call("FindPeer", `{}`)
	if code, text := failure(t, body); status != http.StatusNotFound || code != "not_found" || text != "no peer knows it: it may be offline" {
		t.Errorf("by curl: %d %s", status, body)
	}
	_, err := dial(t, s.Addr(), "").FindPeer(within(t), &weftv1.FindPeerRequest{})
	if err == nil || err.Error() != "no peer knows it: it may be offline" || connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("by the client: %v", err)
	}
	if x := ExplanationOf(err); x == nil || x.Reason != "dht.not_found" || x.Remedy != "it may be offline" {
		t.Errorf("explanation = %v", x)
	}
}

func TestAnErrorThatExplainsNothingGetsAReasonFromItsCode(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	c := dial(t, s.Addr(), "")
	_, err := c.Topics(within(t), &weftv1.TopicsRequest{})
	if x := ExplanationOf(err); x.GetReason() != "unimplemented" {
		t.Errorf("%v explains %v", err, x)
	}
	_, err = c.Health(within(t), &weftv1.HealthRequest{})
	if x := ExplanationOf(err); x.GetReason() != "node.bug" || connect.CodeOf(err) != connect.CodeInternal {
		t.Errorf("a panic = %v, explains %v", err, x)
	}
	if ExplanationOf(errors.New("other")) != nil || Explain(connect.CodeUnknown, nil, nil) != nil {
		t.Error("an explanation out of nothing")
	}
}

// Every protocol that Connect speaks, for a unary call and a stream.
func TestConnectGRPCAndGRPCWebAllWork(t *testing.T) {
	s := serve(t, &fakeNode{messages: []*weftv1.SubscribeResponse{message("one"), message("two")}}, nil)
	for name, option := range map[string]connect.ClientOption{
		"connect": connect.WithProtoJSON(), "grpc": connect.WithGRPC(), "grpc-web": connect.WithGRPCWeb(),
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTransport("", nil)
			defer tr.CloseIdleConnections()
			client := newRawClient(tr, s.Addr(), option)
			id, err := client.Id(within(t), &weftv1.IdRequest{})
			if err != nil || id.PeerId != "12D3KooWfake" {
				t.Fatalf("Id = %v, %v", id, err)
			}
			_, err = client.FindPeer(within(t), &weftv1.FindPeerRequest{})
			if x := ExplanationOf(err); connect.CodeOf(err) != connect.CodeNotFound || x.GetReason() != "dht.not_found" {
				t.Errorf("FindPeer = %v (%v)", err, x)
			}
			checkStream(t, client, "one", "two")
			if name != "grpc-web" { // it cannot stream both ways
				checkValidate(t, client)
			}
		})
	}
}

// checkValidate sends and receives in turn, so that neither side's stream is one
// that ends before the other begins.
func checkValidate(t *testing.T, client weftv1connect.NodeServiceClient) {
	t.Helper()
	stream, err := client.Validate(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, cid := range []string{"one", "two"} {
		if err := stream.Send(&weftv1.ValidateRequest{Decision: &weftv1.DecideRequest{Cid: cid}}); err != nil {
			t.Fatal(err)
		}
		if m, err := stream.Receive(); err != nil || m.Candidate.Object.Cid != cid {
			t.Fatalf("received %v, %v; want %s", m, err, cid)
		}
	}
	if err := stream.CloseRequest(); err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, %v", m, err)
	}
	if err := stream.CloseResponse(); err != nil {
		t.Error(err)
	}
}

func TestGRPCWebWorksOverHTTP11(t *testing.T) {
	s := serve(t, &fakeNode{messages: []*weftv1.SubscribeResponse{message("one")}}, nil)
	client := weftv1connect.NewNodeServiceClient(curl{t: t, addr: s.Addr()}.client(), "http://"+s.Addr(), connect.WithGRPCWeb())
	checkStream(t, client, "one")
}

func checkStream(t *testing.T, client weftv1connect.NodeServiceClient, want ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	stream, err := client.Subscribe(ctx, &weftv1.SubscribeRequest{Topic: "news"})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if !stream.Receive() || string(stream.Msg().Data) != w {
			t.Fatalf("received %v, %v; want %s", stream.Msg(), stream.Err(), w)
		}
	}
	cancel()
	if stream.Receive() {
		t.Errorf("received %v after the end", stream.Msg())
	}
	_ = stream.Close()
}

func TestTheClientWorksOverAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api.sock")
	s := serve(t, &fakeNode{messages: []*weftv1.SubscribeResponse{message("one")}}, func(c *ServerConfig) { c.Addr = "unix://" + path })
	if s.Addr() != "unix://"+path {
		t.Errorf("Addr = %s", s.Addr())
	}
	c := dial(t, s.Addr(), "")
	if id, err := c.Id(within(t), &weftv1.IdRequest{}); err != nil || id.Network != "weft" {
		t.Errorf("Id = %v, %v", id, err)
	}
	checkStream(t, c, "one")
	if status, body := (curl{t: t, addr: s.Addr()}).call("Id", "{}"); status != http.StatusOK {
		t.Errorf("curl --unix-socket = %d %s", status, body)
	}
}

func TestTheClientTakesAURL(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	if _, err := dial(t, "http://"+s.Addr()+"/", "").Id(within(t), &weftv1.IdRequest{}); err != nil {
		t.Error(err)
	}
}

func TestAMessageOf16MiBPassesAsBytesAndAsJSON(t *testing.T) {
	node := &fakeNode{}
	s := serve(t, node, nil)
	big := bytes.Repeat([]byte{7}, 16<<20)
	if _, err := dial(t, s.Addr(), "").Publish(within(t), &weftv1.PublishRequest{Topic: "t", Data: big}); err != nil {
		t.Fatal(err)
	}
	if r := <-node.published; !bytes.Equal(r.Data, big) {
		t.Errorf("published %d bytes", len(r.Data))
	}
	body, _ := jsonCodec{}.Marshal(&weftv1.PublishRequest{Topic: "t", Data: big})
	if status, text := (curl{t: t, addr: s.Addr()}).call("Publish", string(body)); status != http.StatusOK {
		t.Fatalf("as JSON: %d %s", status, text)
	}
	if r := <-node.published; !bytes.Equal(r.Data, big) {
		t.Errorf("published %d bytes", len(r.Data))
	}
}

func TestABodyBeyondTheLimitIsRefused(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	c := curl{t: t, addr: s.Addr()}.with("Content-Type", "application/json")
	r := c.request(http.MethodPost, "/weft.v1.NodeService/Publish", strings.NewReader("{}"))
	r.ContentLength = MaxBody + 1
	r.Body = io.NopCloser(io.LimitReader(endless{}, MaxBody+1))
	announced, err := c.client().Do(r)
	if err == nil { // else the server hung up on the body, which is as good
		text, _ := io.ReadAll(announced.Body)
		announced.Body.Close()
		if code, message := failure(t, string(text)); code != "resource_exhausted" || !strings.Contains(message, "24 MiB") {
			t.Errorf("announced: %s", text)
		}
	}
	r = c.request(http.MethodPost, "/weft.v1.NodeService/Publish", io.LimitReader(endless{}, MaxBody+1))
	if res, err := c.client().Do(r); err == nil {
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if code, _ := failure(t, string(text)); code != "resource_exhausted" {
			t.Errorf("chunked: %s", text)
		}
	}
	_, err = dial(t, s.Addr(), "").Publish(within(t), &weftv1.PublishRequest{Data: make([]byte, MaxBody)})
	if err == nil || errors.Is(err, ErrUnreachable) || connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("by the client: %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestAnUnknownPathNamesTheOnesThereAre(t *testing.T) {
	status, body := curl{t: t, addr: serve(t, &fakeNode{}, nil).Addr()}.get("/api/v0/id")
	if code, text := failure(t, body); status != http.StatusNotFound || code != "not_found" || !strings.Contains(text, "/v1/subscribe") {
		t.Errorf("%d %s", status, body)
	}
}

func TestNothingIsServedThatDebugs(t *testing.T) {
	if status, _ := (curl{t: t, addr: serve(t, &fakeNode{}, nil).Addr()}).get("/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("/debug/pprof/ = %d", status)
	}
}

func TestAnErrorQuotesAStrangerInUTF8(t *testing.T) {
	err := Explain(connect.CodeUnknown, errors.New("no answer from /dns4/\xff"), &weftv1.Explanation{})
	if want := "unknown: no answer from /dns4/\uFFFD"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
