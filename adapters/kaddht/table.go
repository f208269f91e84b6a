package kaddht

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
)

const (
	// steadyFor is how long nobody new has come when the table is refreshed for the
	// first time, and joinFor how long that may be put off. Chosen because who joins
	// a network connects to most of its peers within seconds, and lookups meanwhile
	// ask few, again and again.
	steadyFor = time.Second
	joinFor   = 10 * time.Second

	// lookEvery is how often a table of fewPeers or less is refreshed, refreshEvery how
	// often any other is (kad-dht: periodicBootstrapInterval, minRTRefreshThreshold,
	// RefreshInterval).
	lookEvery    = 2 * time.Minute
	fewPeers     = 10
	refreshEvery = 10 * time.Minute

	// eventBuffer is how many events may wait; kad-dht's own.
	eventBuffer = 256
)

// The library, by itself, asks every new peer for a lookup before it enters the
// table, the first ten again with each other one, and refreshes the table with each
// of them: in a network that starts at once that is more work than all connections
// together. Here a peer enters when it speaks the protocol. One that does not answer
// leaves again with the first lookup that asks it.

// tender keeps the table filled.
type tender struct {
	d         *DHT
	events    event.Subscription
	timer     *time.Timer
	joining   time.Time // since when peers come; zero: the table was refreshed since
	refreshed time.Time
}

func (d *DHT) tend() (*tender, error) {
	events, err := d.host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated),
	}, eventbus.BufSize(eventBuffer), eventbus.Name("weft DHT"))
	if err != nil {
		return nil, err
	}
	return &tender{d: d, events: events, timer: time.NewTimer(lookEvery)}, nil
}

// run works until ctx ends.
func (t *tender) run(ctx context.Context) {
	defer t.events.Close()
	defer t.timer.Stop()
	for _, p := range t.d.host.Network().Peers() {
		t.met(p, time.Now())
	}
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-t.events.Out():
			switch ev := ev.(type) {
			case event.EvtPeerIdentificationCompleted:
				t.met(ev.Peer, time.Now())
			case event.EvtPeerProtocolsUpdated:
				t.met(ev.Peer, time.Now())
			}
		case now := <-t.timer.C:
			t.look(now)
		}
	}
}

// met takes a peer into the table if it speaks the protocol and there is room.
func (t *tender) met(p peer.ID, now time.Time) {
	speaks, err := t.d.host.Peerstore().SupportsProtocols(p, t.d.cfg.Protocol())
	if err != nil || len(speaks) == 0 {
		return
	}
	alone := t.d.Size() == 0
	if fresh, err := t.d.dht.RoutingTable().TryAddPeer(p, true, false); err != nil || !fresh {
		return
	}
	if alone {
		t.joining = now
	}
	if !t.joining.IsZero() {
		t.timer.Reset(min(steadyFor, t.joining.Add(joinFor).Sub(now)))
	}
}

// look refreshes the table when that is due.
func (t *tender) look(now time.Time) {
	t.timer.Reset(lookEvery)
	due := !t.joining.IsZero() || t.d.Size() <= fewPeers || now.Sub(t.refreshed) >= refreshEvery
	if due && t.d.Size() > 0 {
		t.joining, t.refreshed = time.Time{}, now
		t.d.dht.RefreshRoutingTable()
	}
}
