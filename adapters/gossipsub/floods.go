package gossipsub

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

// What an honest peer can say is bounded by what there is to say: it announces messages
// that exist, asks for those that we announced, changes meshes of topics that we share.
// So budgets grow with our own traffic, and only what exceeds them by far is an offence.

const (
	// repeats is how often one message may be announced, or asked for: chosen as
	// gossipsub's retransmissions under episub, twice those of plain gossipsub.
	repeats = 8
	// announceSlack is how many message IDs a peer may announce a second beyond repeats
	// of those that came: chosen as gossipsub's MaxIHaveLength in each of two topics.
	announceSlack = 10_000
	// requestSlack is how many it may ask for that we did not announce to it: chosen for
	// what was announced on a connection before this one.
	requestSlack, requestsPerSec = 512, 16
	// unwantedSlack is how many messages it may refuse beyond repeats of those that came:
	// chosen for 32 Mbit/s of messages of 1 KiB, the least that plain peers refuse, when
	// they come to it a second sooner.
	unwantedSlack, unwantedPerSec = 4096, 1024
	// meshSlack and meshPerTopic are how many GRAFTs and PRUNEs a peer may send at once,
	// and regain is the time in which it may send as many again: episub changes a link
	// each 2 s at most, gossipsub each minute. Chosen for a peer that has to refill a
	// mesh in every topic.
	meshSlack, meshPerTopic = 64, 4
	regain                  = 32 * time.Second
	// hasty is what a GRAFT within the back-off counts.
	hasty = 8
	// topicsPerSec is how many topics a peer may name a second when it has used up what
	// the filter allows: chosen for sessions with a topic each.
	topicsPerSec = 16

	// For each overdraft of so many an offence more.
	perOffenceIDs, perOffenceFew, perOffenceRefusals = 100, 20, 1000
	// tellAtOnce offences of a peer are told at once, then one a second: nine ban.
	tellAtOnce = 9

	// conductKept bounds the peers that are watched, conductTime is for how long one that
	// left is remembered, so that nobody gains by connecting anew.
	conductKept = 4096
	conductTime = 2 * time.Minute
	// refusalsKept bounds the topics of one peer whose back-off is remembered.
	refusalsKept = 64
	// crossing is how long a GRAFT may have been under way when we sent PRUNE, and
	// early how much sooner than ours another clock may end a back-off.
	crossing, early = 3 * time.Second, time.Second
	// leastBackoff is what is no choke: that says nothing about the other direction.
	leastBackoff = 2
)

// floods finds who says too much. Pubsub's process loop calls it, and its validators.
type floods struct {
	blame     func(peer.ID, core.Offence, string)
	connected func(peer.ID) bool
	filter    *filter
	topics    float64       // that a peer may name at once
	heard     atomic.Uint64 // messages that came
	promised  atomic.Int64  // length of open

	mu    sync.Mutex // held for moments only
	peers map[peer.ID]*conduct
	open  map[uint64]*promise // by key of the message
	order []*promise          // oldest first
}

// conduct is what a peer has left of its budgets.
type conduct struct {
	ihave, iwant, unwanted, mesh, topics, broken, told core.Bucket

	heard   uint64               // messages, when it was last credited for them
	offered int                  // requests that our announcements to it allow
	refused map[string]time.Time // by topic: the end of its back-off, nil until one
	hastyAt time.Time            // from when on a GRAFT cannot have crossed our last PRUNE
	seen    time.Time
}

func newFloods(p *PubSub) *floods {
	return &floods{
		blame: p.blame, connected: p.trace.open, filter: p.filter,
		topics: float64(p.cfg.MaxTopicsPerPeer + p.cfg.MaxSubscriptionsPerRPC),
		peers:  make(map[peer.ID]*conduct), open: make(map[uint64]*promise),
	}
}

