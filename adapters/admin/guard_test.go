package admin

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func TestOnLoopbackTheHostHeaderMustNameThisMachine(t *testing.T) {
	s := serve(t, &fakeNode{}, func(c *ServerConfig) { c.AllowHosts = []string{"node.Example.org"} })
	c := curl{t: t, addr: s.Addr()}
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:80": 200, "127.0.0.1": 200, "127.1.2.3:99": 200, "[::1]": 200, "[::1]:30304": 200,
		"node.example.org": 200, "NODE.example.org:1": 200,
		"evil.example": 403, "evil.example:30304": 403, "127.0.0.1.evil.example": 403, "localhost.evil.example": 403,
		"192.0.2.1": 403, "0.0.0.0": 403, "example.org": 403, strings.Repeat("a", 300): 403,
	} {
		status, body := c.with("Host", host).call("Id", "{}")
		if status != want {
			t.Errorf("Host %s = %d %s, want %d", host, status, body, want)
		}
		if status == 403 && !strings.Contains(body, "api_allow_host") {
			t.Errorf("Host %s: %s names no remedy", host, body)
		}
		for _, path := range []string{"/metrics", "/readyz", "/v1/events?past_only=1"} {
			if status, _ := c.with("Host", host).get(path); (status == 403) != (want == 403) {
				t.Errorf("Host %s on %s = %d", host, path, status)
			}
		}
	}
}

func TestWebPagesOfOtherSitesAreRefused(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	c := curl{t: t, addr: s.Addr()}
	for _, tc := range []struct {
		name, value string
		want        int
	}{
		{"Origin", "http://evil.example", 403},
		{"Origin", "http://localhost:8080", 403}, // another program's page on this machine
		{"Origin", "null", 403},
		{"Origin", "://", 403},
		{"Origin", "http://" + s.Addr(), 200},
		{"Sec-Fetch-Site", "cross-site", 403},
		{"Sec-Fetch-Site", "same-site", 403},
		{"Sec-Fetch-Site", "same-origin", 200},
		{"Sec-Fetch-Site", "none", 200},
	} {
		if status, body := c.with(tc.name, tc.value).call("Id", "{}"); status != tc.want {
			t.Errorf("%s: %s = %d %s, want %d", tc.name, tc.value, status, body, tc.want)
		}
	}
}

// A page may send a form without asking; no call takes one, and none is a GET.
func TestFormsAndGETsCallNothing(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	c := curl{t: t, addr: s.Addr()}
	for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"} {
		r := c.with("Content-Type", kind).request(http.MethodPost, "/weft.v1.NodeService/Id", strings.NewReader("{}"))
		if status, _ := c.do(r); status != http.StatusUnsupportedMediaType {
			t.Errorf("%s = %d", kind, status)
		}
	}
	if status, _ := c.get("/weft.v1.NodeService/Id?encoding=json&message=%7B%7D"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET = %d", status)
	}
}

func TestATokenIsAskedOfEveryPathButTheProbes(t *testing.T) {
	const token = "correct-horse"
	s := serve(t, &fakeNode{}, func(c *ServerConfig) { c.Token, c.Gatherer = token, someMetrics() })
	c := curl{t: t, addr: s.Addr()}
	for _, path := range []string{"/v1/subscribe?topic=bad", "/v1/events?past_only=1", "/metrics", "/nothing"} {
		if status, _ := c.get(path); status != http.StatusUnauthorized {
			t.Errorf("%s without token = %d", path, status)
		}
		if status, _ := c.with("Authorization", "Bearer "+token).get(path); status == http.StatusUnauthorized {
			t.Errorf("%s with token = %d", path, status)
		}
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if status, _ := c.get(path); status != http.StatusOK {
			t.Errorf("%s without token = %d", path, status)
		}
	}
	for header, want := range map[string]int{
		"Bearer correct-horse": 200, "bearer correct-horse": 200, "Bearer  correct-horse": 200,
		"Bearer correct-horsE": 401, "Bearer correct-hors": 401, "Bearer ": 401, "Bearer": 401, "correct-horse": 401, "Basic correct-horse": 401,
	} {
		if status, body := c.with("Authorization", header).call("Id", "{}"); status != want {
			t.Errorf("Authorization %q = %d %s, want %d", header, status, body, want)
		}
	}
}

func TestTheClientTellsAMissingFromAWrongToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := serve(t, &fakeNode{}, func(c *ServerConfig) { c.Addr, c.Token = "unix://"+path, "right" })
	for token, reason := range map[string]string{"": "token.missing", "wrong": "token.wrong", "right": ""} {
		_, err := dial(t, s.Addr(), token).Id(within(t), &weftv1.IdRequest{})
		if (reason == "") != (err == nil) || ExplanationOf(err).GetReason() != reason || errors.Is(err, ErrToken) != (reason != "") {
			t.Errorf("token %q: %v", token, err)
		}
	}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	stream, err := dial(t, s.Addr(), "").Subscribe(ctx, &weftv1.SubscribeRequest{Topic: "news"})
	if err != nil || stream.Receive() || !errors.Is(stream.Err(), ErrToken) {
		t.Errorf("a stream without token: %v, %v", err, stream.Err())
	}
}

func TestABindThatOthersReachNeedsAToken(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		_, err := Listen(ServerConfig{Addr: addr}, &fakeNode{})
		if !errors.Is(err, ErrExposed) || !strings.Contains(err.Error(), "set a token") {
			t.Errorf("%s without token = %v", addr, err)
		}
	}
	s := serve(t, &fakeNode{}, func(c *ServerConfig) { c.Addr, c.Token = "0.0.0.0:0", "secret" })
	c := curl{t: t, addr: strings.Replace(s.Addr(), "[::]", "127.0.0.1", 1)}
	if status, body := c.with("Host", "node.example.org", "Authorization", "Bearer secret").call("Id", "{}"); status != http.StatusOK {
		t.Errorf("with token and any Host = %d %s", status, body)
	}
	if _, err := dial(t, s.Addr(), "secret").Id(within(t), &weftv1.IdRequest{}); err != nil {
		t.Error(err)
	}
}

func TestGRPCIsToldAboutTheTokenInItsOwnWay(t *testing.T) {
	s := serve(t, &fakeNode{}, func(c *ServerConfig) { c.Token = "right" })
	tr := newTransport("", nil)
	defer tr.CloseIdleConnections()
	client := newRawClient(tr, s.Addr(), connect.WithGRPC())
	if _, err := client.Id(within(t), &weftv1.IdRequest{}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("gRPC without token = %v", err)
	}
}
