package admin

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"connectrpc.com/connect"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// ndjson serves a streaming call as lines of JSON. It speaks the Connect protocol
// to the call's own handler, whose frames already hold the JSON:
//
//	flags 1 B | length 4 B, big-endian | JSON
//
// where flag 2 marks the last frame, with the error if there is one.
func ndjson(stopping context.Context, rpc http.Handler, procedure string, query func(url.Values) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count, err := number(r.URL.Query(), "count", 63)
		req, bad := query(r.URL.Query())
		if err := errors.Join(err, bad); err != nil {
			refuse(w, r, connect.CodeInvalidArgument, "http.query", err.Error(), "see the API's description")
			return
		}
		body, err := jsonCodec{}.Marshal(req)
		if err != nil {
			refuse(w, r, connect.CodeInvalidArgument, "http.query", err.Error(), "write the parameters as UTF-8")
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		lines := &lineWriter{w: w, r: r, header: http.Header{}, left: count, endless: count == 0, enough: cancel, stopping: stopping}
		rpc.ServeHTTP(lines, streamRequest(ctx, r, procedure, body))
	})
}

func streamRequest(ctx context.Context, r *http.Request, procedure string, body []byte) *http.Request {
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body)))
	call := r.Clone(ctx)
	call.Method, call.RequestURI = http.MethodPost, procedure
	call.URL = &url.URL{Path: procedure}
	call.Header = http.Header{"Content-Type": {"application/connect+json"}, "Connect-Protocol-Version": {"1"}}
	call.Body = io.NopCloser(bytes.NewReader(append(frame, body...)))
	call.ContentLength = int64(len(frame) + len(body))
	return call
}

var errNoTopic = errors.New("no topic is given: write ?topic=NAME")

func subscribeQuery(q url.Values) (any, error) {
	buffer, err := number(q, "buffer", 32)
	if q.Get("topic") == "" {
		err = errors.Join(err, errNoTopic)
	}
	return &weftv1.SubscribeRequest{Topic: q.Get("topic"), Buffer: uint32(buffer)}, err
}

func objectsQuery(q url.Values) (any, error) {
	r := &weftv1.SubscribeObjectsRequest{Topic: q.Get("topic")}
	after, err := number(q, "after", 64)
	if q.Get("after") != "" {
		r.After = &after
	}
	if r.Topic == "" {
		err = errors.Join(err, errNoTopic)
	}
	return r, err
}

func candidatesQuery(q url.Values) (any, error) {
	return &weftv1.CandidatesRequest{Topic: q.Get("topic")}, nil
}

func eventsQuery(q url.Values) (any, error) {
	after, err := number(q, "after", 64)
	past, bad := flag(q, "past_only")
	return &weftv1.EventsRequest{After: after, Kinds: q["kind"], PastOnly: past}, errors.Join(err, bad)
}

func number(q url.Values, name string, bits int) (uint64, error) {
	if q.Get(name) == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(q.Get(name), 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s=%s is not a number from 0 to 2^%d-1", name, short(q.Get(name)), bits)
	}
	return n, nil
}

func flag(q url.Values, name string) (bool, error) {
	if q.Get(name) == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(q.Get(name))
	if err != nil {
		return false, fmt.Errorf("%s=%s is not true or false", name, short(q.Get(name)))
	}
	return b, nil
}

// lineWriter takes Connect frames from a call and writes their JSON as lines.
type lineWriter struct {
	w        http.ResponseWriter
	r        *http.Request
	header   http.Header // the call's, of no use outside
	frames   []byte      // not yet complete
	started  bool        // the response's status is out
	done     bool        // nothing more may be written
	endless  bool
	left     uint64 // lines until enough, unless endless
	enough   context.CancelFunc
	stopping context.Context
}

const (
	frameHeader = 5 // bytes
	frameEnd    = 2 // flag
)

var errEnough = errors.New("enough lines were written")

func (l *lineWriter) Header() http.Header { return l.header }

func (l *lineWriter) WriteHeader(int) {} // the first frame decides

func (l *lineWriter) Write(p []byte) (int, error) {
	l.frames = append(l.frames, p...)
	for len(l.frames) >= frameHeader {
		end := frameHeader + int(binary.BigEndian.Uint32(l.frames[1:]))
		if len(l.frames) < end {
			break
		}
		if err := l.frame(l.frames[0], l.frames[frameHeader:end]); err != nil {
			return 0, err
		}
		l.frames = append(l.frames[:0], l.frames[end:]...)
	}
	return len(p), nil
}

func (l *lineWriter) frame(flags byte, data []byte) error {
	switch {
	case l.done:
		return errEnough
	case flags&frameEnd != 0:
		return l.end(data)
	}
	if err := l.line(data); err != nil {
		return err
	}
	if l.left--; l.left == 0 && !l.endless {
		l.done = true
		l.enough()
	}
	return nil
}

func (l *lineWriter) line(data []byte) error {
	l.start()
	_, err := l.w.Write(append(data[:len(data):len(data)], '\n'))
	return err
}

// end closes the stream. An error becomes the response's status when nothing was
// sent yet, else a last line {"error":…}; that the node stops is not one.
func (l *lineWriter) end(data []byte) error {
	l.done = true
	var last struct {
		Error *wireError `json:"error"`
	}
	if err := json.Unmarshal(data, &last); err != nil || last.Error == nil {
		l.start()
		return err
	}
	switch {
	case !l.started:
		l.started = true
		return errorWriter.Write(l.w, l.r, connect.NewError(last.Error.Code, errors.New(last.Error.Message)))
	case l.stopping.Err() != nil:
		return nil
	}
	text, err := json.Marshal(last)
	return errors.Join(err, l.line(text))
}

// wireError is an error as Connect writes it, without its details.
type wireError struct {
	Code    connect.Code `json:"code"`
	Message string       `json:"message"`
}

func (l *lineWriter) start() {
	if l.started {
		return
	}
	l.started = true
	l.w.Header().Set("Content-Type", "application/x-ndjson")
	l.w.Header().Set("Cache-Control", "no-store")
	l.w.WriteHeader(http.StatusOK)
}

// Flush sends what there is; before the first line, that the stream has begun.
func (l *lineWriter) Flush() {
	l.start()
	_ = http.NewResponseController(l.w).Flush() // the next write meets the error again
}
