package node_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weftnet/weft/adapters/admin"
	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/node"
)

func withAPI(c *node.Config) { c.API = "127.0.0.1:0" }

func client(t testing.TB, n *node.Node) *admin.Client {
	t.Helper()
	c, err := admin.Dial(n.APIAddr(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestTheAPITellsWhoTheNodeIsAndWhoIsConnected(t *testing.T) {
	a := start(t, withAPI, withTopic("t"))
	b := start(t, joining(a))
	awaitPeer(t, a, b.ID())
	api := client(t, a)
	id, err := api.Id(soon(t), &weftv1.IdRequest{})
	if err != nil || id.PeerId != a.ID().String() || len(id.Fingerprint) != 64 || id.Addresses[0] != a.Addrs()[0].String() {
		t.Errorf("id = %v, %v", id, err)
	}
	eventually(t, "identify", func() bool {
		r, err := api.Peers(soon(t), &weftv1.PeersRequest{})
		return err == nil && len(r.Peers) == 1 && r.Peers[0].Agent != ""
	})
	r, err := api.Peers(soon(t), &weftv1.PeersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	p := r.Peers[0]
	if p.PeerId != b.ID().String() || p.State != "connected" || p.Direction != "inbound" || p.Transport != "tcp" ||
		p.Security != "tls" || !p.Admitted || p.Connections != 1 || p.Streams == 0 || p.Since == nil {
		t.Errorf("peer = %v", p)
	}
	s, err := api.Status(soon(t), &weftv1.StatusRequest{})
	if err != nil || !s.Ready || s.Peers != 1 || s.InboundPeers != 1 || s.Topics != 1 || s.ReceivedBytes == 0 || !s.Ephemeral {
		t.Errorf("status = %v, %v", s, err)
	}
}

func TestTheAPIShowsPeersThatCannotBeReachedAndWhy(t *testing.T) {
	gone := start(t)
	addr := gone.Addrs()[0].String()
	gone.Close()
	a := start(t, withAPI, func(c *node.Config) { c.Bootstrap = []string{addr} })
	awaitEvent(t, a.EventsAfter(0), "peer.dial_failed", "")
	r, err := client(t, a).Peers(soon(t), &weftv1.PeersRequest{All: true})
	if err != nil || len(r.Peers) != 1 {
		t.Fatalf("peers = %v, %v", r, err)
	}
	if p := r.Peers[0]; !p.Bootstrapper || p.State == "connected" || p.Failures == 0 || p.Reason == "" {
		t.Errorf("peer = %v", p)
	}
	h, err := client(t, a).Health(soon(t), &weftv1.HealthRequest{})
	if err != nil || h.Ok {
		t.Errorf("health = %v, %v; want it to fail while nobody is connected", h, err)
	}
}

func TestTheAPIPublishesAndSubscribes(t *testing.T) {
	a, b := start(t, withAPI), (*node.Node)(nil)
	b = start(t, withAPI, joining(a))
	sub, err := client(t, b).Subscribe(soon(t), &weftv1.SubscribeRequest{Topic: "t"})
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte{0, 255}, 100_000)
	r, err := client(t, a).Publish(soon(t), &weftv1.PublishRequest{Topic: "t", Data: want})
	if err != nil || r.Peers != 1 {
		t.Fatalf("publish = %v, %v; want 1 peer", r, err)
	}
	if !sub.Receive() {
		t.Fatal(sub.Err())
	}
	if m := sub.Msg(); !bytes.Equal(m.Data, want) || m.From != a.ID().String() || m.Topic != "t" {
		t.Errorf("received %d bytes of %s from %s", len(m.Data), m.Topic, m.From)
	}
}

func TestTheAPIExplainsWhatWentWrong(t *testing.T) {
	a := start(t, withAPI)
	api := client(t, a)
	short := durationpb.New(50 * time.Millisecond)
	for name, tc := range map[string]struct {
		call   func() error
		code   connect.Code
		reason string
		says   string
	}{
		"publish with no peers": {func() error {
			_, err := api.Publish(soon(t), &weftv1.PublishRequest{Topic: "t", Text: "x", Timeout: short})
			return err
		}, connect.CodeDeadlineExceeded, "publish.no_peers", "connect to one first"},
		"publish too much": {func() error {
			_, err := api.Publish(soon(t), &weftv1.PublishRequest{Topic: "t", Data: make([]byte, 17<<20)})
			return err
		}, connect.CodeInvalidArgument, "publish.too_large", "raise the limit"},
		"publish without topic": {func() error {
			_, err := api.Publish(soon(t), &weftv1.PublishRequest{Text: "x"})
			return err
		}, connect.CodeInvalidArgument, "topic.bad", "name a topic"},
		"disconnect a stranger": {func() error {
			_, err := api.Disconnect(soon(t), &weftv1.DisconnectRequest{PeerId: start(t).ID().String()})
			return err
		}, connect.CodeNotFound, "peer.not_connected", "weft peers"},
		"ping nonsense": {func() error {
			_, err := api.Ping(soon(t), &weftv1.PingRequest{PeerId: "nonsense"})
			return err
		}, connect.CodeInvalidArgument, "argument", "12D3KooW"},
		"connect nowhere": {func() error {
			_, err := api.Connect(soon(t), &weftv1.ConnectRequest{Address: "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGRUf7Yf5Xz7gBvX4GQEbcxgYAdQUdRzmM5VVtWv6SxVp"})
			return err
		}, connect.CodeFailedPrecondition, "dial.failed", "refused"},
		"connect without a peer ID": {func() error {
			_, err := api.Connect(soon(t), &weftv1.ConnectRequest{Address: "/ip4/127.0.0.1/tcp/1"})
			return err
		}, connect.CodeInvalidArgument, "argument", "add /p2p/PEERID"},
		"find with an empty table": {func() error {
			_, err := api.FindPeer(soon(t), &weftv1.FindPeerRequest{PeerId: start(t).ID().String()})
			return err
		}, connect.CodeFailedPrecondition, "dht.no_peers", "weft connect"},
		"topic never joined": {func() error {
			_, err := api.Topics(soon(t), &weftv1.TopicsRequest{Topic: "never"})
			return err
		}, connect.CodeNotFound, "topic.not_joined", "weft topics"},
		"log level of an embedded node": {func() error {
			_, err := api.SetLogLevel(soon(t), &weftv1.SetLogLevelRequest{Level: "debug"})
			return err
		}, connect.CodeUnimplemented, "log_level.fixed", "Config.LogLevel"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.call()
			if connect.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error = %v (%v), want %v with %q", err, connect.CodeOf(err), tc.code, tc.says)
			}
			if x := admin.ExplanationOf(err); x == nil || x.Reason != tc.reason {
				t.Errorf("explanation = %v, want reason %s", x, tc.reason)
			}
		})
	}
}

func TestEventsAndReadinessOverPlainHTTP(t *testing.T) {
	a := start(t, withAPI)
	base := "http://" + a.APIAddr()
	r, err := http.Get(base + "/v1/events?after=0")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	line, err := bufio.NewReader(r.Body).ReadBytes('\n')
	var e struct{ Kind string }
	if err != nil || json.Unmarshal(line, &e) != nil || e.Kind != "node.started" {
		t.Errorf("first event line = %s, %v", line, err)
	}
	get := func(path string) (int, string) {
		r, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(body)
	}
	if code, body := get("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz = %d %s", code, body)
	}
	a.Drain()
	if code, body := get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "shutting down") {
		t.Errorf("/readyz while draining = %d %s", code, body)
	}
	if code, _ := get("/livez"); code != http.StatusOK {
		t.Errorf("/livez while draining = %d", code)
	}
	if _, body := get("/metrics"); !strings.Contains(body, "weft_host_peers 0") || !strings.Contains(body, "libp2p_swarm") {
		t.Errorf("/metrics lacks ours or libp2p's: %.200s", body)
	}
}
