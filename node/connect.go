package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
)

// errRefused is wrapped when a peer is connected and the handshake then fails.
var errRefused = errors.New("the handshake failed")

// settle dials and waits until the handshake is over. Being connected alone says
// little: the peer may be of another network.
func (n *Node) settle(ctx context.Context, id peer.ID, dial func(context.Context) error) error {
	events := n.Events()
	defer events.Close()
	if err := dial(ctx); err != nil {
		return err
	}
	if done, err := n.settled(ctx, id); done || err != nil {
		return err
	}
	for {
		e, err := events.Next(ctx)
		if err != nil {
			return fmt.Errorf("%s is connected, but the handshake is not complete: %w", id, err)
		}
		if done, err := n.outcome(e, id); done {
			return err
		}
	}
}

// settled says whether a connected peer has done the handshake, or needs none.
func (n *Node) settled(ctx context.Context, id peer.ID) (bool, error) {
	views, err := n.Members(ctx)
	for _, v := range views {
		if v.ID == id {
			return v.Member || v.Plain, err
		}
	}
	return false, err
}

// outcome says whether an event ends the handshake with a peer, and how.
func (n *Node) outcome(e Event, id peer.ID) (bool, error) {
	if e.Peer != id {
		return false, nil
	}
	switch e.Kind {
	case "peer.member", "peer.plain":
		return true, nil
	case "peer.rejected":
		return true, fmt.Errorf("%w: %s", errRefused, legible(e.Text, maxText))
	case "peer.disconnected":
		if p, err := n.live(); err != nil || !p.host.Connected(id) {
			return true, fmt.Errorf("%w: the connection was closed before it was complete: try again", errRefused)
		}
	}
	return false, nil
}
