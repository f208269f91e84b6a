package admin

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/weftnet/weft/adapters/admin/weft/v1/weftv1connect"
)

// pacing serves h with short times and returns clients of both HTTP versions.
func pacing(t *testing.T, p pace, h http.Handler) (url string, clients map[string]*http.Client) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := newHTTPServer(context.Background(), slog.New(slog.DiscardHandler), p.wrap(h))
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	h1, h2 := &http.Transport{DisableKeepAlives: true}, newTransport("", nil)
	t.Cleanup(func() { h1.CloseIdleConnections(); h2.CloseIdleConnections(); srv.Close(); <-done })
	return "http://" + l.Addr().String(), map[string]*http.Client{"HTTP/1.1": {Transport: h1}, "HTTP/2.0": {Transport: h2}}
}

// brief is a deadline; long is beyond it and beyond the jitter of a busy machine.
const brief, long = 50 * time.Millisecond, 200 * time.Millisecond

func TestABodyThatDoesNotComeIsGivenUp(t *testing.T) {
	failed := make(chan error, 1)
	url, clients := pacing(t, pace{brief, brief}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		failed <- err
	}))
	for name, c := range clients {
		body, never := io.Pipe()
		r, _ := http.NewRequestWithContext(within(t), http.MethodPost, url, body)
		go func() {
			if res, err := c.Do(r); err == nil {
				res.Body.Close()
			}
		}()
		if err := <-failed; err == nil {
			t.Errorf("%s: the handler saw a whole body", name)
		}
		never.Close()
	}
}

func TestASilentStreamOutlivesEveryDeadline(t *testing.T) {
	url, clients := pacing(t, pace{brief, brief}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		for range 3 {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			select {
			case <-time.After(long): // silence is what this is about
			case <-r.Context().Done():
				return
			}
		}
	}))
	for name, c := range clients {
		r, _ := http.NewRequestWithContext(within(t), http.MethodPost, url, http.NoBody)
		r2, _ := http.NewRequestWithContext(within(t), http.MethodPost, url, io.LimitReader(endless{}, 10))
		for _, r := range []*http.Request{r, r2} {
			res, err := c.Do(r)
			if err != nil {
				t.Fatal(name, err)
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			if res.Proto != name || string(text) != "xxx" || err != nil {
				t.Errorf("%s (%s): %q, %v", name, res.Proto, text, err)
			}
		}
	}
}

// A stream of decisions goes on for as long as there are candidates.
func TestAStreamOfDecisionsOutlivesEveryDeadline(t *testing.T) {
	got := make(chan string, 1)
	url, clients := pacing(t, pace{brief, brief}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			text = []byte(err.Error())
		}
		got <- string(text)
	}))
	body, decisions := io.Pipe()
	r, _ := http.NewRequestWithContext(within(t), http.MethodPost, url+weftv1connect.NodeServiceValidateProcedure, body)
	go func() {
		time.Sleep(long) // silence is what this is about
		_, _ = io.WriteString(decisions, "late")
		decisions.Close()
	}()
	res, err := clients["HTTP/2.0"].Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if text := <-got; text != "late" {
		t.Errorf("the handler saw %q", text)
	}
}

func TestAReaderThatStopsReadingIsCutOff(t *testing.T) {
	failed := make(chan error, 1)
	url, clients := pacing(t, pace{brief, brief}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				failed <- err
				return
			}
		}
	}))
	for name, c := range clients {
		r, _ := http.NewRequestWithContext(within(t), http.MethodGet, url, nil)
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(name, err)
		}
		select {
		case <-failed:
		case <-time.After(soon):
			t.Errorf("%s: still writing", name)
		}
		res.Body.Close()
	}
}
