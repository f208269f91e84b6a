package libp2phost

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/protocols/core"
)

const (
	dialWorkers = 16  // dials at a time; chosen because more only compete for the same CPU and uplink
	dialQueue   = 256 // dials that wait; chosen because it is minutes of work if all time out
)

// dialJob is one Dial that waits for its answer.
type dialJob struct {
	peer  peer.ID
	addrs []ma.Multiaddr
}

// dialer carries out dials with a fixed number of workers.
type dialer struct {
	host     host.Host
	book     *book
	symmetry bool // a connection of the peer's is none of ours
	timeout  time.Duration
	events   *queue.Queue[core.Event]
	jobs     chan dialJob

	mu      sync.Mutex
	running map[peer.ID]*attempt // queued and under way

	started, failed atomic.Uint64
}

// attempt is the dials to one peer that have one answer: the first, and those that
// added addresses to it.
type attempt struct {
	jobs   int                  // that have not ended
	cancel []context.CancelFunc // of those that began
}

// run works until ctx ends.
func (d *dialer) run(ctx context.Context) {
	var workers sync.WaitGroup
	for range dialWorkers {
		workers.Go(func() { d.work(ctx) })
	}
	workers.Wait()
}

func (d *dialer) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-d.jobs:
			d.answer(ctx, job)
		}
	}
}

// dial queues a dial without waiting. Every dial is answered: by Connected, which
// the notifier posts, by Linked, if it was connected, or by DialFailed. Several to
// one peer have one answer.
func (d *dialer) dial(job dialJob) {
	d.mu.Lock()
	a := d.running[job.peer]
	if a == nil {
		a = &attempt{}
		d.running[job.peer] = a
	}
	a.jobs++
	d.mu.Unlock()
	select {
	case d.jobs <- job:
	default:
		d.end(job.peer, fmt.Errorf("%d dials are waiting already", dialQueue))
	}
}

func (d *dialer) answer(ctx context.Context, job dialJob) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	d.mu.Lock()
	a := d.running[job.peer]
	a.cancel = append(a.cancel, cancel)
	d.mu.Unlock()
	d.end(job.peer, d.connect(ctx, job.peer, job.addrs, len(job.addrs) > 0))
}

// end tells the failure of the last of the dials to a peer.
func (d *dialer) end(p peer.ID, err error) {
	d.mu.Lock()
	a := d.running[p]
	if a.jobs--; a.jobs == 0 {
		delete(d.running, p)
	}
	last := a.jobs == 0
	d.mu.Unlock()
	if last && err != nil && !d.done(p) { // it may have dialled us meanwhile
		d.failed.Add(1)
		d.events.Push(core.DialFailed{Peer: p, Reason: explain(err)})
	}
}

// supersede ends the dial to a peer that has dialled us meanwhile: the rest of its
// handshake would be for nothing. Only the higher peer ID gives up its dial: if both
// did, no connection would be left. With symmetry the dial is still wanted.
func (d *dialer) supersede(p peer.ID) {
	if d.symmetry || d.book.self < p {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.running[p]; a != nil {
		for _, cancel := range a.cancel {
			cancel()
		}
	}
}

// done says whether a dial to the peer has nothing left to do.
func (d *dialer) done(p peer.ID) bool {
	if d.symmetry {
		return d.book.dialled(p)
	}
	return d.host.Network().Connectedness(p) == network.Connected
}

// connect dials and waits for the connection, not for identify. With only, no
// other addresses are dialled than those given: with symmetry a peer must be
// reached where it claims to be, and budgets hold for what was planned.
func (d *dialer) connect(ctx context.Context, p peer.ID, addrs []ma.Multiaddr, only bool) error {
	d.started.Add(1)
	if p == "" {
		return &DialError{Reason: "a dial needs the peer ID that it expects: end the address in /p2p/PEERID"}
	}
	addrs, err := withoutPeer(p, addrs)
	if err != nil || d.done(p) { // then the addresses prove nothing
		return err
	}
	if only { // what the peerstore holds is hearsay; identify fills it again
		d.host.Peerstore().ClearAddrs(p)
	}
	d.host.Peerstore().AddAddrs(p, addrs, peerstore.TempAddrTTL)
	if sw, ok := d.host.Network().(*swarm.Swarm); ok {
		sw.Backoff().Clear(p) // whom to dial when is decided elsewhere
	}
	limit := d.timeout
	if at, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(at))
	}
	ctx = direct(network.WithDialPeerTimeout(ctx, limit), d.symmetry)
	d.book.denials.take(p) // of an earlier dial
	if _, err = d.host.Network().DialPeer(ctx, p); err != nil {
		return newDialError(p, err, d.book.denials.take(p), limit.Round(time.Millisecond))
	}
	return nil
}

// withoutPeer strips a trailing /p2p/ID, which must be the peer's.
func withoutPeer(p peer.ID, addrs []ma.Multiaddr) ([]ma.Multiaddr, error) {
	bare := make([]ma.Multiaddr, 0, len(addrs))
	for _, a := range addrs {
		transport, id := peer.SplitAddr(a)
		if id != "" && id != p {
			return nil, &DialError{Peer: p, Reason: fmt.Sprintf("%s names another peer", a)}
		}
		if len(transport) > 0 {
			bare = append(bare, transport)
		}
	}
	return bare, nil
}

func explain(err error) string {
	var de *DialError
	if errors.As(err, &de) {
		return de.Reason
	}
	return err.Error()
}
