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
	"github.com/weftnet/weft/adapters/store"
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
	{ErrConfig, connect.CodeInvalidArgument, "argument", ""},
	{ErrSelf, connect.CodeInvalidArgument, "peer.self", "name another peer"},
	{gossipsub.ErrBadTopic, connect.CodeInvalidArgument, "topic.bad", ""},
	{gossipsub.ErrTooLarge, connect.CodeInvalidArgument, "publish.too_large", ""},
	{gossipsub.ErrObjects, connect.CodeInvalidArgument, "topic.objects", "`weft object put TOPIC` and `weft subscribe TOPIC` do"},
	{ErrNoTopic, connect.CodeNotFound, "object.no_topic", "`weft topics` lists those there are, `weft run --object-topic NAME` joins one"},
	{ErrTopicInUse, connect.CodeAlreadyExists, "topic.in_use", "leave it first"},
	{ErrTooLarge, connect.CodeInvalidArgument, "object.too_large", ""},
	{errUnfinished, connect.CodeDeadlineExceeded, "object.unfinished", "`weft object stat CID` tells what becomes of it"},
	{ErrMissing, connect.CodeFailedPrecondition, "object.missing", "`weft object stat CID` tells what is known of it"},
	{ErrAuthor, connect.CodePermissionDenied, "object.author", "`weft topics -v` tells who may"},
	{ErrInvalidObject, connect.CodeFailedPrecondition, "object.invalid", ""},
	{ErrBusy, connect.CodeResourceExhausted, "object.busy", ""},
	{ErrNoObject, connect.CodeNotFound, "object.not_found", ""},
	{ErrPruned, connect.CodeNotFound, "object.pruned", "another node may keep it: `weft object get CID`"},
	{store.ErrNotFound, connect.CodeNotFound, "object.not_held", "`weft object get CID` finds it elsewhere"},
	{store.ErrFull, connect.CodeResourceExhausted, "store.full", "make room: it goes on by itself"},
	{gossipsub.ErrNoPeers, connect.CodeDeadlineExceeded, "publish.no_peers", ""},
	{gossipsub.ErrNotJoined, connect.CodeNotFound, "topic.not_joined", "`weft topics` lists what is joined"},
	{ErrUnknownPeer, connect.CodeNotFound, "peer.not_connected", "`weft peers` lists who is connected"},
	{libp2phost.ErrNotConnected, connect.CodeNotFound, "peer.not_connected", "`weft peers` lists who is connected"},
	{errRefused, connect.CodeFailedPrecondition, "handshake.refused", ""},
	{kaddht.ErrNotFound, connect.CodeNotFound, "dht.not_found", ""},
	{kaddht.ErrNoPeers, connect.CodeFailedPrecondition, "dht.no_peers", "`weft connect ADDRESS` does"},
	{kaddht.ErrBadKey, connect.CodeInvalidArgument, "dht.bad_key", ""},
	{ErrValidatorsFile, connect.CodeFailedPrecondition, "validators.file", ""},
	{ErrBansFull, connect.CodeResourceExhausted, "ban.full", "`weft unban` some that are no longer needed"},
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
	case errors.Is(err, ErrNoObject) && errors.Is(err, context.DeadlineExceeded):
		e = explanation{code: connect.CodeDeadlineExceeded, reason: "object.timeout", remedy: "give it longer, or connect to who has it"}
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
