package node

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"github.com/weftnet/weft/adapters/admin"
	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/adapters/kaddht"
	"github.com/weftnet/weft/adapters/libp2phost"
)

// explanation is how an error of the node is told to callers of the API.
type explanation struct {
	err    error // what errors.Is finds
	code   connect.Code
	reason string // stable, for programs
	remedy string // empty when the error says it itself
}

// explanations are looked through in order: a deadline that ended a wait for
// peers is first of all a lack of peers.
var explanations = []explanation{
	{ErrArgument, connect.CodeInvalidArgument, "argument", ""},
	{ErrSelf, connect.CodeInvalidArgument, "peer.self", "name another peer"},
	{gossipsub.ErrBadTopic, connect.CodeInvalidArgument, "topic.bad", ""},
	{gossipsub.ErrTooLarge, connect.CodeInvalidArgument, "publish.too_large", ""},
	{gossipsub.ErrNoPeers, connect.CodeDeadlineExceeded, "publish.no_peers", ""},
	{gossipsub.ErrNotJoined, connect.CodeNotFound, "topic.not_joined", "`weft topics` lists what is joined"},
	{ErrUnknownPeer, connect.CodeNotFound, "peer.not_connected", "`weft peers` lists who is connected"},
	{libp2phost.ErrNotConnected, connect.CodeNotFound, "peer.not_connected", "`weft peers` lists who is connected"},
	{errRefused, connect.CodeFailedPrecondition, "handshake.refused", ""},
	{kaddht.ErrNotFound, connect.CodeNotFound, "dht.not_found", ""},
	{kaddht.ErrNoPeers, connect.CodeFailedPrecondition, "dht.no_peers", "`weft connect ADDRESS` does"},
	{kaddht.ErrBadKey, connect.CodeInvalidArgument, "dht.bad_key", ""},
	{ErrValidatorsFile, connect.CodeFailedPrecondition, "validators.file", ""},
	{ErrNotBanned, connect.CodeNotFound, "peer.not_banned", "`weft bans` lists who is"},
	{ErrOff, connect.CodeUnimplemented, "part.off", ""},
	{errNoLogLevel, connect.CodeUnimplemented, "log_level.fixed", ""},
	{ErrClosed, connect.CodeAborted, "node.closed", ""},
	{gossipsub.ErrClosed, connect.CodeAborted, "node.closed", ""},
	{gossipsub.ErrSubscriptionClosed, connect.CodeAborted, "node.closed", ""},
	{ErrNotStarted, connect.CodeFailedPrecondition, "node.not_started", ""},
	{context.Canceled, connect.CodeCanceled, "canceled", ""},
	{context.DeadlineExceeded, connect.CodeDeadlineExceeded, "timeout", ""},
}

// explain turns an error into one of the API: a code and a stable reason for
// programs, and for people what happened and what to do.
func explain(err error) error {
	var dial *libp2phost.DialError
	e := explanation{code: connect.CodeUnknown, reason: "failed"}
	switch {
	case errors.As(err, &dial) && errors.Is(err, context.DeadlineExceeded):
		e = explanation{code: connect.CodeDeadlineExceeded, reason: "dial.timeout"}
	case errors.As(err, &dial):
		e = explanation{code: connect.CodeFailedPrecondition, reason: "dial.failed"}
	default:
		for _, known := range explanations {
			if errors.Is(err, known.err) {
				e = known
				break
			}
		}
	}
	return admin.Explain(e.code, err, &weftv1.Explanation{Reason: e.reason, Remedy: e.remedy})
}
