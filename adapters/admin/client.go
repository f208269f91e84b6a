package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/weftnet/weft/adapters/admin/weft/v1/weftv1connect"
)

// dialTime bounds one attempt to connect: a node on this machine answers at once,
// and one across the world within a few round trips.
const dialTime = 5 * time.Second

// Client calls the control API of one node. It is safe for concurrent use; each
// call's errors explain themselves (see ErrUnreachable and its siblings).
type Client struct {
	weftv1connect.NodeServiceClient
	addr      string
	transport *http.Transport
}

// Dial makes a client of the node at addr: "HOST:PORT", "unix:///PATH", or an
// http:// or https:// URL. The token may be empty. Nothing is sent before the
// first call.
func Dial(addr, token string) (*Client, error) {
	if err := (ServerConfig{Addr: DefaultAddr, Token: token}).Validate(); err != nil {
		return nil, err
	}
	base, dialAt, err := parseTarget(addr)
	if err != nil {
		return nil, err
	}
	c := &Client{addr: addr, transport: newTransport(addr, dialAt)}
	doer := &http.Client{
		Transport: &withHeaders{c.transport, token},
		// A redirect would take the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.NodeServiceClient = weftv1connect.NewNodeServiceClient(doer, base,
		connect.WithInterceptors(&clientErrors{addr}),
		connect.WithReadMaxBytes(MaxBody),
		connect.WithAcceptCompression("gzip", nil, nil), // costs more than loopback does
	)
	return c, nil
}

// Addr is where the node was said to be.
func (c *Client) Addr() string { return c.addr }

// Close lets go of idle connections. Calls that are under way go on.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// parseTarget turns an address into the base URL of calls and, when that does
// not tell, where to connect.
func parseTarget(addr string) (base string, at *address, err error) {
	if strings.HasPrefix(addr, "http://") || strings.HasPrefix(addr, "https://") {
		u, err := url.Parse(addr)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return "", nil, fmt.Errorf("%w: %q: write http://HOST:PORT, without user and query", ErrAddress, addr)
		}
		return strings.TrimSuffix(addr, "/"), nil, nil
	}
	a, err := parseAddr(addr)
	if err != nil {
		return "", nil, err
	}
	if a.network == "unix" {
		return "http://localhost", &a, nil
	}
	host, port, _ := net.SplitHostPort(a.addr)
	if host == "" {
		host = "127.0.0.1" // as servers write "all interfaces"
	}
	return "http://" + net.JoinHostPort(host, port), nil, nil
}

func newTransport(addr string, at *address) *http.Transport {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true) // for http://
	protocols.SetHTTP2(true)            // for https://, as is the next
	protocols.SetHTTP1(strings.HasPrefix(addr, "https://"))
	dialer := &net.Dialer{Timeout: dialTime}
	return &http.Transport{
		Protocols: &protocols,
		DialContext: func(ctx context.Context, network, hostport string) (net.Conn, error) {
			if at != nil {
				network, hostport = at.network, at.addr
			}
			conn, err := dialer.DialContext(ctx, network, hostport)
			if err != nil && ctx.Err() == nil {
				err = &dialError{err}
			}
			return conn, err
		},
		TLSHandshakeTimeout: dialTime,
		IdleConnTimeout:     idleTime,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: writeTime},
	}
}

// withHeaders adds the token to each request.
type withHeaders struct {
	next  http.RoundTripper
	token string
}

func (t *withHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+t.token)
	}
	return t.next.RoundTrip(r)
}
