package libp2phost

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// ErrNotAdmitted is the overlay's answer about a peer that was not admitted in
// time, or with symmetry has no connection of ours.
var ErrNotAdmitted = errors.New("peer is not admitted")

// maxHeld is how many inbound streams of one peer may wait for its admission;
// chosen because pubsub opens one and the DHT at most a few at once.
const maxHeld = 4

// overlay is the host that pubsub and the DHT get: see the package comment.
type overlay struct {
	host.Host // the base host, for what needs no gate
	ctx       context.Context
	book      *book
	symmetry  bool // our streams go on our own connections
	bus       *overlayBus
	network   *overlayNetwork
	metering  *metering
	wait      time.Duration // for admission
	pubsubMax int           // bytes of a pubsub message
	close     func() error

	heldRefused, heldExpired atomic.Uint64 // inbound streams reset: too many, too late
}

var _ host.Host = (*overlay)(nil)

// Network implements host.Host.
func (o *overlay) Network() network.Network { return o.network }

// EventBus implements host.Host.
func (o *overlay) EventBus() event.Bus { return o.bus }

// Close closes the whole Host.
func (o *overlay) Close() error { return o.close() }

// Connect connects and waits for the peer's admission: who asks will open
// streams at once.
func (o *overlay) Connect(ctx context.Context, info peer.AddrInfo) error {
	if err := o.Host.Connect(direct(ctx, o.symmetry), info); err != nil {
		return err
	}
	return o.await(ctx, info.ID)
}

// NewStream opens a stream to a peer that the overlay sees. One that is connected
// and not seen yet is waited for.
func (o *overlay) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	if err := o.reach(ctx, p); err != nil {
		return nil, err
	}
	s, err := o.open(ctx, p, protocols)
	if err != nil {
		return nil, err
	}
	if isDHT(s.Protocol()) {
		return newMeter(s, maxDHTMessage, o.metering), nil // the answers come on it
	}
	return s, nil
}

// open opens a stream. The book is told of pubsub's.
func (o *overlay) open(ctx context.Context, p peer.ID, protocols []protocol.ID) (s network.Stream, err error) {
	if slices.ContainsFunc(protocols, isPubsub) {
		end := o.book.try(p)
		defer func() { end(err == nil) }()
	}
	if s, err = o.Host.NewStream(ctx, p, protocols...); err != nil {
		return nil, err
	}
	return s, o.check(s)
}

// check ends a stream of ours that may not be: the peer was hidden meanwhile, or
// our own connection was lost, so that the stream is on one of the peer's.
func (o *overlay) check(s network.Stream) error {
	ours := s.Conn().Stat().Direction == network.DirOutbound
	if (ours || !o.symmetry) && o.book.use(s.Conn(), isPubsub(s.Protocol())) {
		return nil
	}
	_ = s.Reset()
	return fmt.Errorf("%w: %s has lost a connection", ErrNotAdmitted, s.Conn().RemotePeer())
}

// reach makes sure that the overlay sees a peer, and dials one that is not
// connected. A peer that dialled us is not dialled for a stream: that is decided
// elsewhere, and waited for.
func (o *overlay) reach(ctx context.Context, p peer.ID) error {
	if o.book.shown(p) {
		return nil
	}
	if noDial, _ := network.GetNoDial(ctx); noDial || o.book.connected(p) {
		return o.await(ctx, p)
	}
	return o.Connect(ctx, peer.AddrInfo{ID: p})
}

// await returns when the overlay sees a connected peer.
func (o *overlay) await(ctx context.Context, p peer.ID) error {
	open, gone, ok := o.book.place(p)
	if !ok {
		return fmt.Errorf("%s: %w", p, network.ErrNoConn)
	}
	if done(open) {
		return nil
	}
	timer := time.NewTimer(o.wait)
	defer timer.Stop()
	select {
	case <-open:
		return nil
	case <-gone:
		return fmt.Errorf("%s: %w", p, network.ErrNoConn)
	case <-timer.C:
		return fmt.Errorf("%w: %s after %v", ErrNotAdmitted, p, o.wait)
	case <-ctx.Done():
		return fmt.Errorf("%w: %s: %w", ErrNotAdmitted, p, ctx.Err())
	case <-o.ctx.Done():
		return o.ctx.Err()
	}
}

// SetStreamHandler implements host.Host.
func (o *overlay) SetStreamHandler(id protocol.ID, h network.StreamHandler) {
	o.Host.SetStreamHandler(id, o.gated(h))
}

// SetStreamHandlerMatch implements host.Host.
func (o *overlay) SetStreamHandlerMatch(id protocol.ID, match func(protocol.ID) bool, h network.StreamHandler) {
	o.Host.SetStreamHandlerMatch(id, match, o.gated(h))
}

// gated hands an inbound stream over once the overlay sees its peer. It runs on
// the stream's own goroutine.
func (o *overlay) gated(h network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		if err := o.hold(s); err != nil || !o.book.use(s.Conn(), isPubsub(s.Protocol())) {
			_ = s.Reset()
			return
		}
		h(o.metered(s))
	}
}

func (o *overlay) hold(s network.Stream) error {
	p := s.Conn().RemotePeer()
	if o.book.shown(p) {
		return nil
	}
	release, ok := o.book.hold(p, maxHeld)
	if !ok {
		o.heldRefused.Add(1)
		return ErrNotAdmitted
	}
	defer release()
	err := o.await(o.ctx, p)
	if errors.Is(err, ErrNotAdmitted) {
		o.heldExpired.Add(1)
	}
	return err
}

// maxDHTMessage is the largest DHT message, in bytes: 20 peers with 3 KiB of
// addresses each. kad-dht itself would take 4 MiB, and stalled ones of that size
// would use up the budget that large pubsub messages share.
const maxDHTMessage = 64 << 10

// metered wraps the streams whose readers allocate what a peer announces.
func (o *overlay) metered(s network.Stream) network.Stream {
	switch id := s.Protocol(); {
	case isPubsub(id):
		return newMeter(s, o.pubsubMax, o.metering)
	case isDHT(id):
		return newMeter(s, maxDHTMessage, o.metering)
	}
	return s
}

func isPubsub(id protocol.ID) bool {
	return strings.HasPrefix(string(id), "/meshsub/") || strings.HasPrefix(string(id), "/floodsub/") ||
		strings.HasPrefix(string(id), "/weft/episub/")
}

func isDHT(id protocol.ID) bool { return strings.HasSuffix(string(id), "/kad/1.0.0") }

func done(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
