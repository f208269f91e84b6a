package peerlist

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
)

const (
	// minLookups is what a question costs at least, in lookups: decoding it and
	// encoding the answer take about as long as 250 lookups.
	minLookups = 250
	// maxStreak bounds the questions that follow each other without a pause.
	// Chosen because 15 x 2,400 claims fill the largest filter.
	maxStreak = 2400
)

// Exchange asks members for the claims that the book lacks and answers theirs.
type Exchange struct {
	tracker *Tracker
	cfg     Config
	rng     *rand.Rand
	askers  map[core.PeerID]*asker // the members, bounded by the peer limit
	order   []core.PeerID          // the members again, to draw from

	lastID   uint64
	waiting  core.PeerID // whom the last question went to; empty: answered, or given up
	answerBy time.Time
	askAt    time.Time // zero: nobody to ask
	pause    time.Duration
	streak   int
	renewAt  time.Time // of the filter
}

// asker is a member, as one who asks and is asked.
type asker struct {
	asked   uint64      // ID of our question that it may still answer; 0: none
	late    int         // earlier questions without an answer: one may be on its way
	lookups core.Bucket // that it may cost. One question may overdraw it, so that its cost need not be known before
}

// NewExchange makes the exchange over a tracker.
func NewExchange(t *Tracker, rng *rand.Rand) *Exchange {
	return &Exchange{tracker: t, cfg: t.cfg, rng: rng, askers: map[core.PeerID]*asker{}, pause: t.cfg.AskFirst}
}

// Ready takes in a member whose handshake completed, with the claim from it.
func (x *Exchange) Ready(now time.Time, own claim.Signed) {
	if _, again := x.askers[own.Peer]; !again {
		x.askers[own.Peer] = &asker{lookups: core.Bucket{PerSecond: float64(x.cfg.LookupsPerSecond), Most: float64(x.cfg.LookupBurst)}}
		x.order = append(x.order, own.Peer)
	}
	first := x.askAt.IsZero()
	if x.tracker.Connected(now, own) == nil || first {
		x.hurry(now, first) // somebody new: there may be more
	}
	if first && x.streak > 0 {
		x.askAt = now // its full greeting was news before there was anyone to ask
	}
}

// Renewed takes in a claim that a member pushed on its own link. The error is the
// book's claim.Reason.
func (x *Exchange) Renewed(now time.Time, own claim.Signed, out *[]core.Action) error {
	if x.askers[own.Peer] == nil {
		return claim.Unwanted
	}
	err := x.tracker.Connected(now, own)
	x.blameAuthor(own.Peer, err, out)
	return err
}

// Gone forgets a member that disconnected.
func (x *Exchange) Gone(now time.Time, peer core.PeerID) {
	delete(x.askers, peer)
	x.order = slices.DeleteFunc(x.order, func(p core.PeerID) bool { return p == peer })
	x.tracker.Disconnected(peer)
	if x.waiting == peer {
		x.waiting = ""
		x.askAt = now
	}
}

// OnGetPeerList answers a member's question.
func (x *Exchange) OnGetPeerList(now time.Time, from core.PeerID, payload []byte, out *[]core.Action) {
	m := x.askers[from]
	if m == nil {
		return
	}
	if m.lookups.Have(now) <= 0 {
		x.blame(from, OffenceTooOften, "its questions cost more lookups than allowed", out)
		return
	}
	q, err := ParseGetPeerList(payload)
	if err != nil {
		m.lookups.Spend(now, minLookups)
		x.blame(from, OffenceBadQuery, err.Error(), out)
		return
	}
	answer, lookups := x.answer(now, from, q.Query)
	m.lookups.Spend(now, float64(minLookups+lookups))
	answer.ID = q.ID
	x.tracker.stats.Answered++
	*out = append(*out, send(from, TypePeerList, answer.Append(nil)))
}

// Greet is the PeerList that accepts the handshake of a peer which sent query.
func (x *Exchange) Greet(now time.Time, peer core.PeerID, query []byte) ([]byte, error) {
	q, err := ParseQuery(query)
	if err != nil {
		return nil, err
	}
	answer, _ := x.answer(now, peer, q)
	return answer.Append(nil), nil
}

func (x *Exchange) answer(now time.Time, asker core.PeerID, q bloom.Query) (PeerList, int) {
	claims, lookups := x.tracker.Answer(now, asker, q)
	x.tracker.stats.Lookups += uint64(lookups)
	list := PeerList{Envelopes: make([][]byte, len(claims))}
	for i, c := range claims {
		list.Envelopes[i] = c.Bytes()
	}
	return list, lookups
}

