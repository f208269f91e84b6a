package admin

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// DefaultAddr is where the control API listens: beside the node's port 30303, on
// loopback.
const DefaultAddr = "127.0.0.1:30304"

// Limits of the server. It serves one operator and a few programs, so all are
// chosen to be out of their way and to bound what a broken one can cost.
const (
	// MaxBody is the largest request or response in bytes: a 16 MiB message
	// (the most a node may be set to accept) takes 21.4 MiB as base64 in JSON.
	MaxBody = 24 << 20
	// MaxStreams is how many streaming calls are served at once.
	MaxStreams = 64
	// MaxConns is how many connections are. A further one takes the place of the
	// one that has been idle longest; while all are at work it waits.
	MaxConns = 256

	maxHeader     = 64 << 10          // bytes; Go's own clients send under 1 KiB
	headerTime    = 10 * time.Second  // to send the request header
	bodyTime      = 60 * time.Second  // to send the request body: 24 MiB at 3.4 Mbit/s
	writeTime     = 30 * time.Second  // for one write to a reader that has stopped reading
	idleTime      = 120 * time.Second // between two requests on a connection
	pingAfter     = 30 * time.Second  // of silence on an HTTP/2 connection
	pingTime      = 15 * time.Second  // to answer that ping
	h2PerConn     = 128               // calls at once on an HTTP/2 connection: MaxStreams and as many unary ones
	readyzTimeout = 5 * time.Second   // Retry-After of /readyz
)

// ServerConfig says where the control API listens and what it serves beside the
// calls. The zero value of each field but Addr is usable.
type ServerConfig struct {
	// Addr is "HOST:PORT" (port 0 lets the system choose) or "unix:///PATH".
	Addr string
	// MetricsAddr serves /metrics, /livez and /readyz alone, without token;
	// empty means on Addr only.
	MetricsAddr string
	// Token, when set, is asked of every caller but those of /livez and /readyz.
	// It must be set unless Addr is loopback or a unix socket.
	Token string
	// AllowHosts are accepted in the Host header of a loopback bind, beside
	// localhost and loopback IPs: names without port.
	AllowHosts []string
	// Gatherer is what /metrics shows; nil means that there is no /metrics.
	Gatherer prometheus.Gatherer
	// Live and Ready answer /livez and /readyz: nil when all is well, else what
	// is not (errors.Join for several reasons). A nil func is always well.
	Live, Ready func() error
	// Logger takes a line a call, at debug level; nil discards.
	Logger *slog.Logger
}

// DefaultServerConfig listens on DefaultAddr without a token.
func DefaultServerConfig() ServerConfig { return ServerConfig{Addr: DefaultAddr} }

// Validate reports the first setting that cannot work, with a remedy.
func (c ServerConfig) Validate() error {
	if _, err := parseAddr(c.Addr); err != nil {
		return err
	}
	if c.MetricsAddr != "" {
		if _, err := parseAddr(c.MetricsAddr); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	if strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%w: it holds spaces, line ends or letters beyond ASCII: use `openssl rand -hex 32`", ErrToken)
	}
	for _, h := range c.AllowHosts {
		if h == "" || strings.ContainsAny(h, "/ ") {
			return fmt.Errorf("%w: allowed host %q is not a host name: write it without scheme and path", ErrAddress, h)
		}
	}
	return nil
}

func (c ServerConfig) withDefaults() ServerConfig {
	always := func() error { return nil }
	if c.Live == nil {
		c.Live = always
	}
	if c.Ready == nil {
		c.Ready = always
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
