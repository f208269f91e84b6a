package peerlist

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

const (
	// minLookups is what a question costs at least, in lookups: decoding it and
	// encoding the answer take about as long as 250 lookups.
	minLookups = 250
	// maxStreak bounds the questions that follow each other without a pause.
	// Chosen because 15 x 2,400 claims fill the largest book.
	maxStreak = 2400
)

// Exchange asks members for the claims that the book lacks and answers theirs.
type Exchange struct {
	book    *Book
	cfg     Config
	rng     *rand.Rand
	parse   func(envelope []byte) (Entry, error)
	members map[core.PeerID]*member
	order   []core.PeerID // the members again, to draw from

	lastID   uint64
	waiting  core.PeerID // whom the last question went to; empty: answered, or given up
	answerBy time.Time
	askAt    time.Time // zero: nobody to ask
	pause    time.Duration
	streak   int
	renewAt  time.Time // of the filter
}

// member is a peer that completed the handshake.
type member struct {
	asked  uint64    // ID of our question that it may still answer; 0: none
	budget int       // lookups it may cost; below zero it owes some
	filled time.Time // when budget was last topped up
}

// NewExchange makes the exchange over a book. parse reads a claim from an
// envelope without checking its signature.
func NewExchange(book *Book, parse func([]byte) (Entry, error), rng *rand.Rand) *Exchange {
	return &Exchange{
		book:    book,
		cfg:     book.cfg,
		rng:     rng,
		parse:   parse,
		members: map[core.PeerID]*member{},
		pause:   book.cfg.AskEvery,
	}
}

// Ready takes in a member whose handshake completed, with the claim from it.
func (x *Exchange) Ready(now time.Time, claim Entry) {
	if _, again := x.members[claim.Peer]; !again {
		x.members[claim.Peer] = &member{budget: x.cfg.LookupBurst, filled: now}
		x.order = append(x.order, claim.Peer)
	}
	first := x.askAt.IsZero()
	if x.book.Connected(claim) || first {
		x.pause = x.cfg.AskEvery // somebody new: there may be more
		x.askAt = core.Earliest(x.askAt, now.Add(x.pause))
	}
	if first && x.streak > 0 {
		x.askAt = now // its full greeting was news before there was anyone to ask
	}
}

// Renewed takes in the claim that a member pushed on its own link.
func (x *Exchange) Renewed(claim Entry) {
	if x.members[claim.Peer] != nil {
		x.book.Connected(claim)
	}
}

// Gone forgets a member that disconnected.
func (x *Exchange) Gone(now time.Time, peer core.PeerID) {
	delete(x.members, peer)
	x.order = slices.DeleteFunc(x.order, func(p core.PeerID) bool { return p == peer })
	x.book.Disconnected(peer)
	if x.waiting == peer {
		x.waiting = ""
		x.askAt = now
	}
}