// OnPeerList takes in the answer of a member.
func (x *Exchange) OnPeerList(now time.Time, from core.PeerID, payload []byte, out *[]core.Action) {
	m := x.askers[from]
	if m == nil {
		return
	}
	list, err := ParsePeerList(payload)
	switch {
	case err == nil && list.ID != m.asked && m.late > 0:
		m.late-- // it was slow, or we were
		x.tracker.stats.Late++
		return
	case m.asked == 0:
		x.blame(from, OffenceUnsolicited, "no question of ours is open", out)
		return
	case err == nil && list.ID != m.asked:
		x.blame(from, OffenceUnsolicited, "it answers another question than the open one", out)
		return
	}
	m.asked = 0
	if x.waiting == from {
		x.waiting = ""
	}
	x.take(now, Verify{From: from, asked: true}, list, err, out)
}

// OnGreeting takes in the PeerList with which a peer accepted our handshake. It
// comes once, before Ready.
func (x *Exchange) OnGreeting(now time.Time, from core.PeerID, payload []byte, out *[]core.Action) {
	list, err := ParsePeerList(payload)
	x.take(now, Verify{From: from}, list, err, out)
}

// take asks for the check of those claims in a list that would be news.
func (x *Exchange) take(now time.Time, v Verify, list PeerList, err error, out *[]core.Action) {
	if err != nil {
		fault := OffenceBadAnswer
		if errors.Is(err, ErrOversized) {
			fault = OffenceOversized
		}
		x.blame(v.From, fault, err.Error(), out)
	}
	v.full = len(list.Envelopes) == MaxAnswer
	v.Envelopes = x.news(now, v.From, list.Envelopes, out)
	if len(v.Envelopes) == 0 {
		x.settle(now, v, false, out)
		return
	}
	*out = append(*out, v)
}

// news keeps the claims worth a signature check. A bad one does not spoil the
// rest, and many cost their sender as much as one.
func (x *Exchange) news(now time.Time, from core.PeerID, envelopes [][]byte, out *[]core.Action) (news [][]byte) {
	var bad []error
	for _, raw := range envelopes {
		if err := x.tracker.book.Precheck(now, from, raw); err != nil {
			x.tracker.stats.Stale++
			bad = append(bad, err)
			continue
		}
		news = append(news, raw)
	}
	x.blameBearer(from, bad, out)
	return news
}

// Verified answers Verify: good are the claims that passed, and bad the errors of
// those that did not.
func (x *Exchange) Verified(now time.Time, v Verify, good []claim.Signed, bad []error, out *[]core.Action) {
	for _, err := range bad {
		_ = x.tracker.book.Count(err)
	}
	x.blameBearer(v.From, bad, out)
	news := false
	for _, s := range good {
		if err := x.tracker.Add(now, v.From, s); err != nil {
			x.blameAuthor(s.Peer, err, out)
			continue
		}
		news = true
		x.tracker.stats.Learned++
		*out = append(*out, Learned{Claim: s, From: v.From, Greeting: !v.asked})
	}
	x.settle(now, v, news, out)
}

// blameBearer blames who sent claims that an honest node would have refused.
func (x *Exchange) blameBearer(peer core.PeerID, refusals []error, out *[]core.Action) {
	at := slices.IndexFunc(refusals, func(err error) bool { return blameOf(err) == claim.Bearer })
	if at >= 0 {
		x.blame(peer, OffenceBadClaim, refusals[at].Error(), out)
	}
}

// blameAuthor blames who signed a claim, if its refusal is the signer's fault.
func (x *Exchange) blameAuthor(peer core.PeerID, refusal error, out *[]core.Action) {
	if blameOf(refusal) == claim.Author {
		x.blame(peer, OffenceEquivocation, refusal.Error(), out)
	}
}

func blameOf(err error) claim.Blame {
	var why claim.Reason
	if errors.As(err, &why) {
		return why.Blame()
	}
	return claim.Nobody
}

func (x *Exchange) blame(peer core.PeerID, f core.Offence, detail string, out *[]core.Action) {
	x.tracker.stats.Faults++
	*out = append(*out, core.Penalize{Peer: peer, Offence: f, Detail: detail})
}

// Stats returns gauges and counters.
func (x *Exchange) Stats() Stats {
	t := x.tracker
	s := t.stats
	s.Connected = len(t.members)
	s.Tellable = len(t.tell[tellTrusted]) + len(t.tell[tellOthers])
	filter := t.known.query.Filter
	s.FilterKeys, s.FilterBytes, s.FalsePositives = filter.Keys(), filter.Size(), filter.FalsePositives()
	return s
}