// of finds the conduct of a peer. The caller holds mu.
func (f *floods) of(now time.Time, id peer.ID) *conduct {
	c := f.peers[id]
	if c == nil {
		f.sweep(now)
		c = &conduct{
			ihave:    core.Bucket{PerSecond: announceSlack, Most: 2 * announceSlack},
			iwant:    core.Bucket{PerSecond: requestsPerSec, Most: requestSlack},
			unwanted: core.Bucket{PerSecond: unwantedPerSec, Most: unwantedSlack},
			mesh:     core.Bucket{PerSecond: 1 / regain.Seconds(), Most: 1},
			topics:   core.Bucket{PerSecond: topicsPerSec, Most: f.topics},
			broken:   core.Bucket{PerSecond: brokenPerSec, Most: brokenSlack},
			told:     core.Bucket{PerSecond: 1, Most: tellAtOnce},
			heard:    f.heard.Load(),
		}
		f.peers[id] = c
	}
	c.seen = now
	return c
}

// sweep makes room, for many at a time: it looks at all.
func (f *floods) sweep(now time.Time) {
	if len(f.peers) < conductKept {
		return
	}
	for id, c := range f.peers {
		if now.Sub(c.seen) > conductTime {
			delete(f.peers, id)
		}
	}
	for id := range f.peers {
		if len(f.peers) < conductKept/8*7 {
			return
		}
		delete(f.peers, id)
	}
}

// overdraft spends n of a budget. It returns how many offences it is worth that this is
// more than there was, one for each step begun; they pay for it.
func overdraft(b *core.Bucket, now time.Time, n, step float64) int {
	b.Spend(now, n)
	debt := -b.Have(now)
	if debt <= 0 {
		return 0
	}
	steps := math.Ceil(debt / step)
	b.Spend(now, -steps*step)
	return int(min(steps, tellAtOnce))
}

// tell blames a peer so many times, as far as it is not blamed too often already.
func (f *floods) tell(now time.Time, id peer.ID, c *conduct, times int, o core.Offence, format string, args ...any) {
	for ; times > 0 && c.told.Take(now); times-- {
		f.blame(id, o, fmt.Sprintf(format, args...))
	}
}

// inspect counts what a peer says, before anything is changed of it.
func (f *floods) inspect(from peer.ID, rpc *pubsub.RPC) {
	control, subs := rpc.GetControl(), rpc.GetSubscriptions()
	if f == nil || control == nil && len(subs) == 0 {
		return
	}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire(now)
	c := f.of(now, from)
	foreign := len(subs)
	if control != nil {
		f.credit(now, c)
		f.announces(now, from, c, control)
		f.refusals(now, from, c, control)
		f.requests(now, from, c, control)
		foreign += f.meshes(now, from, c, control)
	}
	if foreign > 0 {
		n := overdraft(&c.topics, now, float64(foreign), perOffenceIDs)
		f.tell(now, from, c, n, core.OffenceGossipTopics, "%d changes of topics in a message, too many before", foreign)
	}
}

// credit allows a peer more for the messages that came since the last time.
func (f *floods) credit(now time.Time, c *conduct) {
	heard := f.heard.Load()
	more := repeats * float64(heard-c.heard)
	c.ihave.Spend(now, -more)
	c.unwanted.Spend(now, -more)
	c.heard = heard
}

func (f *floods) announces(now time.Time, from peer.ID, c *conduct, control *pb.ControlMessage) {
	ids := 0
	for _, m := range control.GetIhave() {
		ids += len(m.GetMessageIDs())
	}
	if ids == 0 {
		return
	}
	n := overdraft(&c.ihave, now, float64(ids), announceSlack/10)
	f.tell(now, from, c, n, core.OffenceGossipIHave, "%d IDs announced in a message, too many before", ids)
}

