package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

func (a *app) connectCommand() *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:     "connect (MULTIADDR | PEER)",
		Short:   "Connect to a peer",
		Long:    "Connect to a peer: at a multiaddr that ends in /p2p/PEERID, or, given its peer ID alone,\nwhere the DHT finds it. Waits until the handshake is complete, or says why it is refused.\nPrints the peer ID.",
		Example: "  weft connect /ip4/192.0.2.1/tcp/30303/p2p/12D3KooW…",
		Args:    takes(1, 1, "one MULTIADDR or PEER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.patient(cmd, timeout, "connecting", func(ctx context.Context, c *client) error {
				return c.connect(ctx, args[0], timeout)
			})
		},
	}
	timeoutFlag(c, &timeout, 10*time.Second, "how long to try")
	return c
}

func (c *client) connect(ctx context.Context, address string, timeout time.Duration) error {
	m, err := c.api.Connect(ctx, &weftv1.ConnectRequest{Address: address, Timeout: durationpb.New(timeout)})
	if err != nil {
		return err
	}
	return c.show(m, func() error { return c.print(m.GetPeer().GetPeerId()) })
}

func (a *app) disconnectCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "disconnect PEER",
		Short:             "Close every connection to a peer",
		Args:              takes(1, 1, "one PEER"),
		ValidArgsFunction: a.completes(knownPeers),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.disconnect(ctx, args[0]) })
		},
	}
}

func (c *client) disconnect(ctx context.Context, arg string) error {
	id, err := c.peerID(ctx, arg, knownPeers)
	if err != nil {
		return err
	}
	m, err := c.api.Disconnect(ctx, &weftv1.DisconnectRequest{PeerId: id})
	if err != nil {
		return err
	}
	return c.show(m, func() error { return nil })
}

type pingFlags struct {
	count             int
	interval, timeout time.Duration
}

func (a *app) pingCommand() *cobra.Command {
	var f pingFlags
	c := &cobra.Command{
		Use:               "ping PEER",
		Short:             "Measure the round trip to a peer",
		Long:              "Measure the round trip to a peer, connecting first if need be. With -o json a pong a line.",
		Args:              takes(1, 1, "one PEER"),
		ValidArgsFunction: a.completes(knownPeers),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.count < 1 || f.interval < 0 || f.timeout <= 0 {
				return usagef("ping needs a positive --count and --timeout, and an --interval that is not negative")
			}
			return a.stream(cmd.Context(), func(ctx context.Context, c *client) error { return c.ping(ctx, args[0], f) })
		},
	}
	c.Flags().IntVarP(&f.count, "count", "c", 3, "how many pings")
	c.Flags().DurationVar(&f.interval, "interval", time.Second, "wait between two pings")
	timeoutFlag(c, &f.timeout, 10*time.Second, "how long to wait for each pong")
	return c
}

// ping asks for one ping at a time, so that each shows when it is done.
func (c *client) ping(ctx context.Context, arg string, f pingFlags) error {
	id, err := c.peerID(ctx, arg, knownPeers)
	if err != nil {
		return err
	}
	var lost error
	for i := range f.count {
		if i > 0 {
			if err := pause(ctx, f.interval); err != nil {
				return err
			}
		}
		if err := c.pingOnce(ctx, id, f.timeout); errors.Is(err, errNoPong) {
			lost = err
		} else if err != nil {
			return err
		}
	}
	return lost
}

var errNoPong = errors.New("no pong")

func (c *client) pingOnce(ctx context.Context, id string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout+grace)
	defer cancel()
	m, err := c.api.Ping(ctx, &weftv1.PingRequest{PeerId: id, Count: 1, Timeout: durationpb.New(timeout)})
	if err != nil {
		return err
	}
	for _, pong := range m.GetPongs() {
		if err := c.lineOf(pong, func() string { return fmt.Sprintf("pong from %s in %s", shortID(id), showTime(pong.GetRtt())) }); err != nil {
			return err
		}
		if pong.GetError() != "" {
			return fmt.Errorf("%w from %s: %s", errNoPong, id, pong.GetError())
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (a *app) findCommand() *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:               "find PEER",
		Short:             "Ask the DHT where a peer is",
		Long:              "Ask the DHT where a peer is. Prints its addresses, one a line, as `weft connect` takes them.",
		Args:              takes(1, 1, "one PEER"),
		ValidArgsFunction: a.completes(knownPeers),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.patient(cmd, timeout, "asking the DHT", func(ctx context.Context, c *client) error {
				return c.find(ctx, args[0], timeout)
			})
		},
	}
	timeoutFlag(c, &timeout, 30*time.Second, "how long to search")
	return c
}

func (c *client) find(ctx context.Context, arg string, timeout time.Duration) error {
	id, err := c.peerID(ctx, arg, knownPeers)
	if err != nil {
		return err
	}
	m, err := c.api.FindPeer(ctx, &weftv1.FindPeerRequest{PeerId: id, Timeout: durationpb.New(timeout)})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		for _, addr := range m.GetPeer().GetAddresses() {
			if err := c.print(harmless(addr) + "/p2p/" + m.GetPeer().GetPeerId()); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *app) closestCommand() *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "closest KEY",
		Short: "Ask the DHT which peers are nearest to a key",
		Long:  "Ask the DHT which peers are nearest to a key: a peer ID, or any text. Prints them with an\naddress each, the nearest first.",
		Args:  takes(1, 1, "one KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.patient(cmd, timeout, "asking the DHT", func(ctx context.Context, c *client) error {
				return c.closest(ctx, args[0], timeout)
			})
		},
	}
	timeoutFlag(c, &timeout, 30*time.Second, "how long to search")
	return c
}

func (c *client) closest(ctx context.Context, key string, timeout time.Duration) error {
	m, err := c.api.ClosestPeers(ctx, &weftv1.ClosestPeersRequest{Key: key, Timeout: durationpb.New(timeout)})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		for _, p := range m.GetPeers() {
			address := "-"
			if len(p.GetAddresses()) > 0 {
				address = p.GetAddresses()[0]
			}
			if err := c.print(p.GetPeerId() + "  " + harmless(address)); err != nil {
				return err
			}
		}
		return nil
	})
}
