package simhost

import (
	"cmp"
	"crypto/ed25519"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// World is all that chance decides. It is never changed after it is made.
type World struct {
	Config Config
	delays geography
	places []place
	keys   []crypto.PrivKey
	dials  [][]int // by node: whom it dials
	plan   []action
	up     [][]span // by node: when it is up
	sends  []send
	end    time.Duration
}

// span is a time from the first message on; till is far away for the last one.
type span struct{ from, till time.Duration }

// send is a message: who publishes it and when.
type send struct {
	at       time.Duration
	by       int
	measured bool
}

// action is one step of the plan.
type action struct {
	at      time.Duration
	kind    actionKind
	node    int
	message int
}

type actionKind int

const (
	publish actionKind = iota
	vanish
	comeBack
	measure // what follows counts
)

const (
	forever = time.Duration(1 << 62)
	before  = -time.Hour // of everything
	// A node counts as living for a message when it was up for recovery before and
	// after it: a restarted node has to connect and to find a mesh first.
	recovery = 5 * time.Second
	// pause is the time between the last message of the warm-up and the first one
	// measured, so that nothing of the former is counted with the latter.
	pause = 4 * time.Second
)

// NewWorld makes a world. The same Config gives the same world.
func NewWorld(cfg Config) (*World, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(uint64(cfg.Seed), 0x77656674))
	w := &World{Config: cfg, delays: cloud}
	if cfg.Drawn {
		w.delays = drawn(rng)
	}
	for range cfg.Nodes {
		w.places = append(w.places, randomPlace(rng, cfg.LastMile))
		w.keys = append(w.keys, randomKey(rng))
		w.up = append(w.up, []span{{before, forever}})
	}
	w.dials = randomDials(rng, cfg.Nodes, cfg.Dials)
	w.schedule(rng)
	return w, nil
}

func randomKey(rng *rand.Rand) crypto.PrivKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := 0; i < len(seed); i += 8 {
		binary.LittleEndian.PutUint64(seed[i:], rng.Uint64())
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		panic(err) // the key is 64 bytes
	}
	return key
}

// ids are the nodes' peer IDs.
func (w *World) ids() (ids []peer.ID) {
	for _, key := range w.keys {
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			panic(err) // every Ed25519 key has one
		}
		ids = append(ids, id)
	}
	return ids
}

// randomDials lets each node dial others, at random. A pair is connected once.
func randomDials(rng *rand.Rand, nodes, dials int) [][]int {
	all, seen := make([][]int, nodes), make(map[[2]int]bool)
	for i := range nodes {
		for _, j := range rng.Perm(nodes) {
			pair := [2]int{min(i, j), max(i, j)}
			if i == j || seen[pair] {
				continue
			}
			seen[pair] = true
			all[i] = append(all[i], j)
			if len(all[i]) == dials {
				break
			}
		}
	}
	return all
}

// schedule decides who vanishes, and who publishes when.
func (w *World) schedule(rng *rand.Rand) {
	c := w.Config
	start := time.Duration(c.Warmup)*c.interval() + pause
	last := start + time.Duration(c.Messages-1)*c.interval()
	w.end = last + c.Drain
	w.kill(rng, start+time.Duration(c.Messages/2)*c.interval()+c.interval()/4)
	w.churn(rng, last)
	w.plan = append(w.plan, action{at: start - pause/4, kind: measure})
	for i := range c.Warmup {
		w.send(rng, time.Duration(i)*c.interval(), false)
	}
	for i := range c.Messages {
		w.send(rng, start+time.Duration(i)*c.interval(), true)
	}
	w.sort()
}

func (w *World) sort() {
	slices.SortStableFunc(w.plan, func(a, b action) int { return cmp.Compare(a.at, b.at) })
}

// send adds a message by a node that lives long enough to spread it.
func (w *World) send(rng *rand.Rand, at time.Duration, measured bool) {
	by := rng.IntN(w.Config.Nodes)
	for !w.living(by, at) {
		by = rng.IntN(w.Config.Nodes)
	}
	w.plan = append(w.plan, action{at: at, kind: publish, node: by, message: len(w.sends)})
	w.sends = append(w.sends, send{at, by, measured})
}

// kill lets a share of the nodes vanish for good.
func (w *World) kill(rng *rand.Rand, at time.Duration) {
	for _, i := range rng.Perm(w.Config.Nodes)[:int(w.Config.Kill*float64(w.Config.Nodes))] {
		w.up[i][0].till = at
		w.plan = append(w.plan, action{at: at, kind: vanish, node: i})
	}
}

// churn lets nodes vanish and return, at random times.
func (w *World) churn(rng *rand.Rand, last time.Duration) {
	c := w.Config
	if c.Churn == 0 {
		return
	}
	mean := float64(time.Minute) / (c.Churn * float64(c.Nodes))
	for at := time.Duration(rng.ExpFloat64() * mean); at < last; at += time.Duration(rng.ExpFloat64() * mean) {
		i := rng.IntN(c.Nodes)
		now := w.up[i][len(w.up[i])-1]
		if now.till != forever || now.from > at-recovery {
			continue // down already, or just back
		}
		w.restart(i, at)
	}
}

// restart lets a node vanish and return.
func (w *World) restart(i int, at time.Duration) {
	back := at + w.Config.Away
	w.up[i][len(w.up[i])-1].till = at
	w.up[i] = append(w.up[i], span{back, forever})
	w.plan = append(w.plan, action{at: at, kind: vanish, node: i}, action{at: back, kind: comeBack, node: i})
}

// living says whether a node has to have a message that is published at a time.
func (w *World) living(node int, at time.Duration) bool {
	return slices.ContainsFunc(w.up[node], func(s span) bool { return s.from <= at-recovery && at+recovery <= s.till })
}

// delay is the one-way delay between two nodes.
func (w *World) delay(a, b int) time.Duration {
	p, q := w.places[a], w.places[b]
	return time.Duration(w.delays[p.region][q.region])*time.Millisecond + p.lastMile + q.lastMile
}

// links are the connections that are opened.
func (w *World) links(which func(link) bool) (links []link) {
	for i, dialled := range w.dials {
		for _, j := range dialled {
			if l := (link{i, j}); which(l) {
				links = append(links, l)
			}
		}
	}
	return links
}
