package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/semaphore"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/admin/weft/v1/weftv1connect"
)

// apiHandler is all that the API's address serves.
func apiHandler(ctx context.Context, cfg ServerConfig, calls weftv1connect.NodeServiceHandler, loopback bool) http.Handler {
	path, rpc := weftv1connect.NewNodeServiceHandler(calls,
		connect.WithInterceptors(&callGuard{ctx, cfg.Logger, semaphore.NewWeighted(MaxStreams)}),
		connect.WithReadMaxBytes(MaxBody),
		connect.WithCodec(jsonCodec{"json"}),
		connect.WithCodec(jsonCodec{"json; charset=utf-8"}),
		connect.WithRecover(recovered(cfg.Logger)),
	)
	secret := http.NewServeMux()
	secret.Handle(path, rpc)
	secret.Handle("GET /v1/subscribe", ndjson(ctx, rpc, weftv1connect.NodeServiceSubscribeProcedure, subscribeQuery))
	secret.Handle("GET /v1/objects", ndjson(ctx, rpc, weftv1connect.NodeServiceSubscribeObjectsProcedure, objectsQuery))
	secret.Handle("GET /v1/candidates", ndjson(ctx, rpc, weftv1connect.NodeServiceCandidatesProcedure, candidatesQuery))
	secret.Handle("GET /v1/events", ndjson(ctx, rpc, weftv1connect.NodeServiceEventsProcedure, eventsQuery))
	secret.HandleFunc("/", notFound)
	handleMetrics(secret, cfg)

	open := http.NewServeMux()
	handleProbes(open, cfg)
	open.Handle("/", withToken(cfg.Token, secret))
	return paced(sized(sameSite(hostCheck(cfg, loopback), open)))
}

// opsHandler is all that the metrics' address serves.
func opsHandler(cfg ServerConfig, loopback bool) http.Handler {
	mux := http.NewServeMux()
	handleMetrics(mux, cfg)
	handleProbes(mux, cfg)
	return paced(sized(sameSite(hostCheck(cfg, loopback), mux)))
}

func notFound(w http.ResponseWriter, r *http.Request) {
	refuse(w, r, connect.CodeNotFound, "http.not_found", "there is no "+r.URL.Path,
		"calls are POST /"+weftv1connect.NodeServiceName+"/METHOD; streams are also GET /v1/subscribe, /v1/objects, /v1/candidates and /v1/events; then there are /metrics, /livez and /readyz")
}

// refuse answers a request that does not reach a call, in the protocol it speaks.
func refuse(w http.ResponseWriter, r *http.Request, code connect.Code, reason, what, remedy string) {
	err := Explain(code, errors.New(what), &weftv1.Explanation{Reason: reason, Remedy: remedy})
	_ = errorWriter.Write(w, r, err) // the caller may have gone; it is told nothing then
}

var errorWriter = connect.NewErrorWriter()

// recovered turns a panic, which is a bug of ours, into an error of that call.
func recovered(log *slog.Logger) func(context.Context, connect.Spec, http.Header, any) error {
	return func(_ context.Context, spec connect.Spec, _ http.Header, panicked any) error {
		log.Error("control API call panicked", "call", spec.Procedure, "panic", panicked)
		return Explain(connect.CodeInternal, errors.New("the call failed inside the node"),
			&weftv1.Explanation{Reason: "node.bug", Remedy: "the node's log says where; please report it"})
	}
}

// callGuard is around every call: it bounds streams, refuses durations that
// cannot be meant, sees that errors explain themselves, and logs.
type callGuard struct {
	ctx     context.Context // done when the server closes
	log     *slog.Logger
	streams *semaphore.Weighted
}

func (g *callGuard) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		start := time.Now()
		if err := checkSpans(req.Any()); err != nil {
			return nil, g.finish(req.Spec(), start, err)
		}
		res, err := next(ctx, req)
		return res, g.finish(req.Spec(), start, err)
	}
}

func (g *callGuard) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		if !g.streams.TryAcquire(1) {
			return Explain(connect.CodeResourceExhausted, fmt.Errorf("%d streams are open already", MaxStreams),
				&weftv1.Explanation{Reason: "streams.full", Remedy: "end one that is no longer needed"})
		}
		defer g.streams.Release(1)
		start := time.Now()
		return g.finish(conn.Spec(), start, next(ctx, conn))
	}
}

func (g *callGuard) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// finish makes the error that the caller gets. A call that failed while the
// server closes failed for that reason.
func (g *callGuard) finish(spec connect.Spec, start time.Time, err error) error {
	if err != nil && g.ctx.Err() != nil {
		err = errStopping()
	}
	g.log.Debug("control API call", "call", spec.Procedure, "took", time.Since(start), "err", err)
	return explained(err)
}
