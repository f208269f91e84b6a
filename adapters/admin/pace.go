package admin

import (
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/weftnet/weft/adapters/admin/weft/v1/weftv1connect"
)

// sized refuses a body that is too large: at once when its length is announced,
// else when it gets there.
func sized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if endlessBody(r) {
			next.ServeHTTP(w, r)
			return
		}
		if r.ContentLength > MaxBody {
			refuse(w, r, connect.CodeResourceExhausted, "http.too_large", fmt.Sprintf("the request has %d bytes", r.ContentLength),
				fmt.Sprintf("at most %d are accepted (24 MiB), and a message of at most 16 MiB", MaxBody))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		next.ServeHTTP(w, r)
	})
}

// endlessBody says that a request's body is a stream that may last: each message of
// it is bounded, and pings find out whether the caller is there. Only HTTP/2 has such.
func endlessBody(r *http.Request) bool {
	return r.ProtoMajor >= 2 && r.URL.Path == weftv1connect.NodeServiceValidateProcedure
}

// pace bounds how long a caller may take over a body and over one write. A
// deadline for the whole request, as http.Server offers, would end streams.
type pace struct{ body, write time.Duration }

func paced(next http.Handler) http.Handler { return pace{bodyTime, writeTime}.wrap(next) }

func (p pace) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if r.Body != http.NoBody && !endlessBody(r) {
			// It ends with the body: then net/http waits only for the caller to leave.
			_ = rc.SetReadDeadline(time.Now().Add(p.body)) // both HTTP versions support it
		}
		next.ServeHTTP(&pacedWriter{w, rc, p.write}, r)
		_ = rc.SetWriteDeadline(time.Now().Add(p.write)) // for what is flushed after this
	})
}

// pacedWriter gives each write a deadline of its own, and none to the silence
// between writes.
type pacedWriter struct {
	http.ResponseWriter
	rc   *http.ResponseController
	time time.Duration
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	defer w.deadline()()
	return w.ResponseWriter.Write(p)
}

// FlushError is what http.ResponseController looks for.
func (w *pacedWriter) FlushError() error {
	defer w.deadline()()
	return w.rc.Flush()
}

// Flush is what Connect looks for.
func (w *pacedWriter) Flush() { _ = w.FlushError() } // the next write meets the error again

func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *pacedWriter) deadline() (lift func()) {
	_ = w.rc.SetWriteDeadline(time.Now().Add(w.time))
	return func() { _ = w.rc.SetWriteDeadline(time.Time{}) }
}
