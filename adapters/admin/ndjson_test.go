package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func TestSubscribeIsLinesOfJSONOverHTTP11(t *testing.T) {
	node := &fakeNode{messages: []*weftv1.SubscribeResponse{message("one"), message("two\n")}}
	c := curl{t: t, addr: serve(t, node, nil).Addr()}
	res := c.open(c.request(http.MethodGet, "/v1/subscribe?topic=news", nil))
	if res.StatusCode != http.StatusOK || res.Proto != "HTTP/1.1" || res.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%s %s %v", res.Proto, res.Status, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	for _, want := range []string{
		`{"topic":"news","from":"a","via":"b","seq":"01","data":"b25l","id":"ff","time":"1970-01-01T00:00:01Z","dropped":"0"}`,
		`{"topic":"news","from":"a","via":"b","seq":"01","data":"dHdvCg==","id":"ff","time":"1970-01-01T00:00:01Z","dropped":"0"}`,
	} {
		if !lines.Scan() || lines.Text() != want { // the stream goes on: each line was flushed
			t.Errorf("line %s, %v; want %s", lines.Text(), lines.Err(), want)
		}
	}
}

func TestTheHeadersSayThatAStreamIsInForce(t *testing.T) {
	s := serve(t, &fakeNode{}, nil)
	c := curl{t: t, addr: s.Addr()}
	if res := c.open(c.request(http.MethodGet, "/v1/subscribe?topic=news", nil)); res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	stream, err := dial(t, s.Addr(), "").Subscribe(ctx, &weftv1.SubscribeRequest{Topic: "news"})
	if err != nil {
		t.Fatal(err)
	}
	if h := stream.ResponseHeader(); h.Get("Content-Type") == "" {
		t.Errorf("headers %v", h)
	}
}

func TestAStreamEndsAfterCountLines(t *testing.T) {
	node := &fakeNode{messages: []*weftv1.SubscribeResponse{message("1"), message("2"), message("3")}}
	c := curl{t: t, addr: serve(t, node, nil).Addr()}
	status, body := c.get("/v1/subscribe?topic=news&count=2")
	if status != http.StatusOK || strings.Count(body, "\n") != 2 || !strings.HasSuffix(body, "}\n") {
		t.Errorf("%d %s", status, body)
	}
}

func TestEventsTakeTheirQuery(t *testing.T) {
	c := curl{t: t, addr: serve(t, &fakeNode{}, nil).Addr()}
	_, body := c.get("/v1/events?after=18446744073709551614&kind=peer&kind=bootstrap&past_only=true")
	if want := `{"seq":"18446744073709551615","time":null,"kind":"peer,bootstrap","peerId":"","text":"all\nof it"}` + "\n"; strings.Replace(body, `"kind"`, `"time":null,"kind"`, 1) != want {
		t.Errorf("got %s", body)
	}
	if _, body := c.get("/v1/events?count=1"); strings.Count(body, "\n") != 1 {
		t.Errorf("count=1: %s", body)
	}
}

func TestObjectsAndCandidatesTakeTheirQuery(t *testing.T) {
	c := curl{t: t, addr: serve(t, &fakeNode{}, nil).Addr()}
	for query, want := range map[string]string{
		"objects?count=1&topic=t":         `{"seq":"7","object":{"cid":"","topic":"t","kind":0,"deps":[],"payload":"","author":"","authorKey":""},"missed":"9"}`,
		"objects?count=1&topic=t&after=0": `{"seq":"1","object":{"cid":"","topic":"t","kind":0,"deps":[],"payload":"","author":"","authorKey":""},"missed":"0"}`,
		"candidates?count=1&topic=u":      `{"object":{"cid":"","topic":"u","kind":0,"deps":[],"payload":"","author":"","authorKey":""},"from":"a"}`,
	} {
		if _, body := c.get("/v1/" + query); body != want+"\n" {
			t.Errorf("%s = %s", query, body)
		}
	}
}

func TestWrongQueriesAreRefused(t *testing.T) {
	c := curl{t: t, addr: serve(t, &fakeNode{}, nil).Addr()}
	for query, want := range map[string]string{
		"subscribe": "?topic=NAME", "subscribe?topic=t&count=-1": "count", "subscribe?topic=t&buffer=4294967296": "buffer",
		"objects": "?topic=NAME", "objects?topic=t&after=-1": "after",
		"events?after=x": "after", "events?past_only=maybe": "past_only", "subscribe?topic=%ff": "UTF-8",
	} {
		status, body := c.get("/v1/" + query)
		if code, text := failure(t, body); status != http.StatusBadRequest || code != "invalid_argument" || !strings.Contains(text, want) {
			t.Errorf("%s = %d %s", query, status, body)
		}
	}
}

