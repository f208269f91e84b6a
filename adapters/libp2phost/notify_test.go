package libp2phost

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/adapters/queue"
	"github.com/weftnet/weft/protocols/core"
)

// about are the events of one peer so far, without addresses.
func about(e *events, p peer.ID) (list []core.Event) {
	all, _ := e.snapshot()
	for _, ev := range all {
		switch ev := ev.(type) {
		case core.Connected:
			if ev.Addr = nil; ev.Peer == p {
				list = append(list, ev)
			}
		case core.Linked:
			if ev.Peer == p {
				list = append(list, ev)
			}
		case core.Disconnected:
			if ev.Peer == p {
				list = append(list, ev)
			}
		}
	}
	return list
}

func TestTheDirectionsOfAPeersConnectionsAreToldAsTheyChange(t *testing.T) {
	a, b := newTestHost(t, symmetric), newTestHost(t, symmetric)
	p := b.ID()
	want := []core.Event{core.Connected{Peer: p}, core.Linked{Peer: p, Outbound: true}}
	reached := func(what string, more ...core.Event) {
		t.Helper()
		want = append(want, more...)
		eventually(t, what, func() bool { return reflect.DeepEqual(about(a.events, p), want) })
	}
	mustConnect(t, a, b.on("tcp"))
	reached("we dialled")
	mustConnect(t, b, a.on("tcp"))
	reached("it dialled back", core.Linked{Peer: p, Inbound: true, Outbound: true})
	for _, c := range a.Base().Network().ConnsToPeer(p) {
		if c.Stat().Direction == network.DirOutbound {
			_ = c.Close()
		}
	}
	reached("our connection is gone", core.Linked{Peer: p, Inbound: true})
	mustConnect(t, a, b.on("tcp"))
	reached("we dialled again", core.Linked{Peer: p, Inbound: true, Outbound: true})
	if err := a.Disconnect(p); err != nil {
		t.Fatal(err)
	}
	await(t, a.events, any1[core.Disconnected])
	all := about(a.events, p)
	if last := all[len(all)-1]; last != core.Event(core.Disconnected{Peer: p}) || !reflect.DeepEqual(all[:len(want)], want) {
		t.Errorf("posted %+v", all)
	}
}

func TestConnectionsWaitForAReceiverThatIsFarBehind(t *testing.T) {
	b := newBook("self", DefaultConfig().withDefaults())
	ctx, cancel := context.WithCancel(t.Context())
	n := newNotifier(ctx, b)
	b.watch(queue.New[change](), n.events)
	conns := make([]network.Conn, maxUnposted+1)
	for i := range conns {
		conns[i] = fakeConn{peer: peer.ID([]byte{byte(i >> 8), byte(i)})}
		b.places[conns[i].RemotePeer()] = &place{conns: conns[i : i+1]}
	}
	for _, c := range conns[:maxUnposted] {
		n.Connected(nil, c)
	}
	late := make(chan struct{})
	go func() { n.Connected(nil, conns[maxUnposted]); close(late) }()
	select {
	case <-late:
		t.Fatal("nothing bounds the events")
	case <-time.After(20 * time.Millisecond):
	}
	posted := newEvents()
	ran := make(chan struct{})
	go func() { n.run(posted.post); close(ran) }()
	<-late
	eventually(t, "all is posted", func() bool { all, _ := posted.snapshot(); return len(all) == 2*len(conns) })
	cancel()
	<-ran
}

// fakeConn is an inbound connection in name only.
type fakeConn struct {
	network.Conn
	peer peer.ID
}

func (c fakeConn) RemotePeer() peer.ID         { return c.peer }
func (fakeConn) RemoteMultiaddr() ma.Multiaddr { return loopbackTCP }
func (fakeConn) Stat() (s network.ConnStats)   { s.Direction = network.DirInbound; return s }
