package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func handleMetrics(mux *http.ServeMux, cfg ServerConfig) {
	if cfg.Gatherer == nil {
		return
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.Gatherer, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: 4, // two Prometheus servers and two people
	}))
}

func handleProbes(mux *http.ServeMux, cfg ServerConfig) {
	mux.Handle("GET /livez", probe("live", cfg.Live))
	mux.Handle("GET /readyz", probe("ready", cfg.Ready))
}

// probe answers 200 when check passes, else 503 with every reason: a line each,
// or JSON when that is asked for.
func probe(name string, check func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := check()
		w.Header().Set("Cache-Control", "no-store")
		asJSON := strings.Contains(r.Header.Get("Accept"), "application/json")
		if asJSON {
			w.Header().Set("Content-Type", "application/json")
		} else {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
		if err != nil {
			w.Header().Set("Retry-After", strconv.Itoa(int(readyzTimeout.Seconds())))
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if asJSON {
			_ = json.NewEncoder(w).Encode(map[string]any{name: err == nil, "reasons": reasons(err)})
			return
		}
		writeProbe(w, name, err)
	})
}

func writeProbe(w http.ResponseWriter, name string, err error) {
	if err == nil {
		fmt.Fprintln(w, name)
		return
	}
	fmt.Fprintf(w, "not %s\n", name)
	for _, reason := range reasons(err) {
		fmt.Fprintf(w, "- %s\n", reason)
	}
}

// reasons takes joined errors apart; never nil, for JSON's sake.
func reasons(err error) []string {
	if err == nil {
		return []string{}
	}
	joined, isJoined := err.(interface{ Unwrap() []error })
	if !isJoined || strings.Join(texts(joined.Unwrap()), "\n") != err.Error() {
		return []string{err.Error()}
	}
	return texts(joined.Unwrap())
}

func texts(errs []error) []string {
	out := make([]string, len(errs))
	for i, e := range errs {
		out[i] = e.Error()
	}
	return out
}
