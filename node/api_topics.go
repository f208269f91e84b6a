package node

import (
	"context"
	"encoding/hex"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/gossipsub"
)

func (a api) Topics(ctx context.Context, r *weftv1.TopicsRequest) (*weftv1.TopicsResponse, error) {
	objects, err := a.n.ObjectTopics(ctx)
	if err != nil {
		return nil, explain(err)
	}
	out, mesh := &weftv1.TopicsResponse{}, map[string]int{}
	for _, t := range a.n.Topics() {
		switch {
		case t.Objects:
			mesh[t.Name] = t.Mesh
		case r.Topic == "" || r.Topic == t.Name:
			info := topicInfo(t)
			info.Tiers = a.tiers(t.Name)
			out.Topics = append(out.Topics, info)
		}
	}
	for _, t := range objects {
		if r.Topic == "" || r.Topic == t.Name {
			info := objectTopicInfo(t, mesh[t.Name])
			info.Tiers = a.tiers(t.Name)
			out.ObjectTopics = append(out.ObjectTopics, info)
		}
	}
	if r.Topic != "" && len(out.Topics)+len(out.ObjectTopics) == 0 {
		return nil, explain(fmt.Errorf("%w: %s", gossipsub.ErrNotJoined, r.Topic))
	}
	return out, nil
}

func topicInfo(t Topic) *weftv1.Topic {
	return &weftv1.Topic{
		Name: t.Name, Peers: texts(t.Peers), Mesh: uint32(t.Mesh), Joined: t.Joined, Subscribed: t.Subscribed,
		Received: t.Delivered, Published: t.Published, Duplicates: t.Duplicates,
		ReceivedBytes: t.BytesIn, SentBytes: t.BytesOut,
	}
}

func (a api) JoinTopic(_ context.Context, r *weftv1.JoinTopicRequest) (*weftv1.JoinTopicResponse, error) {
	if err := a.n.Join(r.Topic); err != nil {
		return nil, explain(err)
	}
	return &weftv1.JoinTopicResponse{}, nil
}

func (a api) LeaveTopic(_ context.Context, r *weftv1.LeaveTopicRequest) (*weftv1.LeaveTopicResponse, error) {
	if err := a.n.Leave(r.Topic); err != nil {
		return nil, explain(err)
	}
	return &weftv1.LeaveTopicResponse{}, nil
}

func (a api) Publish(ctx context.Context, r *weftv1.PublishRequest) (*weftv1.PublishResponse, error) {
	data, err := payloadOf(r.Data, r.Text)
	if err != nil {
		return nil, explain(err)
	}
	ctx, cancel := within(ctx, r.Timeout, defaultPublishWait)
	defer cancel()
	peers, err := a.n.publish(ctx, r.Topic, data)
	if err != nil {
		return nil, explain(err)
	}
	return &weftv1.PublishResponse{Peers: uint32(peers)}, nil
}

func (a api) Subscribe(ctx context.Context, r *weftv1.SubscribeRequest, out *connect.ServerStream[weftv1.SubscribeResponse]) error {
	sub, err := a.n.subscribe(r.Topic, int(r.Buffer))
	if err != nil {
		return explain(err)
	}
	defer sub.Close()
	if err := out.Send(nil); err != nil {
		return err
	}
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			return explain(err)
		}
		if err := out.Send(message(m, sub.Dropped())); err != nil {
			return err
		}
	}
}

func message(m Message, dropped uint64) *weftv1.SubscribeResponse {
	return &weftv1.SubscribeResponse{
		Topic: m.Topic, From: m.From.String(), Via: m.Via.String(), Seq: hex.EncodeToString(m.Seq),
		Data: m.Data, Id: hex.EncodeToString([]byte(m.ID)), Time: timestamppb.New(m.Received), Dropped: dropped,
	}
}

func (a api) Events(ctx context.Context, r *weftv1.EventsRequest, out *connect.ServerStream[weftv1.EventsResponse]) error {
	if err := checkKinds(r.Kinds); err != nil {
		return explain(err)
	}
	last := a.n.events.last()
	events := a.n.EventsAfter(r.After)
	defer events.Close()
	if err := out.Send(nil); err != nil {
		return err
	}
	for seq := r.After; !r.PastOnly || seq < last; {
		e, err := events.Next(ctx)
		if err != nil {
			return explain(err)
		}
		if seq = e.Seq; !kindWanted(r.Kinds, e.Kind) {
			continue
		}
		if err := out.Send(event(e)); err != nil {
			return err
		}
	}
	return nil
}

func event(e Event) *weftv1.EventsResponse {
	out := &weftv1.EventsResponse{Seq: e.Seq, Time: timestamppb.New(e.Time), Kind: e.Kind, Text: legible(e.Text, maxText)}
	if e.Peer != "" {
		out.PeerId = e.Peer.String()
	}
	return out
}
