package admin

import (
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// Errors of Listen and Dial.
var (
	// ErrAddress is an address that cannot be used as it is written.
	ErrAddress = errors.New("bad control API address")
	// ErrAddrInUse says that something else listens there.
	ErrAddrInUse = errors.New("control API address in use")
	// ErrExposed is a bind that others could reach, without a token.
	ErrExposed = errors.New("control API exposed without a token")
	// ErrToken is a token that an HTTP header cannot carry; from a call, one
	// that is missing or wrong.
	ErrToken = errors.New("bad control API token")
)

// Errors of a Client's calls, beside ErrToken. All calls' errors wrap a
// *connect.Error too, so connect.CodeOf tells more.
var (
	// ErrUnreachable says that no node answered, or that it went away.
	ErrUnreachable = errors.New("weft node unreachable")
	// ErrTimeout says that there was no result in time.
	ErrTimeout = errors.New("timed out")
)

// reasonStopping marks calls that end because the server closes.
const reasonStopping = "node.stopping"

// Explain makes the error of a call. The caller of the API reads err's text,
// followed by the remedy unless err names it already; programs read the whole
// explanation as the error's detail. A nil err stays nil.
func Explain(code connect.Code, err error, x *weftv1.Explanation) error {
	if err == nil {
		return nil
	}
	text := strings.ToValidUTF8(err.Error(), "\uFFFD") // it may quote a stranger; gRPC takes no other bytes
	if x.Remedy != "" && !strings.Contains(text, x.Remedy) {
		text += ": " + x.Remedy
	}
	out := connect.NewError(code, errors.New(text))
	if detail, bad := connect.NewErrorDetail(x); bad == nil {
		out.AddDetail(detail)
	}
	return out
}

// ExplanationOf is the detail of a call's error; nil when it carries none.
func ExplanationOf(err error) *weftv1.Explanation {
	var call *connect.Error
	if !errors.As(err, &call) {
		return nil
	}
	for _, d := range call.Details() {
		if v, bad := d.Value(); bad == nil {
			if x, ours := v.(*weftv1.Explanation); ours {
				return x
			}
		}
	}
	return nil
}

// explained sees to it that what a handler returned has a code and a detail.
func explained(err error) error {
	if err == nil || ExplanationOf(err) != nil {
		return err
	}
	code, text := connect.CodeOf(err), err
	var call *connect.Error
	switch {
	case errors.As(err, &call):
		text = errors.New(call.Message())
	case errors.Is(err, context.DeadlineExceeded):
		code = connect.CodeDeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = connect.CodeCanceled
	}
	return Explain(code, text, &weftv1.Explanation{Reason: code.String()})
}

func errStopping() error {
	return Explain(connect.CodeUnavailable, errors.New("the node is stopping"),
		&weftv1.Explanation{Reason: reasonStopping, Remedy: "call again when it is back"})
}
