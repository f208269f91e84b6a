package node

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// Bounds of requests about objects; the proto states them.
const (
	defaultPutWait = 90 * time.Second // more than the application has, and a full disk may take
	defaultGetWait = 30 * time.Second
	defaultProvide = 60 * time.Second
	defaultEntries = 1000
	maxEntries     = 10_000
)

func (a api) ObjectPut(ctx context.Context, r *weftv1.ObjectPutRequest) (*weftv1.ObjectPutResponse, error) {
	draft, err := draftOf(r)
	if err != nil {
		return nil, explain(err)
	}
	ctx, cancel := within(ctx, r.Timeout, defaultPutWait)
	defer cancel()
	id, err := a.n.PutObject(ctx, r.Topic, draft)
	if err != nil {
		return nil, explain(err)
	}
	return &weftv1.ObjectPutResponse{Cid: id.String()}, nil
}

func draftOf(r *weftv1.ObjectPutRequest) (d Draft, err error) {
	if r.Kind > math.MaxUint16 {
		return d, fmt.Errorf("%w: kind %d: use 0 to %d", ErrArgument, r.Kind, math.MaxUint16)
	}
	d.Kind, d.Unsigned = uint16(r.Kind), r.Unsigned
	if d.Payload, err = payloadOf(r.Data, r.Text); err != nil {
		return d, err
	}
	for _, dep := range r.Deps {
		id, err := parseObject(dep)
		if err != nil {
			return d, err
		}
		d.Deps = append(d.Deps, id)
	}
	return d, nil
}

// payloadOf is what a request carries as bytes or as text.
func payloadOf(data []byte, text string) ([]byte, error) {
	switch {
	case text == "":
		return data, nil
	case len(data) > 0:
		return nil, fmt.Errorf("%w: data and text are both set: use one", ErrArgument)
	}
	return []byte(text), nil
}

// parseObject reads a CID from a request.
func parseObject(s string) (ObjectID, error) {
	id, err := ParseObjectID(s)
	if err != nil {
		return id, fmt.Errorf("%w: %w; it looks like bafkrei…, as `weft object put` and `weft object list` print it", ErrArgument, err)
	}
	return id, nil
}

func (a api) ObjectGet(ctx context.Context, r *weftv1.ObjectGetRequest) (*weftv1.ObjectGetResponse, error) {
	id, err := parseObject(r.Cid)
	if err != nil {
		return nil, explain(err)
	}
	ctx, cancel := within(ctx, r.Timeout, defaultGetWait)
	defer cancel()
	o, err := a.n.GetObject(ctx, id)
	if err != nil {
		return nil, explain(err)
	}
	out := &weftv1.ObjectGetResponse{Object: objectText(o)}
	if r.Encoded {
		out.Encoded, out.Object.Payload = o.Encoded, nil
	}
	return out, nil
}

func objectText(o Object) *weftv1.Object {
	out := &weftv1.Object{
		Cid: o.ID.String(), Topic: legible(o.Topic, maxText), Kind: uint32(o.Kind), Time: timestamppb.New(o.Time),
		Deps: texts(o.Deps), Payload: o.Payload,
	}
	if o.Author != nil {
		out.Author, out.AuthorKey = o.AuthorPeer().String(), ValidatorKey(o.Author).String()
	}
	return out
}

func (a api) ObjectStat(ctx context.Context, r *weftv1.ObjectStatRequest) (*weftv1.ObjectStatResponse, error) {
	id, err := parseObject(r.Cid)
	if err != nil {
		return nil, explain(err)
	}
	s, err := a.n.StatObject(ctx, id)
	if err != nil {
		return nil, explain(err)
	}
	return &weftv1.ObjectStatResponse{
		Cid: r.Cid, State: s.State.String(), Topic: legible(s.Topic, maxText), Seq: s.Seq, Size: uint64(s.Size),
		Landed: timestamp(s.Landed), Missing: texts(s.Missing), From: texts(s.From),
	}, nil
}

func (a api) ObjectList(ctx context.Context, r *weftv1.ObjectListRequest) (*weftv1.ObjectListResponse, error) {
	most := defaultEntries
	if r.Limit > 0 {
		most = int(min(r.Limit, maxEntries))
	}
	entries, err := a.n.ListObjects(ctx, r.Topic, r.After, most+1)
	if err != nil {
		return nil, explain(err)
	}
	out := &weftv1.ObjectListResponse{More: len(entries) > most}
	for _, e := range entries[:min(len(entries), most)] {
		out.Entries = append(out.Entries, &weftv1.ObjectEntry{
			Seq: e.Seq, Cid: e.ID.String(), Size: uint64(e.Size), Landed: timestamppb.New(e.Landed),
		})
	}
	return out, nil
}

func (a api) ObjectAnchor(ctx context.Context, r *weftv1.ObjectAnchorRequest) (*weftv1.ObjectAnchorResponse, error) {
	id, err := parseObject(r.Cid)
	if err == nil {
		err = a.n.AnchorObject(ctx, r.Topic, id)
	}
	if err != nil {
		return nil, explain(err)
	}
	return &weftv1.ObjectAnchorResponse{}, nil
}

func (a api) ObjectProvide(ctx context.Context, r *weftv1.ObjectProvideRequest) (*weftv1.ObjectProvideResponse, error) {
	id, err := parseObject(r.Cid)
	if err != nil {
		return nil, explain(err)
	}
	ctx, cancel := within(ctx, r.Timeout, defaultProvide)
	defer cancel()
	if err := a.n.ProvideObject(ctx, id); err != nil {
		return nil, explain(err)
	}
	return &weftv1.ObjectProvideResponse{}, nil
}

func (a api) Broadcast(ctx context.Context, r *weftv1.BroadcastRequest) (*weftv1.BroadcastResponse, error) {
	data, err := payloadOf(r.Data, r.Text)
	if err != nil {
		return nil, explain(err)
	}
	ctx, cancel := within(ctx, r.Timeout, defaultPutWait)
	defer cancel()
	id, err := a.n.Broadcast(ctx, r.Topic, data)
	if err != nil {
		return nil, explain(err)
	}
	return &weftv1.BroadcastResponse{Cid: id.String()}, nil
}

func (a api) SubscribeObjects(ctx context.Context, r *weftv1.SubscribeObjectsRequest, out *connect.ServerStream[weftv1.SubscribeObjectsResponse]) error {
	sub, err := a.subscribeObjects(ctx, r)
	if err != nil {
		return explain(err)
	}
	if err := out.Send(nil); err != nil {
		return err
	}
	for {
		d, err := sub.Next(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		m := &weftv1.SubscribeObjectsResponse{Seq: d.Seq, Object: objectText(d.Object), Landed: timestamppb.New(d.Landed), Missed: d.Missed}
		if err := out.Send(m); err != nil {
			return err
		}
	}
}

// ended explains the end of a stream. When the node closes the server is about to
// end its streams, and says that.
func ended(ctx context.Context, err error) error {
	if errors.Is(err, ErrClosed) {
		<-ctx.Done()
	}
	return explain(err)
}

func (a api) subscribeObjects(ctx context.Context, r *weftv1.SubscribeObjectsRequest) (*ObjectSubscription, error) {
	if r.After == nil {
		return a.n.SubscribeObjects(ctx, r.Topic)
	}
	return a.n.SubscribeObjectsAfter(ctx, r.Topic, *r.After)
}