func TestAnErrorBeforeTheFirstLineIsAStatus(t *testing.T) {
	status, body := curl{t: t, addr: serve(t, &fakeNode{}, nil).Addr()}.get("/v1/subscribe?topic=bad")
	if code, text := failure(t, body); status != http.StatusBadRequest || code != "invalid_argument" || text != "no such topic" {
		t.Errorf("%d %s", status, body)
	}
}

func TestAnErrorAfterwardsIsTheLastLine(t *testing.T) {
	node := &fakeNode{messages: []*weftv1.SubscribeResponse{message("1")}, failure: connect.NewError(connect.CodeAborted, errors.New("too slow"))}
	_, body := curl{t: t, addr: serve(t, node, nil).Addr()}.get("/v1/subscribe?topic=news")
	lines := strings.Split(body, "\n")
	if len(lines) != 3 || lines[1] != `{"error":{"code":"aborted","message":"too slow"}}` {
		t.Errorf("%s", body)
	}
}

func TestACallerThatLeavesEndsItsStream(t *testing.T) {
	node := &fakeNode{}
	c := curl{t: t, addr: serve(t, node, nil).Addr()}
	ctx, leave := context.WithCancel(within(t))
	res, err := c.client().Do(c.request(http.MethodGet, "/v1/subscribe?topic=news", nil).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	leave()
	eventually(t, "the stream to end", func() bool { return node.streams.Load() == 0 })
}

func TestTooManyStreamsAreRefusedAndPlacesComeBack(t *testing.T) {
	node := &fakeNode{}
	c := curl{t: t, addr: serve(t, node, nil).Addr()}
	var open []io.Closer
	for range MaxStreams {
		open = append(open, c.open(c.request(http.MethodGet, "/v1/subscribe?topic=news", nil)).Body)
	}
	status, body := c.get("/v1/subscribe?topic=news")
	if code, _ := failure(t, body); status != http.StatusTooManyRequests || code != "resource_exhausted" {
		t.Errorf("one more = %d %s", status, body)
	}
	open[0].Close()
	eventually(t, "a place", func() bool { return node.streams.Load() < MaxStreams })
	if status, _ := c.get("/v1/events?past_only=1"); status != http.StatusOK {
		t.Errorf("after one left = %d", status)
	}
}

// However the frames are cut, the lines are the same.
func FuzzLineWriter(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02{}\x02\x00\x00\x00\x02{}"), uint8(1))
	f.Add([]byte("\x02\x00\x00\x00\x20"+`{"error":{"code":"unavailable"}}`), uint8(3))
	f.Add([]byte("\x00\xff\xff\xff\xff{}"), uint8(2))
	f.Fuzz(func(t *testing.T, frames []byte, cut uint8) {
		whole, pieces := httptest.NewRecorder(), httptest.NewRecorder()
		_, err := newLines(whole).Write(frames)
		l := newLines(pieces)
		var cutErr error
		for p := range bytes.SplitSeq(frames, []byte{cut}) {
			if _, cutErr = l.Write(p); cutErr != nil {
				break
			}
			if _, cutErr = l.Write([]byte{cut}); cutErr != nil {
				break
			}
		}
		if err == nil && cutErr == nil && !strings.HasPrefix(pieces.Body.String(), whole.Body.String()) {
			t.Errorf("whole %q, in pieces %q", whole.Body, pieces.Body)
		}
	})
}

func newLines(w http.ResponseWriter) *lineWriter {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	return &lineWriter{w: w, r: r, header: http.Header{}, endless: true, enough: func() {}, stopping: context.Background()}
}

func BenchmarkLines(b *testing.B) {
	data, err := jsonCodec{}.Marshal(message(strings.Repeat("x", 1024)))
	if err != nil {
		b.Fatal(err)
	}
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(data))), data...)
	l := newLines(discard{})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Write(frame); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"topic":"t","data":"AQ==","timeout":"1s"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r weftv1.PublishRequest
		if (jsonCodec{}).Unmarshal(data, &r) != nil {
			return
		}
		once, err := jsonCodec{}.Marshal(&r)
		if err != nil || !json.Valid(once) {
			t.Fatalf("%q -> %q, %v", data, once, err)
		}
	})
}