// OnGetPeerList answers a member's question.
func (x *Exchange) OnGetPeerList(now time.Time, from core.PeerID, payload []byte, out *[]Action) {
	m := x.members[from]
	if m == nil {
		return
	}
	if !m.affordable(now, x.cfg) {
		x.blame(from, FaultTooOften, "its questions cost more lookups than allowed", out)
		return
	}
	q, err := ParseGetPeerList(payload)
	if err != nil {
		m.budget -= minLookups
		x.blame(from, FaultBadQuery, err.Error(), out)
		return
	}
	answer, lookups := x.answer(now, from, q.Query)
	m.budget -= minLookups + lookups
	answer.ID = q.ID
	x.book.stats.Answered++
	*out = append(*out, Send{from, TypePeerList, answer.Append(nil)})
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

func (x *Exchange) answer(now time.Time, asker core.PeerID, q Query) (PeerList, int) {
	claims, lookups := x.book.Answer(now, asker, q)
	x.book.stats.Lookups += uint64(lookups)
	list := PeerList{Envelopes: make([][]byte, len(claims))}
	for i, c := range claims {
		list.Envelopes[i] = c.Envelope
	}
	return list, lookups
}

// affordable tops the budget up and says whether anything is left. One question
// may overdraw it, so that its cost need not be known before.
func (m *member) affordable(now time.Time, cfg Config) bool {
	if idle := now.Sub(m.filled); idle > 0 {
		// A long idle time fills the budget whatever it is; the bound keeps the
		// product from overflowing.
		idle = min(idle, time.Duration(cfg.LookupBurst/cfg.LookupsPerSecond+1)*2*time.Second)
		gain := int(idle.Seconds() * float64(cfg.LookupsPerSecond))
		m.budget = min(m.budget+gain, cfg.LookupBurst)
		m.filled = now
	}
	return m.budget > 0
}

// OnPeerList takes in the answer of a member.
func (x *Exchange) OnPeerList(now time.Time, from core.PeerID, payload []byte, out *[]Action) {
	m := x.members[from]
	if m == nil {
		return
	}
	if m.asked == 0 {
		x.blame(from, FaultUnsolicited, "no question of ours is open", out)
		return
	}
	list, err := ParsePeerList(payload)
	if err == nil && list.ID != m.asked {
		x.blame(from, FaultUnsolicited, "it answers another question than the open one", out)
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
func (x *Exchange) OnGreeting(now time.Time, from core.PeerID, payload []byte, out *[]Action) {
	list, err := ParsePeerList(payload)
	x.take(now, Verify{From: from}, list, err, out)
}

// take asks for the check of those claims in a list that would be news.
func (x *Exchange) take(now time.Time, v Verify, list PeerList, err error, out *[]Action) {
	if err != nil {
		fault := FaultBadAnswer
		if errors.Is(err, ErrOversized) {
			fault = FaultOversized
		}
		x.blame(v.From, fault, err.Error(), out)
	}
	v.full = len(list.Envelopes) == MaxAnswer
	v.Claims = x.news(v.From, list.Envelopes, out)
	if len(v.Claims) == 0 {
		x.settle(now, v, false, out)
		return
	}
	*out = append(*out, v)
}

// news parses envelopes and keeps the claims worth a signature check. A bad one
// does not spoil the rest, and costs its sender once.
func (x *Exchange) news(from core.PeerID, envelopes [][]byte, out *[]Action) []Entry {
	var news []Entry
	var bad error
	for _, raw := range envelopes {
		e, err := x.parse(raw)
		if err != nil {
			bad = err
			continue
		}
		twice := slices.ContainsFunc(news, func(n Entry) bool { return n.Peer == e.Peer })
		if twice || !x.book.Wanted(e.Peer, e.Timestamp) {
			x.book.stats.Stale++
			continue
		}
		news = append(news, e)
	}
	if bad != nil {
		x.blame(from, FaultBadAnswer, bad.Error(), out)
	}
	return news
}

// Verified answers Verify: good are those of its claims that passed.
func (x *Exchange) Verified(now time.Time, v Verify, good []Entry, out *[]Action) {
	if len(good) < len(v.Claims) {
		x.blame(v.From, FaultBadClaim, "it told a claim whose check fails", out)
	}
	news := false
	for _, e := range good {
		if x.book.Add(e, v.From) {
			news = true
			x.book.stats.Learned++
			*out = append(*out, Learned{Claim: e, From: v.From})
		}
	}
	x.settle(now, v, news, out)
}

func (x *Exchange) blame(peer core.PeerID, f Fault, detail string, out *[]Action) {
	x.book.stats.Faults++
	*out = append(*out, Penalize{peer, f, detail})
}

// Stats returns the counters and gauges of the exchange and its book.
func (x *Exchange) Stats() Stats {
	s := x.book.stats
	s.Entries, s.Connected = len(x.book.nodes), len(x.book.live)
	s.Tellable = len(x.book.tell[tellTrusted]) + len(x.book.tell[tellOthers])
	filter := x.book.known.query.filter
	s.FilterKeys, s.FilterBytes, s.FalsePositives = filter.count, len(filter.bits), filter.falsePositives()
	return s
}
