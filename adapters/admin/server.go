package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/weftnet/weft/adapters/admin/weft/v1/weftv1connect"
)

// Server serves the control API of one node until it is closed.
type Server struct {
	addr, metricsAddr string
	stop              context.CancelFunc // ends the calls that are under way
	servers           []*http.Server
	serving           sync.WaitGroup
	closing           sync.Once
	closed            error
}

// Listen opens the control API and serves it until Close. What the calls do is
// the handler's; see doc.go for what the server sees to.
func Listen(cfg ServerConfig, handler weftv1connect.NodeServiceHandler) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	api, metrics, err := openBoth(cfg)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{addr: nameOf(api), stop: stop}
	s.serve(ctx, cfg.Logger, api, apiHandler(ctx, cfg, handler, isLoopback(api)))
	if metrics != nil {
		s.metricsAddr = nameOf(metrics)
		s.serve(ctx, cfg.Logger, metrics, opsHandler(cfg, isLoopback(metrics)))
	}
	return s, nil
}

// openBoth opens the API's listener and, when it is set, the one of the metrics.
func openBoth(cfg ServerConfig) (api, metrics net.Listener, err error) {
	at, _ := parseAddr(cfg.Addr)
	if api, err = open(at, cfg.Token != ""); err != nil || cfg.MetricsAddr == "" {
		return api, nil, err
	}
	at, _ = parseAddr(cfg.MetricsAddr)
	if metrics, err = open(at, true); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("metrics: %w", err), api.Close())
	}
	return api, metrics, nil
}

// nameOf is the listener's address as Dial takes it.
func nameOf(l net.Listener) string {
	return address{l.Addr().Network(), l.Addr().String()}.String()
}

// isLoopback says that browsers on this machine can reach the listener but other
// machines cannot.
func isLoopback(l net.Listener) bool {
	t, isTCP := l.Addr().(*net.TCPAddr)
	return isTCP && t.IP.IsLoopback()
}

func (s *Server) serve(ctx context.Context, log *slog.Logger, l net.Listener, h http.Handler) {
	limited := limit(l, MaxConns)
	srv := newHTTPServer(ctx, log, h)
	srv.ConnState = limited.turn
	s.servers = append(s.servers, srv)
	s.serving.Go(func() {
		if err := srv.Serve(limited); !errors.Is(err, http.ErrServerClosed) {
			log.Error("control API stopped serving", "addr", nameOf(l), "err", err)
		}
	})
}

func newHTTPServer(ctx context.Context, log *slog.Logger, h http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           h,
		Protocols:         &protocols,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: h2PerConn,
			SendPingTimeout:      pingAfter,
			PingTimeout:          pingTime,
			WriteByteTimeout:     writeTime,
		},
	}
}

// Addr is where the API listens, with the port that the system chose; Dial takes it.
func (s *Server) Addr() string { return s.addr }

// MetricsAddr is where metrics are served alone; empty when they are not.
func (s *Server) MetricsAddr() string { return s.metricsAddr }

// Close stops listening, ends every call that is under way, streams included,
// and waits until they are gone. When ctx ends first it closes their connections.
func (s *Server) Close(ctx context.Context) error {
	s.closing.Do(func() {
		s.stop()
		s.closed = s.shutdown(ctx)
		s.serving.Wait()
	})
	return s.closed
}

func (s *Server) shutdown(ctx context.Context) error {
	var errs []error
	for _, srv := range s.servers {
		if err := srv.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("control API: calls did not end in time: %w", err), srv.Close())
		}
	}
	return errors.Join(errs...)
}
