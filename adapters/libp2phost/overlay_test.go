package libp2phost

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/weftnet/weft/protocols/core"
)

const testProtocol protocol.ID = "/test/1.0.0"

// handed receives the streams that the overlay hands over.
func handed(h *testHost, id protocol.ID) <-chan network.Stream {
	ch := make(chan network.Stream, 16)
	h.Overlay().SetStreamHandler(id, func(s network.Stream) { ch <- s })
	return ch
}

// openTo opens a stream and sends its header, and a byte.
func openTo(t testing.TB, from host.Host, to peer.AddrInfo, id protocol.ID) network.Stream {
	t.Helper()
	if err := from.Connect(testContext(t), to); err != nil {
		t.Fatal(err)
	}
	s, err := from.NewStream(testContext(t), to.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Reset() })
	if _, err := s.Write([]byte{7}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnEarlyInboundStreamWaitsForAdmission(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	streams := handed(h, testProtocol)
	openTo(t, p, h.on("tcp"), testProtocol)
	eventually(t, "the stream waits", func() bool { return h.Stats().Held == 1 })
	select {
	case <-streams:
		t.Fatal("handed over before admission")
	default:
	}
	h.Admit(p.ID())
	s := <-streams
	got := make([]byte, 1)
	if _, err := io.ReadFull(s, got); err != nil || got[0] != 7 {
		t.Fatalf("what came early is lost: %v, %v", got, err)
	}
	_ = s.Reset()
	if st := h.Stats(); st.Admitted != 1 || st.HeldExpired != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestAnInboundStreamOfAPeerThatIsNotAdmittedInTimeIsReset(t *testing.T) {
	h, p := newTestHost(t, func(c *Config) { c.AdmissionTimeout = 50 * time.Millisecond }), plainHost(t)
	streams := handed(h, testProtocol)
	s := openTo(t, p, h.on("tcp"), testProtocol)
	_ = s.SetReadDeadline(time.Now().Add(patience))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
		t.Errorf("got %v", err)
	}
	eventually(t, "it is counted", func() bool { st := h.Stats(); return st.HeldExpired == 1 && st.Held == 0 })
	if len(streams) != 0 {
		t.Error("handed over")
	}
}

func TestOnlyAFewInboundStreamsOfAPeerWait(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	streams := handed(h, testProtocol)
	const opened = maxHeld + 3
	for range opened {
		openTo(t, p, h.on("tcp"), testProtocol)
	}
	eventually(t, "the rest is reset", func() bool { return h.Stats().HeldRefused == opened-maxHeld })
	h.Admit(p.ID())
	for range maxHeld {
		_ = (<-streams).Reset()
	}
}

func TestAWaitingStreamEndsWithItsPeer(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	handed(h, testProtocol)
	openTo(t, p, h.on("tcp"), testProtocol)
	eventually(t, "the stream waits", func() bool { return h.Stats().Held == 1 })
	if err := p.Network().ClosePeer(h.ID()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has ended", func() bool { st := h.Stats(); return st.Held == 0 && st.HeldExpired == 0 })
}

func TestNoStreamIsOpenedBeforeAdmission(t *testing.T) {
	h, p := newTestHost(t, func(c *Config) { c.AdmissionTimeout = 50 * time.Millisecond }), plainHost(t)
	opened := make(chan struct{}, 4)
	p.SetStreamHandler(testProtocol, func(s network.Stream) { opened <- struct{}{}; _ = s.Close() })
	to := peer.AddrInfo{ID: p.ID(), Addrs: p.Addrs()}
	for name, try := range map[string]func(context.Context) error{
		"Connect":         func(ctx context.Context) error { return h.Overlay().Connect(ctx, to) },
		"NewStream":       func(ctx context.Context) error { return streamErr(h.Overlay().NewStream(ctx, p.ID(), testProtocol)) },
		"NewStream, bare": func(ctx context.Context) error { return streamErr(h.Overlay().Network().NewStream(ctx, p.ID())) },
		"DialPeer":        func(ctx context.Context) error { _, err := h.Overlay().Network().DialPeer(ctx, p.ID()); return err },
		"NewStream, no dial": func(ctx context.Context) error {
			return streamErr(h.Overlay().NewStream(network.WithNoDial(ctx, "test"), p.ID(), testProtocol))
		},
	} {
		mustConnect(t, h, to)
		if err := try(testContext(t)); !errors.Is(err, ErrNotAdmitted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(opened) != 0 {
		t.Error("a stream was opened")
	}
	h.Admit(p.ID())
	s, err := h.Overlay().NewStream(testContext(t), p.ID(), testProtocol)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	<-opened
}

func streamErr(s network.Stream, err error) error {
	if err == nil {
		_ = s.Reset()
	}
	return err
}

func TestAnOutboundStreamWaitsForAdmission(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	p.SetStreamHandler(testProtocol, func(s network.Stream) { _ = s.Close() })
	result := make(chan error, 1)
	ctx := testContext(t)
	go func() {
		if err := h.Overlay().Connect(ctx, peer.AddrInfo{ID: p.ID(), Addrs: p.Addrs()}); err != nil {
			result <- err
			return
		}
		result <- streamErr(h.Overlay().NewStream(ctx, p.ID(), testProtocol))
	}()
	await(t, h.events, any1[core.Connected])
	h.Admit(p.ID()) // as the node does
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

func TestOnlyAdmittedPeersAreShown(t *testing.T) {
	h, p, q := newTestHost(t), plainHost(t), plainHost(t)
	for _, x := range []host.Host{p, q} {
		if err := x.Connect(testContext(t), h.on("tcp")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both are connected", func() bool { return h.NumPeers() == 2 })
	net := h.Overlay().Network()
	shown := func(id peer.ID) bool {
		here := slices.Contains(net.Peers(), id)
		conns := slices.ContainsFunc(net.Conns(), func(c network.Conn) bool { return c.RemotePeer() == id })
		if got := net.Connectedness(id) == network.Connected; got != here || got != conns || got != (len(net.ConnsToPeer(id)) > 0) {
			t.Errorf("the views of %s differ", id)
		}
		return here
	}
	if shown(p.ID()) || shown(q.ID()) {
		t.Error("shown before admission")
	}
	h.Admit(p.ID())
	if !shown(p.ID()) || shown(q.ID()) {
		t.Error("admission does not show exactly the admitted peer")
	}
	if err := h.Disconnect(p.ID()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is gone", func() bool { return h.NumPeers() == 1 })
	if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is back", func() bool { return h.NumPeers() == 2 })
	if shown(p.ID()) {
		t.Error("the admission outlived the connection")
	}
}

// subscribe returns the events of the overlay's bus, as they come.
func subscribe(t *testing.T, h *testHost, types ...any) <-chan any {
	t.Helper()
	sub, err := h.Overlay().EventBus().Subscribe(types)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Close() })
	return sub.Out()
}

func next[E any](t *testing.T, out <-chan any) E {
	t.Helper()
	select {
	case ev := <-out:
		if got, ok := ev.(E); ok {
			return got
		}
		t.Fatalf("got %T %+v", ev, ev)
	case <-time.After(patience):
		t.Fatal("no event")
	}
	panic("unreachable")
}

// skipTo passes over other events: each update of the protocols comes with
// another completed identification.
func skipTo[E any](t *testing.T, out <-chan any) E {
	t.Helper()
	for {
		if got, ok := next[any](t, out).(E); ok {
			return got
		}
	}
}

func TestEventsOfAPeerBeginWithItsAdmissionAndNoneIsLost(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	p.SetStreamHandler(testProtocol, func(s network.Stream) { _ = s.Reset() })
	all := subscribe(t, h, new(event.EvtPeerConnectednessChanged), new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated))
	if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the peer is identified", func() bool { return identified(h, p.ID(), testProtocol) })
	p.SetStreamHandler("/later/1.0.0", func(s network.Stream) { _ = s.Reset() })
	eventually(t, "its update has come", func() bool { return identified(h, p.ID(), "/later/1.0.0") })
	select {
	case ev := <-all:
		t.Fatalf("told before admission: %T", ev)
	default:
	}

	h.Admit(p.ID())
	if up := next[event.EvtPeerConnectednessChanged](t, all); up.Peer != p.ID() || up.Connectedness != network.Connected {
		t.Errorf("got %+v", up)
	}
	id := next[event.EvtPeerIdentificationCompleted](t, all)
	if id.Peer != p.ID() || !slices.Contains(id.Protocols, testProtocol) || !slices.Contains(id.Protocols, "/later/1.0.0") {
		t.Errorf("got %s with %s", id.Peer, id.Protocols)
	}

	p.RemoveStreamHandler("/later/1.0.0")
	if up := skipTo[event.EvtPeerProtocolsUpdated](t, all); up.Peer != p.ID() || !slices.Contains(up.Removed, "/later/1.0.0") {
		t.Errorf("got %+v", up)
	}
	if err := h.Disconnect(p.ID()); err != nil {
		t.Fatal(err)
	}
	if down := skipTo[event.EvtPeerConnectednessChanged](t, all); down.Connectedness != network.NotConnected {
		t.Errorf("got %+v", down)
	}
}

func identified(h *testHost, p peer.ID, with protocol.ID) bool {
	ids, err := h.Base().Peerstore().GetProtocols(p)
	return err == nil && slices.Contains(ids, with)
}

func TestAPeerAdmittedBeforeIdentifyIsToldOfWhenIdentified(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	all := subscribe(t, h, new(event.EvtPeerIdentificationCompleted))
	go func() {
		await(t, h.events, any1[core.Connected])
		h.Admit(p.ID()) // may come before or after identify: it must not matter
	}()
	if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	if id := next[event.EvtPeerIdentificationCompleted](t, all); id.Peer != p.ID() {
		t.Fatalf("got %s", id.Peer)
	}
}

func TestAPeerThatWasNeverAdmittedLeavesNoTrace(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	all := subscribe(t, h, new(event.EvtPeerConnectednessChanged), new(event.EvtPeerIdentificationCompleted))
	if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the peer is identified", func() bool { return identified(h, p.ID(), "/ipfs/ping/1.0.0") })
	if err := h.Disconnect(p.ID()); err != nil {
		t.Fatal(err)
	}
	// Another peer's events come after all of the first one's.
	q := plainHost(t)
	if err := q.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is connected", func() bool { return h.Connected(q.ID()) })
	h.Admit(q.ID())
	if ev := next[event.EvtPeerConnectednessChanged](t, all); ev.Peer != q.ID() {
		t.Fatalf("told of %s, which was never admitted", ev.Peer)
	}
}

func TestOtherEventsPassAndTheWildcardIsRefused(t *testing.T) {
	h := newTestHost(t)
	local := subscribe(t, h, new(event.EvtLocalProtocolsUpdated), new(event.EvtPeerProtocolsUpdated))
	h.Overlay().SetStreamHandler("/another/1.0.0", func(s network.Stream) { _ = s.Reset() })
	for {
		if up := next[event.EvtLocalProtocolsUpdated](t, local); slices.Contains(up.Added, "/another/1.0.0") {
			break
		}
	}
	if _, err := h.Overlay().EventBus().Subscribe(event.WildcardSubscription); !errors.Is(err, ErrWildcard) {
		t.Errorf("got %v", err)
	}
}

func TestAClosedSubscriptionEndsAndHoldsNobodyUp(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	stuck, err := h.Overlay().EventBus().Subscribe(new(event.EvtPeerConnectednessChanged))
	if err != nil {
		t.Fatal(err)
	}
	for range busBuffer + 10 { // more than it buffers: the bus waits for it
		h.overlay.bus.changes.Push(change{peer: p.ID(), to: visible})
	}
	if err := stuck.Close(); err != nil {
		t.Fatal(err)
	}
	for range stuck.Out() { // ends only if the channel is closed
	}
	all := subscribe(t, h, new(event.EvtPeerConnectednessChanged))
	h.overlay.bus.changes.Push(change{peer: p.ID(), to: gone})
	eventually(t, "the bus goes on", func() bool {
		ev := next[event.EvtPeerConnectednessChanged](t, all)
		return ev.Connectedness == network.NotConnected
	})
}

func TestNotifieesOfTheOverlayHearOfNoConnection(t *testing.T) {
	h, p := newTestHost(t), plainHost(t)
	heard := make(chan struct{}, 4)
	n := &network.NotifyBundle{ConnectedF: func(network.Network, network.Conn) { heard <- struct{}{} }}
	h.Overlay().Network().Notify(n)
	defer h.Overlay().Network().StopNotify(n)
	if err := p.Connect(testContext(t), h.on("tcp")); err != nil {
		t.Fatal(err)
	}
	await(t, h.events, any1[core.Connected])
	if len(heard) != 0 {
		t.Error("a connection was announced")
	}
}
