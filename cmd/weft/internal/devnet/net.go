package devnet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weftnet/weft/node"
)

const (
	// MaxNodes bounds a network; chosen because 200 nodes with 12 links each are
	// what a laptop's memory and file handles bear.
	MaxNodes = 200
	// startsAtOnce bounds the nodes that start together; chosen because each
	// start is a burst of signatures and dials for a few cores.
	startsAtOnce = 8
	// joinPoll is how often joining is looked at; each look costs a map read per node.
	joinPoll = 20 * time.Millisecond
)

// Config says what network to run.
type Config struct {
	Nodes       int
	Base        node.Config // of every node; addresses, identity and API are set here
	APIBasePort int         // node i listens at this port + i; 0: any free port
}

// Validate reports what cannot work, with a remedy.
func (c Config) Validate() error {
	if c.Nodes < 1 || c.Nodes > MaxNodes {
		return fmt.Errorf("%d nodes cannot run in one process; ask for 1 to %d", c.Nodes, MaxNodes)
	}
	if last := c.APIBasePort + c.Nodes - 1; c.APIBasePort < 0 || last > 65535 {
		return fmt.Errorf("the APIs of %d nodes would need the ports %d to %d; choose a lower first port", c.Nodes, c.APIBasePort, last)
	}
	return nil
}

// Net is a running network.
type Net struct {
	nodes []*node.Node
	meter meter
}

// Up starts the network: the first node, then the others through it. It returns
// when every node can be dialled; WaitJoined waits for the links.
func Up(ctx context.Context, cfg Config) (*Net, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Net{nodes: make([]*node.Node, cfg.Nodes)}
	if err := n.start(ctx, cfg, 0); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(startsAtOnce)
	for i := 1; i < cfg.Nodes; i++ {
		g.Go(func() error { return n.start(ctx, cfg, i) })
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.meter.reset(n)
	return n, nil
}

func (n *Net) start(ctx context.Context, cfg Config, i int) error {
	x, err := node.New(cfg.nodeConfig(i, n.nodes[0]))
	if err != nil {
		return err
	}
	if err := x.Start(ctx); err != nil {
		return fmt.Errorf("node %d of %d: %w", i+1, cfg.Nodes, err)
	}
	n.nodes[i] = x
	return nil
}

func (c Config) nodeConfig(i int, first *node.Node) node.Config {
	cfg := c.Base
	cfg.DataDir, cfg.Ephemeral = "", true
	cfg.Listen, cfg.Announce, cfg.Bootstrap, cfg.DefaultBootstrap = []string{"/ip4/127.0.0.1/tcp/0"}, nil, nil, nil
	cfg.Admission, cfg.MembersFile, cfg.ValidatorsFile = "open", "", "" // nobody can name identities that are new each time
	cfg.MetricsAddr = ""
	cfg.API = net.JoinHostPort("127.0.0.1", strconv.Itoa(c.apiPort(i)))
	cfg.Logger = cfg.Logger.With("node", i+1)
	if first == nil {
		// Everybody joins through the first node, so it has a place for everybody.
		cfg.MaxPeers = max(cfg.MaxPeers, 2*c.Nodes) // all may join through one
		return cfg
	}
	for _, a := range first.Addrs() {
		cfg.Bootstrap = append(cfg.Bootstrap, a.String())
	}
	return cfg
}

func (c Config) apiPort(i int) int {
	if c.APIBasePort == 0 {
		return 0
	}
	return c.APIBasePort + i
}

// WaitJoined waits until every node has a link, and sees another node in each of
// its topics.
func (n *Net) WaitJoined(ctx context.Context) error {
	tick := time.NewTicker(joinPoll)
	defer tick.Stop()
	for {
		joined := n.Joined()
		if joined == len(n.nodes) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d nodes have joined: %w", joined, len(n.nodes), ctx.Err())
		case <-tick.C:
		}
	}
}

// Joined counts the nodes that have joined. A network of one has nobody to join.
func (n *Net) Joined() (count int) {
	for _, x := range n.nodes {
		if len(n.nodes) == 1 || joined(x) {
			count++
		}
	}
	return count
}

func joined(x *node.Node) bool {
	for _, t := range x.Topics() {
		if len(t.Peers) == 0 {
			return false
		}
	}
	return len(x.Peers()) > 0
}

// Chatter publishes on a topic from random nodes, as many messages a second as
// asked, until the context ends.
func (n *Net) Chatter(ctx context.Context, topic string, perSecond float64) error {
	tick := time.NewTicker(time.Duration(float64(time.Second) / perSecond))
	defer tick.Stop()
	for i := 1; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		from := rand.IntN(len(n.nodes))
		err := n.nodes[from].Publish(ctx, topic, fmt.Appendf(nil, "message %d from node %d", i, from+1))
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("node %d could not publish: %w", from+1, err)
		}
	}
}

// Close ends every node.
func (n *Net) Close() error {
	var g errgroup.Group
	for _, x := range n.nodes {
		if x != nil {
			g.Go(x.Close)
		}
	}
	return g.Wait()
}
