package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"time"

	p2pevent "github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"

	"github.com/weftnet/weft/adapters/store"
	"github.com/weftnet/weft/adapters/validators"
	"github.com/weftnet/weft/node/internal/loop"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/discovery"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/reputation"
)

// Errors of the validator set.
var (
	ErrValidatorsFile = errors.New("a file holds the validator set: edit it")
	ErrNotBanned      = errors.New("not banned")
	ErrBansFull       = reputation.ErrFull
)

type (
	// Claim is a signed address claim that the node holds.
	Claim = discovery.ClaimState
	// Validator is one place in the validator set.
	Validator = discovery.Validator
	// ValidatorSet names validators by peer ID, or by the key of a consensus
	// identity, with weights.
	ValidatorSet = validators.Set
	// ValidatorKey is the Ed25519 public key of a consensus identity.
	ValidatorKey = validators.Key
	// MemberView is how the protocols see a connected peer.
	MemberView = discovery.Peer
	// Refusal says why a handshake failed last.
	Refusal = discovery.Refusal
)

// prepare tells the machine, before the first peer can come, what earlier runs and
// the operator's files know.
func (n *Node) prepare(p *parts) error {
	bans, err := p.store.SavedBans(time.Now())
	if err != nil {
		return err
	}
	p.command(discovery.LoadBans{Bans: bans})
	if err := n.watchMembers(p); err != nil {
		return err
	}
	return n.watchValidators(p)
}

// command posts a command to the machine.
func (p *parts) command(body any) { p.loop.Post(core.Command{Body: body}) }

func (n *Node) watchMembers(p *parts) (err error) {
	if n.cfg.MembersFile == "" {
		return nil
	}
	changed := func(s validators.Set) {
		p.command(discovery.SetMembers{Peers: slices.Collect(maps.Keys(s.Peers))})
	}
	p.members, err = n.watch(p, n.cfg.MembersFile, validators.Members, changed)
	return err
}

func (n *Node) watchValidators(p *parts) (err error) {
	if n.cfg.ValidatorsFile == "" {
		return nil
	}
	p.validators, err = n.watch(p, n.cfg.ValidatorsFile, validators.Validators, p.setValidators)
	return err
}

func (n *Node) watch(p *parts, path string, form validators.Form, changed func(validators.Set)) (*validators.Watcher, error) {
	cfg := validators.DefaultConfig()
	cfg.Path, cfg.Form, cfg.Changed, cfg.Logger = path, form, changed, n.cfg.Logger
	w, err := validators.Watch(cfg)
	if err != nil {
		return nil, err
	}
	p.onClose(w.Close)
	changed(w.Set())
	return w, nil
}

func (p *parts) setValidators(s validators.Set) {
	keys := make(map[discovery.Key]uint64, len(s.Keys))
	for k, weight := range s.Keys {
		keys[discovery.Key(k)] = weight
	}
	p.trusted.set(s.Peers)
	p.command(discovery.SetValidators{Peers: s.Peers, Keys: keys})
	p.command(dissemination.SetValidators{Keys: authors(s)})
}

// authors are the keys with which validators sign objects: those of their peer IDs
// and of their consensus identities.
func authors(s validators.Set) (keys []ed25519.PublicKey) {
	for id := range s.Peers {
		if key := peerKey(id); key != nil {
			keys = append(keys, key)
		}
	}
	for key := range s.Keys {
		keys = append(keys, ed25519.PublicKey(key[:]))
	}
	return keys
}

// trustedPeers are the validators that are named by peer ID, for the adapters that
// ask from other goroutines; the machine has its own.
type trustedPeers struct {
	peers atomic.Pointer[map[core.PeerID]uint64]
}

func (t *trustedPeers) set(peers map[core.PeerID]uint64) { t.peers.Store(&peers) }

func (t *trustedPeers) has(id peer.ID) bool {
	if peers := t.peers.Load(); peers != nil {
		_, ok := (*peers)[id]
		return ok
	}
	return false
}

// resolveEvery is how often names in our own addresses are looked up again; chosen
// as the shortest life that DNS records commonly have.
const resolveEvery = time.Minute

// keepAddrs tells the machine at which addresses we can be reached, until ctx ends.
func (n *Node) keepAddrs(ctx context.Context, p *parts, updates p2pevent.Subscription) {
	defer updates.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-updates.Out():
		case <-time.After(resolveEvery):
		}
		p.command(discovery.SetAddrs{Addrs: n.resolved(ctx, p.host.Addrs())})
	}
}

// resolved replaces names by what they stand for. One that does not resolve now is
// left out until it does.
func (n *Node) resolved(ctx context.Context, addrs []multiaddr.Multiaddr) (out []multiaddr.Multiaddr) {
	for _, a := range addrs {
		if !madns.Matches(a) {
			out = append(out, a)
			continue
		}
		found, err := n.cfg.Resolver.Resolve(ctx, a)
		if err != nil {
			n.cfg.Logger.Warn("our own address does not resolve: it is left out of our claim", "addr", a, "err", err)
			continue
		}
		out = append(out, found...)
	}
	return out
}

// loadClaims books the claims of earlier runs. Their signatures are checked anew,
// away from the loop, as nothing else vouches for a file.
func (n *Node) loadClaims(ctx context.Context, p *parts) {
	saved, err := p.store.SavedClaims(time.Now(), store.MaxSavedClaims)
	if err != nil {
		n.cfg.Logger.Warn("saved claims cannot be read: they will be learnt again", "err", err)
	}
	for batch := range slices.Chunk(saved, claimBatch) {
		var good []claim.Signed
		for _, c := range batch {
			if s, err := claim.Verify(c.Envelope); err == nil && s.Network() == n.cfg.Network && ctx.Err() == nil {
				good = append(good, s)
			}
		}
		p.command(discovery.LoadClaims{Claims: good})
	}
}

