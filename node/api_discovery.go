package node

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/adapters/validators"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/uptime"
)

// maxReason bounds the reason of a ban, in bytes; chosen for a sentence.
const maxReason = 256

// percent turns hundredths of a percent into percent; nil when it is not known.
func percent(p uptime.Percent, known bool) *float64 {
	if !known {
		return nil
	}
	f := float64(p) / 100
	return &f
}

func (a api) Claims(ctx context.Context, r *weftv1.ClaimsRequest) (*weftv1.ClaimsResponse, error) {
	var only peer.ID
	if r.PeerId != "" {
		var err error
		if only, err = parsePeer(r.PeerId); err != nil {
			return nil, explain(err)
		}
	}
	claims, err := a.n.Claims(ctx)
	if err != nil {
		return nil, explain(err)
	}
	owners, err := a.everyone(ctx)
	if err != nil {
		return nil, explain(err)
	}
	states := make(map[string]*weftv1.Peer, len(owners))
	for _, p := range owners {
		states[p.PeerId] = p
	}
	out := &weftv1.ClaimsResponse{}
	for _, c := range claims {
		if only == "" || only == c.Peer {
			out.Claims = append(out.Claims, claimText(c, states[c.Peer.String()]))
		}
	}
	return out, nil
}

func claimText(c Claim, owner *weftv1.Peer) *weftv1.Claim {
	out := &weftv1.Claim{
		PeerId: c.Peer.String(), Network: c.Network, Signed: timestamp(c.Time), Expires: timestamp(c.Expiry),
		Addresses: texts(c.Addrs), Own: c.Own, Validator: c.Validator, State: "known",
	}
	if owner != nil {
		out.State, out.Reason = owner.State, owner.Reason
	}
	if c.Own {
		out.State, out.Reason = "", ""
	}
	return out
}

func (a api) Validators(ctx context.Context, _ *weftv1.ValidatorsRequest) (*weftv1.ValidatorsResponse, error) {
	p, err := a.n.live()
	if err != nil {
		return nil, explain(err)
	}
	all, err := a.n.Validators(ctx)
	if err != nil {
		return nil, explain(err)
	}
	out := &weftv1.ValidatorsResponse{File: a.n.cfg.ValidatorsFile}
	if p.validators != nil && p.validators.Err() != nil {
		out.FileError = p.validators.Err().Error()
	}
	for _, v := range all {
		out.Validators = append(out.Validators, validatorText(v))
	}
	return out, nil
}

func validatorText(v Validator) *weftv1.Validator {
	out := &weftv1.Validator{Weight: v.Weight, Connected: v.Connected, Uptime: percent(v.Uptime, v.Known), Own: v.Own}
	if v.Peer != "" {
		out.PeerId = v.Peer.String()
	}
	if key := ValidatorKey(v.Key); key != (ValidatorKey{}) {
		out.Key = key.String()
	}
	return out
}

func (a api) SetValidators(_ context.Context, r *weftv1.SetValidatorsRequest) (*weftv1.SetValidatorsResponse, error) {
	set := ValidatorSet{Peers: map[core.PeerID]uint64{}, Keys: map[ValidatorKey]uint64{}}
	if len(r.Validators) > validators.MaxEntries {
		return nil, explain(fmt.Errorf("%w: %d validators: at most %d", ErrArgument, len(r.Validators), validators.MaxEntries))
	}
	for i, v := range r.Validators {
		if err := addValidator(set, v); err != nil {
			return nil, explain(fmt.Errorf("%w: validator %d: %w", ErrArgument, i+1, err))
		}
	}
	if err := a.n.SetValidators(set); err != nil {
		return nil, explain(err)
	}
	return &weftv1.SetValidatorsResponse{}, nil
}

func addValidator(set ValidatorSet, v *weftv1.Validator) error {
	weight := max(v.Weight, 1)
	switch {
	case (v.PeerId == "") == (v.Key == ""):
		return fmt.Errorf("give either peer_id or key")
	case v.PeerId != "":
		id, err := parsePeer(v.PeerId)
		if err != nil {
			return err
		}
		set.Peers[id] = weight
	default:
		key, err := validators.ParseKey(v.Key)
		if err != nil {
			return err
		}
		set.Keys[key] = weight
	}
	return nil
}

func (a api) Bans(ctx context.Context, _ *weftv1.BansRequest) (*weftv1.BansResponse, error) {
	bans, err := a.n.Bans(ctx)
	if err != nil {
		return nil, explain(err)
	}
	out := &weftv1.BansResponse{}
	for _, b := range bans {
		out.Bans = append(out.Bans, banText(b))
	}
	return out, nil
}

func banText(b Ban) *weftv1.PeerBan {
	out := &weftv1.PeerBan{
		Group: string(b.Group), Until: timestamp(b.Until), Reason: legible(b.Reason, maxText), Times: uint32(b.Times), ByHand: b.ByHand,
	}
	if b.Peer != "" {
		out.PeerId = b.Peer.String()
	}
	return out
}

// parseTarget reads whom a ban is about.
func parseTarget(id, group string) (p peer.ID, g Group, err error) {
	switch {
	case (id == "") == (group == ""):
		return "", "", fmt.Errorf("%w: give either peer_id or group", ErrArgument)
	case id != "":
		p, err = parsePeer(id)
	default:
		g, err = ParseGroup(group)
	}
	return p, g, err
}

func (a api) Ban(ctx context.Context, r *weftv1.BanRequest) (*weftv1.BanResponse, error) {
	id, group, err := parseTarget(r.PeerId, r.Group)
	if err != nil {
		return nil, explain(err)
	}
	d, err := banTime(r.Duration)
	if err != nil {
		return nil, explain(err)
	}
	reason := cmp.Or(r.Reason, "by the owner")
	if len(reason) > maxReason {
		return nil, explain(fmt.Errorf("%w: a reason of %d bytes: at most %d", ErrArgument, len(reason), maxReason))
	}
	if id != "" {
		err = a.n.Ban(ctx, id, d, reason)
	} else {
		err = a.n.BanGroup(ctx, group, d, reason)
	}
	if err != nil {
		return nil, explain(err)
	}
	bans, err := a.n.Bans(ctx)
	if err != nil {
		return nil, explain(err)
	}
	ban := banOf(bans, id, group)
	if ban == nil {
		return nil, explain(fmt.Errorf("the ban of %s%s ended before it could be shown", r.PeerId, group))
	}
	return &weftv1.BanResponse{Ban: banText(*ban)}, nil
}

func banTime(d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return 0, nil
	}
	if !d.IsValid() || d.AsDuration() <= 0 {
		return 0, fmt.Errorf("%w: a ban of %v: use more than zero, or leave it out", ErrArgument, d.AsDuration())
	}
	return d.AsDuration(), nil
}

func (a api) Unban(ctx context.Context, r *weftv1.UnbanRequest) (*weftv1.UnbanResponse, error) {
	id, group, err := parseTarget(r.PeerId, r.Group)
	if err != nil {
		return nil, explain(err)
	}
	if id != "" {
		err = a.n.Unban(ctx, id)
	} else {
		err = a.n.UnbanGroup(ctx, group)
	}
	if err != nil {
		return nil, explain(err)
	}
	return &weftv1.UnbanResponse{}, nil
}