// refusals counts what a peer does not want: pubsub remembers each for three heartbeats.
func (f *floods) refusals(now time.Time, from peer.ID, c *conduct, control *pb.ControlMessage) {
	ids := 0
	for _, m := range control.GetIdontwant() {
		ids += len(m.GetMessageIDs())
	}
	if ids == 0 {
		return
	}
	n := overdraft(&c.unwanted, now, float64(ids), perOffenceRefusals)
	f.tell(now, from, c, n, core.OffenceGossipUnwant, "%d IDs refused in a message, too many before", ids)
}

func (f *floods) requests(now time.Time, from peer.ID, c *conduct, control *pb.ControlMessage) {
	ids := 0
	for _, m := range control.GetIwant() {
		ids += len(m.GetMessageIDs())
	}
	if ids == 0 {
		return
	}
	covered := min(ids, c.offered)
	c.offered -= covered
	n := overdraft(&c.iwant, now, float64(ids-covered), perOffenceIDs)
	f.tell(now, from, c, n, core.OffenceGossipIWant, "%d IDs asked for in a message, beyond what was offered", ids)
}

// meshes counts GRAFTs and PRUNEs in topics of ours, and returns how many are in others.
func (f *floods) meshes(now time.Time, from peer.ID, c *conduct, control *pb.ControlMessage) (foreign int) {
	ours, early, absurd := 0, 0, false
	for _, g := range control.GetGraft() {
		switch topic := g.GetTopicID(); {
		case !f.filter.mine(topic):
			foreign++
		case c.hasty(now, topic):
			early++
		default:
			ours++
		}
	}
	for _, p := range control.GetPrune() {
		absurd = absurd || p.GetBackoff() > uint64(maxBackoff/time.Second)
		if f.filter.mine(p.GetTopicID()) {
			ours++
		} else {
			foreign++
		}
	}
	if absurd {
		f.tell(now, from, c, 1, core.OffenceGossipBackoff, "over %s", maxBackoff)
	}
	if ours+early > 0 {
		share := 1 / float64(meshSlack+meshPerTopic*f.filter.topics())
		n := overdraft(&c.mesh, now, share*float64(ours+hasty*early), share*perOffenceFew)
		f.tell(now, from, c, n, core.OffenceGossipGraft, "%d GRAFT and PRUNE in a message, %d of them within the back-off, too many before", ours+early, early)
	}
	return foreign
}

// hasty says whether a GRAFT comes within the back-off that we demanded.
func (c *conduct) hasty(now time.Time, topic string) bool {
	until, refused := c.refused[topic]
	if refused && !now.Before(until) {
		delete(c.refused, topic)
	}
	return refused && now.Before(until) && now.After(c.hastyAt)
}

// sent notes what we say to a peer: it may answer.
func (f *floods) sent(to peer.ID, rpc *pubsub.RPC, key func(string) uint64) {
	control := rpc.GetControl()
	if f == nil || control == nil && len(rpc.GetPublish()) == 0 {
		return
	}
	offered := len(rpc.GetPublish())
	for _, m := range control.GetIhave() {
		offered += len(m.GetMessageIDs())
	}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.of(now, to)
	c.offered = min(c.offered+repeats*offered, 1<<20)
	for _, m := range control.GetIwant() {
		f.promise(now, to, m.GetMessageIDs(), key)
	}
	for _, p := range control.GetPrune() {
		c.refuse(now, p)
	}
}

func (c *conduct) refuse(now time.Time, p *pb.ControlPrune) {
	if p.GetBackoff() < leastBackoff {
		return
	}
	if c.refused == nil {
		c.refused = make(map[string]time.Time)
	}
	if len(c.refused) >= refusalsKept {
		for topic, until := range c.refused {
			if !now.Before(until) {
				delete(c.refused, topic)
			}
		}
	}
	if len(c.refused) < refusalsKept {
		c.refused[p.GetTopicID()] = now.Add(time.Duration(min(p.GetBackoff(), 60))*time.Second - early)
		c.hastyAt = now.Add(crossing)
	}
}

// fresh counts a message that was not here before.
func (f *floods) fresh() {
	if f != nil {
		f.heard.Add(1)
	}
}
