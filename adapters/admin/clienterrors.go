package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"connectrpc.com/connect"
)

// dialError is a connection that could not be made.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// callError is a call's error as the caller sees it: the text for people, what
// kind it is, and Connect's own error.
type callError struct {
	text string
	kind error // one of the package's sentinels, or nil
	call error
}

func (e *callError) Error() string { return e.text }

func (e *callError) Unwrap() []error {
	if e.kind == nil {
		return []error{e.call}
	}
	return []error{e.kind, e.call}
}

// clientErrors makes the errors of a client's calls explain themselves.
type clientErrors struct{ addr string }

func (c *clientErrors) explain(err error) error {
	var call *connect.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &call):
		call = connect.NewError(connect.CodeUnknown, err)
	}
	if connect.IsWireError(err) {
		return &callError{call.Message(), wireKind(call), err}
	}
	return c.explainLocal(call)
}

// wireKind sorts what the node answered.
func wireKind(call *connect.Error) error {
	switch call.Code() {
	case connect.CodeUnauthenticated:
		return ErrToken
	case connect.CodeDeadlineExceeded:
		return ErrTimeout
	case connect.CodeUnavailable:
		if x := ExplanationOf(call); x != nil && x.Reason == reasonStopping {
			return ErrUnreachable
		}
	}
	return nil
}

// explainLocal sorts what kept an answer from coming.
func (c *clientErrors) explainLocal(call *connect.Error) error {
	var dial *dialError
	switch {
	case errors.As(call, &dial):
		return &callError{c.notAnswering(dial.err), ErrUnreachable, call}
	case errors.Is(call, context.Canceled):
		return &callError{"canceled", nil, call}
	case call.Code() == connect.CodeDeadlineExceeded:
		return &callError{fmt.Sprintf("no answer from the node at %s in time", c.addr), ErrTimeout, call}
	case call.Code() == connect.CodeResourceExhausted, call.Code() == connect.CodeInvalidArgument:
		return &callError{call.Message(), nil, call}
	}
	return &callError{fmt.Sprintf("the connection to the node at %s broke: it stopped, or what answers there is not a weft control API (%s)",
		c.addr, call.Message()), ErrUnreachable, call}
}

func (c *clientErrors) notAnswering(err error) string {
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Sprintf("not allowed to connect to %s: run as the user of the node", c.addr)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("no weft node answers at %s: is `weft run` running? --api or WEFT_API names another address", c.addr)
	}
	return fmt.Sprintf("no weft node answers at %s (%s): is `weft run` running? --api or WEFT_API names another address", c.addr, err)
}

func (c *clientErrors) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		res, err := next(ctx, req)
		return res, c.explain(err)
	}
}

func (c *clientErrors) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		return &explainedConn{next(ctx, spec), c}
	}
}

func (c *clientErrors) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// explainedConn is a stream whose errors explain themselves.
type explainedConn struct {
	connect.StreamingClientConn
	errs *clientErrors
}

func (s *explainedConn) Send(m any) error { return s.explain(s.StreamingClientConn.Send(m)) }

func (s *explainedConn) Receive(m any) error { return s.explain(s.StreamingClientConn.Receive(m)) }

// explain leaves io.EOF as it is: the stream ended, or (from Send) Receive tells
// the reason.
func (s *explainedConn) explain(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	return s.errs.explain(err)
}
