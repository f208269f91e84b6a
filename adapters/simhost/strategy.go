package simhost

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/weftnet/weft/adapters/gossipsub"
)

// Strategy is a way to spread messages.
type Strategy struct {
	Name string
	// New starts it on a host. The seed is the node's own.
	New func(h host.Host, seed int64) (Stack, error)
}

// Stack is a strategy at work on one node.
type Stack interface {
	// Join takes part in a topic, and calls deliver for every message of others,
	// with the time at which the node had it; perhaps for its own as well.
	Join(topic string, deliver func(data []byte, at time.Time)) error
	Publish(ctx context.Context, topic string, data []byte) error
	// Tiers are how many peers push messages to it in full, and how many announce
	// them.
	Tiers(topic string) (eager, lazy int)
	// Close returns when every goroutine has ended or is about to.
	Close() error
}

// Plain is the node's gossip with gossipsub's defaults: a mesh of 6, gossip at the heartbeat.
func Plain() Strategy {
	return Strategy{Name: "plain", New: func(h host.Host, _ int64) (Stack, error) {
		cfg := gossipsub.DefaultConfig()
		cfg.MaxMessage = gossipsub.MaxMaxMessage
		return newGossip(h, cfg)
	}}
}

// Episub is the node's gossip as nodes run it, with reputation and bans.
func Episub() Strategy {
	return Strategy{Name: "episub", New: func(h host.Host, seed int64) (Stack, error) {
		cfg := gossipsub.DefaultConfig()
		cfg.MaxMessage = gossipsub.MaxMaxMessage
		cfg.Episub, cfg.Seed = true, uint64(seed)
		return newJudged(h, cfg)
	}}
}

// gossip is the node's pubsub.
type gossip struct {
	*gossipsub.PubSub
	done chan struct{} // closed when the reader has ended; nil before Join
}

func newGossip(h host.Host, cfg gossipsub.Config) (*gossip, error) {
	ps, err := gossipsub.New(h, cfg)
	return &gossip{PubSub: ps}, err
}

// Join implements Stack, for one topic.
func (g *gossip) Join(topic string, deliver func([]byte, time.Time)) error {
	sub, err := g.Subscribe(topic)
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	g.done = make(chan struct{})
	go func() {
		defer close(g.done)
		for {
			m, err := sub.Next(context.Background())
			if err != nil {
				return
			}
			deliver(m.Data, m.Received)
		}
	}()
	return nil
}

// Tiers implements Stack.
func (g *gossip) Tiers(topic string) (eager, lazy int) {
	if t, ok := g.PubSub.Tiers(topic); ok {
		return t.Eager, t.Lazy
	}
	for _, t := range g.Topics() {
		if t.Name == topic {
			eager = t.Mesh
		}
	}
	return eager, 0
}

// Close implements Stack.
func (g *gossip) Close() error {
	err := g.PubSub.Close()
	if g.done != nil {
		<-g.done
	}
	return err
}
