package node

import (
	"context"
	"errors"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func (a api) Candidates(ctx context.Context, r *weftv1.CandidatesRequest, out *connect.ServerStream[weftv1.CandidatesResponse]) error {
	stream, err := a.n.Candidates(ctx, r.Topic)
	if err != nil {
		return explain(err)
	}
	if err := out.Send(nil); err != nil {
		return err
	}
	return sendCandidates(ctx, stream, out.Send)
}

// sendCandidates passes candidates on until ctx or the caller ends.
func sendCandidates(ctx context.Context, from *Candidates, send func(*weftv1.CandidatesResponse) error) error {
	for {
		c, err := from.Next(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		m := &weftv1.CandidatesResponse{Object: objectText(c.Object), From: c.From.String(), Until: timestamppb.New(c.Until)}
		if err := send(m); err != nil {
			return err
		}
	}
}

func (a api) Decide(_ context.Context, r *weftv1.DecideRequest) (*weftv1.DecideResponse, error) {
	if err := a.decide(r); err != nil {
		return nil, explain(err)
	}
	return &weftv1.DecideResponse{}, nil
}

var verdicts = map[string]ObjectVerdict{"accept": AcceptObject, "ignore": IgnoreObject, "reject": RejectObject}

func (a api) decide(r *weftv1.DecideRequest) error {
	id, err := parseObject(r.GetCid())
	if err != nil {
		return err
	}
	verdict, known := verdicts[r.GetVerdict()]
	if !known {
		return fmt.Errorf("%w: the verdict is %q: use accept, ignore or reject", ErrArgument, r.GetVerdict())
	}
	return a.n.Decide(id, verdict, r.GetReason())
}

// Validate sends candidates and takes decisions, until the application closes its
// side or one of them cannot be understood.
func (a api) Validate(ctx context.Context, stream *connect.BidiStream[weftv1.ValidateRequest, weftv1.ValidateResponse]) error {
	first, err := stream.Receive()
	if errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
	if first.Decision != nil {
		return explain(fmt.Errorf("%w: the first message has a decision: begin with the topic", ErrArgument))
	}
	candidates, err := a.n.Candidates(ctx, first.Topic)
	if err != nil {
		return explain(err)
	}
	if err := stream.Send(nil); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Receive ends with the stream, shortly after this call.
	candidates.p.deciders.Go(func() { cancel(a.takeDecisions(stream.Receive)) })
	err = sendCandidates(ctx, candidates, func(c *weftv1.CandidatesResponse) error {
		return stream.Send(&weftv1.ValidateResponse{Candidate: c})
	})
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, io.EOF):
		return nil
	case cause != nil:
		return explain(cause)
	}
	return err
}

// takeDecisions ends with what Receive ends with, or with a decision that cannot be
// understood. A late one is nobody's fault.
func (a api) takeDecisions(receive func() (*weftv1.ValidateRequest, error)) error {
	for {
		m, err := receive()
		if err == nil {
			err = a.decide(m.Decision)
		}
		if err != nil && !errors.Is(err, ErrNoObject) {
			return err
		}
	}
}
