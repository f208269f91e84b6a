package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/validators"
	"github.com/weftnet/weft/protocols/dissemination"
)

// ruleNames are the rules for authors as they are written.
var ruleNames = map[dissemination.Authors]string{
	dissemination.Anyone: "anyone", dissemination.Validators: "validators", dissemination.Listed: "listed",
}

func objectTopicInfo(t ObjectTopicState, mesh int) *weftv1.ObjectTopic {
	out := &weftv1.ObjectTopic{
		Name: t.Name, Class: t.Class.String(), Authors: ruleNames[t.Authors], Judged: t.Judged,
		KeepObjects: uint64(t.Keep.Objects), KeepBytes: uint64(t.Keep.Bytes), KeepAge: durationpb.New(t.Keep.Age),
		Objects: uint64(t.Objects), Bytes: uint64(t.Bytes), Pruned: uint64(t.Pruned), FirstSeq: t.First, LastSeq: t.Last,
		Carriers: uint32(t.Carriers), Judging: uint32(t.Judging), Mesh: uint32(mesh),
	}
	for _, k := range t.Keys {
		out.AuthorKeys = append(out.AuthorKeys, ValidatorKey(k).String())
	}
	return out
}

func (a api) JoinObjectTopic(ctx context.Context, r *weftv1.JoinObjectTopicRequest) (*weftv1.JoinObjectTopicResponse, error) {
	keys, err := authorKeys(r.AuthorKeys)
	if err != nil {
		return nil, explain(err)
	}
	err = a.n.JoinObjects(ctx, ObjectTopic{
		Name: r.Topic, Class: r.Class, Authors: r.Authors, AuthorKeys: keys, External: r.External,
		KeepObjects: int(min(r.KeepObjects, math.MaxInt)), KeepBytes: int64(min(r.KeepBytes, math.MaxInt64)), KeepAge: r.KeepAge.AsDuration(),
	})
	if err != nil {
		return nil, explain(err)
	}
	return &weftv1.JoinObjectTopicResponse{}, nil
}

// authorKeys reads peer IDs and keys.
func authorKeys(list []string) (keys []ed25519.PublicKey, err error) {
	if len(list) > validators.MaxEntries {
		return nil, fmt.Errorf("%w: %d authors: at most %d", ErrArgument, len(list), validators.MaxEntries)
	}
	set, err := validators.Validators.Parse([]byte(strings.Join(list, "\n")))
	if err != nil {
		return nil, fmt.Errorf("%w: author_keys: %w", ErrArgument, err)
	}
	return AuthorKeys(set), nil
}

// AuthorKeys are the keys of a set, for ObjectTopic.AuthorKeys, in a stable order;
// weights do not count.
func AuthorKeys(set ValidatorSet) (keys []ed25519.PublicKey) {
	for id := range set.Peers {
		keys = append(keys, peerKey(id))
	}
	for key := range set.Keys {
		keys = append(keys, key[:])
	}
	slices.SortFunc(keys, func(x, y ed25519.PublicKey) int { return bytes.Compare(x, y) })
	return keys
}

func (a api) LeaveObjectTopic(ctx context.Context, r *weftv1.LeaveObjectTopicRequest) (*weftv1.LeaveObjectTopicResponse, error) {
	if err := a.n.LeaveObjects(ctx, r.Topic); err != nil {
		return nil, explain(err)
	}
	return &weftv1.LeaveObjectTopicResponse{}, nil
}