// claimBatch bounds the claims of one command, so that it does not hold up the
// loop; chosen because booking one costs microseconds.
const claimBatch = 256

// ask reads the machine on the loop's goroutine.
func ask[T any](ctx context.Context, n *Node, read func(*discovery.Machine, time.Time) T) (answer T, err error) {
	p, err := n.live()
	if err != nil {
		return answer, err
	}
	answer, err = loop.Ask(ctx, p.loop, func(now time.Time) T { return read(p.discovery, now) })
	if errors.Is(err, loop.ErrStopped) {
		err = ErrClosed
	}
	return answer, err
}

// Claims are the signed address claims that the node holds, its own included, by
// peer ID.
func (n *Node) Claims(ctx context.Context) ([]Claim, error) {
	return ask(ctx, n, (*discovery.Machine).Claims)
}

// Members are the connected peers as the protocols see them, by ID.
func (n *Node) Members(ctx context.Context) ([]MemberView, error) {
	return ask(ctx, n, (*discovery.Machine).Peers)
}

// Refusals are the handshakes that failed last, one of each peer.
func (n *Node) Refusals(ctx context.Context) ([]Refusal, error) {
	return ask(ctx, n, (*discovery.Machine).Refusals)
}

// Validators are the validator set.
func (n *Node) Validators(ctx context.Context) ([]Validator, error) {
	return ask(ctx, n, (*discovery.Machine).Validators)
}

// SetValidators replaces the validator set until the node is closed. It is refused
// while a file holds the set.
func (n *Node) SetValidators(set ValidatorSet) error {
	p, err := n.live()
	if err != nil {
		return err
	}
	if p.validators != nil {
		return fmt.Errorf("%w: %s", ErrValidatorsFile, n.cfg.ValidatorsFile)
	}
	if err := checkWeights(set); err != nil {
		return err
	}
	p.setValidators(ValidatorSet{Peers: maps.Clone(set.Peers), Keys: maps.Clone(set.Keys)}) // the caller's may change
	return nil
}

// checkWeights holds a set to what a file may say.
func checkWeights(set ValidatorSet) error {
	var total uint64
	for w := range allWeights(set) {
		switch {
		case w == 0:
			return fmt.Errorf("%w: a validator has the weight 0: use 1 or more, or leave it out", ErrArgument)
		case w > math.MaxUint64-total:
			return fmt.Errorf("%w: all weights together pass 2^64: use smaller ones", ErrArgument)
		}
		total += w
	}
	return nil
}

func allWeights(set ValidatorSet) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for _, w := range set.Peers {
			if !yield(w) {
				return
			}
		}
		for _, w := range set.Keys {
			if !yield(w) {
				return
			}
		}
	}
}

// Ban disconnects a peer and refuses it, both ways, for a time; zero means an hour,
// doubled with each earlier ban. It is kept over restarts, and gives way to no other.
func (n *Node) Ban(ctx context.Context, id peer.ID, d time.Duration, reason string) error {
	p, err := n.live()
	switch {
	case err != nil:
		return err
	case id == p.host.ID():
		return ErrSelf
	}
	return n.ban(ctx, p, discovery.Ban{Peer: id, For: d, Reason: reason})
}

// BanGroup does the same with all of an IP group: see ParseGroup.
func (n *Node) BanGroup(ctx context.Context, g Group, d time.Duration, reason string) error {
	p, err := n.live()
	if err != nil {
		return err
	}
	if _, err := ParseGroup(string(g)); err != nil {
		return err
	}
	return n.ban(ctx, p, discovery.Ban{Group: g, For: d, Reason: reason})
}

func (n *Node) ban(ctx context.Context, p *parts, b discovery.Ban) error {
	if b.For < 0 {
		return fmt.Errorf("%w: a ban of %v: use more than zero", ErrArgument, b.For)
	}
	p.command(b)
	bans, err := n.Bans(ctx) // now it is in force
	if err == nil && b.For == 0 && banOf(bans, b.Peer, b.Group) == nil {
		return ErrBansFull
	}
	return err
}

// banOf finds the ban of a peer or, without one, of a group.
func banOf(bans []Ban, id peer.ID, g Group) *Ban {
	at := slices.IndexFunc(bans, func(b Ban) bool { return b.Peer == id && (id != "" || b.Group == g) })
	if at < 0 {
		return nil
	}
	return &bans[at]
}

// Unban lifts a peer's ban.
func (n *Node) Unban(ctx context.Context, id peer.ID) error {
	return n.unban(ctx, discovery.Unban{Peer: id}, id.String())
}

// UnbanGroup lifts the ban of an IP group. Peers in it that are banned themselves stay so.
func (n *Node) UnbanGroup(ctx context.Context, g Group) error {
	return n.unban(ctx, discovery.Unban{Group: g}, string(g))
}

func (n *Node) unban(ctx context.Context, u discovery.Unban, name string) error {
	bans, err := n.Bans(ctx)
	if err != nil {
		return err
	}
	if banOf(bans, u.Peer, u.Group) == nil {
		return fmt.Errorf("%w: %s", ErrNotBanned, name)
	}
	p, err := n.live()
	if err != nil {
		return err
	}
	p.command(u)
	_, err = n.Bans(ctx) // now it is lifted
	return err
}

// Bans are the bans in force, those that end first first.
func (n *Node) Bans(ctx context.Context) ([]Ban, error) {
	return ask(ctx, n, (*discovery.Machine).Bans)
}
