package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/weftnet/weft/node"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/reputation"
	"github.com/weftnet/weft/protocols/uptime"
)

// forge sends a message in the name of somebody else.
func (r *rawPeer) forge(s network.Stream) {
	r.t.Helper()
	sender, err := frame.SenderOf(newPlainPeer(r.t).host.ID())
	if err != nil {
		r.t.Fatal(err)
	}
	bad, err := frame.Append(nil, frame.Header{Type: uptime.TypePing, Sender: sender, Time: time.Now()}, uptime.Ping{ID: 1}.Append(nil))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(s, bad)
}

func TestAnOffenderIsExplainedBannedAndRefusedBothWaysAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	n := start(t, inDir(dir))
	honest := start(t, joining(n))
	r := newRawPeer(t)
	r.join(n)
	stream := r.open(n, uptime.Protocol)
	r.forge(stream)
	awaitOffence(t, n, r.host.ID(), "frame.sender")
	for _, m := range views(t, n) {
		switch m.ID {
		case honest.ID():
			if m.Score < 100 {
				t.Errorf("the honest one has %v: %+v", m.Score, m.Terms)
			}
		case r.host.ID():
			if len(m.Terms) != 1 || m.Terms[0].Kind != reputation.Compliance || m.Terms[0].Points > -29 || m.Terms[0].Text != "offences: 1 frame.sender" || m.Score > 71 {
				t.Errorf("the offender has %v: %+v", m.Score, m.Terms)
			}
		}
	}
	r.forge(stream)
	r.forge(stream)
	events := n.EventsAfter(0)
	awaitEvent(t, events, "peer.banned", r.host.ID())
	gone(t, n, r.host.ID())
	kept := func(n *node.Node) {
		t.Helper()
		bans, err := n.Bans(soon(t))
		if err != nil || len(bans) != 1 || bans[0].Peer != r.host.ID() || bans[0].ByHand || bans[0].Times != 1 || !strings.HasPrefix(bans[0].Reason, "frame.sender: ") {
			t.Fatalf("bans %+v, %v", bans, err)
		}
		_ = r.tryConnect(n) // it may see a connection for a moment
		gone(t, n, r.host.ID())
		at := r.host.Addrs()[0].String() + "/p2p/" + r.host.ID().String()
		if err := n.Connect(soon(t), at); err == nil || !strings.Contains(err.Error(), "blocked until") {
			t.Errorf("dialling it = %v", err)
		}
	}
	kept(n)
	if !member(t, n, honest.ID()) {
		t.Error("the honest one is gone")
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	kept(start(t, inDir(dir)))
}

func TestWhoBringsMessagesFirstIsRewarded(t *testing.T) {
	t.Parallel() // deliveries are told every 5 s
	a := start(t)
	b := start(t, joining(a))
	sub, err := a.Subscribe("news")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if err := b.Publish(soon(t), "news", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Next(soon(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reward", func() bool {
		all := views(t, a)
		return len(all) == 1 && all[0].Score > 100.5 && len(all[0].Terms) == 1 && all[0].Terms[0].Kind == reputation.Delivery
	})
}

func views(t *testing.T, n *node.Node) []node.MemberView {
	t.Helper()
	all, err := n.Members(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
