package gossipsub

import (
	"math/rand/v2"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

const (
	// promiseTime is how long an announced message may take to come from anybody: chosen
	// for an answer of a thousand messages of 1 KiB at 0.5 Mbit/s.
	promiseTime = 15 * time.Second
	// samples are how many messages of a request are followed: chosen so that of a peer
	// which loses one in five, all are lost once in 400,000. promisesKept are the requests.
	samples, promisesKept = 8, 2048
	// brokenSlack is how many messages a peer may announce in vain, and a few more each
	// second: chosen above what a queue to it can lose.
	brokenSlack, brokenPerSec = 512, 8
)

// promise is what a peer announced and was asked for at once.
type promise struct {
	keys  []uint64 // of messages that are followed
	by    peer.ID
	until time.Time
	ids   int
	kept  bool // one of them came
}

// promise follows some of the messages that a peer is asked for.
func (f *floods) promise(now time.Time, by peer.ID, ids []string, key func(string) uint64) {
	n := min(samples, len(ids))
	if n == 0 || len(f.order) >= promisesKept {
		return
	}
	p := &promise{by: by, until: now.Add(promiseTime), ids: len(ids)}
	for i := range n {
		k := key(ids[(i*len(ids)+rand.IntN(len(ids)))/n]) // one of each part
		if f.open[k] == nil {
			f.open[k], p.keys = p, append(p.keys, k)
		}
	}
	if len(p.keys) > 0 {
		f.order = append(f.order, p)
	}
	f.promised.Store(int64(len(f.open)))
}

// came notes a message, whoever brought it.
func (f *floods) came(key func(*pubsub.Message) uint64, m *pubsub.Message) {
	if f == nil || m == nil || f.promised.Load() == 0 {
		return
	}
	k := key(m)
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.open[k]; p != nil {
		p.kept = true
		delete(f.open, k)
	}
	f.promised.Store(int64(len(f.open)))
}

// expire blames those who announced what nobody had.
func (f *floods) expire(now time.Time) {
	done := 0
	for ; done < len(f.order) && !now.Before(f.order[done].until); done++ {
		p := f.order[done]
		broken := false
		for _, k := range p.keys {
			if f.open[k] == p {
				broken = true
				delete(f.open, k)
			}
		}
		if c := f.peers[p.by]; broken && c != nil && f.connected(p.by) {
			f.broke(now, p, c)
		}
	}
	clear(f.order[:done])
	f.order = f.order[done:]
	f.promised.Store(int64(len(f.open)))
}

// broke blames a peer: where nothing came of all that is followed, for all of it.
func (f *floods) broke(now time.Time, p *promise, c *conduct) {
	count := 1
	if !p.kept {
		count = p.ids
	}
	if n := overdraft(&c.broken, now, float64(count), perOffenceFew); n > 0 {
		f.tell(now, p.by, c, n, core.OffenceGossipIHave, "it announced hundreds of messages that nobody had within %s", promiseTime)
		return
	}
	f.tell(now, p.by, c, 1, core.OffenceGossipWithheld, "it announced a message that nobody had within %s", promiseTime)
}
