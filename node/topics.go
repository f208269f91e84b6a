package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/weftnet/weft/adapters/gossipsub"
)

// Message is one message of a topic.
type Message = gossipsub.Message

// Subscription delivers the messages of a topic. See its Next, Dropped and Close.
type Subscription = gossipsub.Subscription

// Topic is what the node knows of a topic it has joined.
type Topic = gossipsub.TopicInfo

// ErrOff answers what needs a part that Config leaves out.
var ErrOff = errors.New("this part is switched off in the node's configuration")

// topics is the running pubsub.
func (n *Node) topics() (*gossipsub.PubSub, error) {
	p, err := n.live()
	if err == nil && p.pubsub == nil {
		err = fmt.Errorf("pubsub: %w", ErrOff)
	}
	if err != nil {
		return nil, err
	}
	return p.pubsub, nil
}

// Publish sends data to everybody who has joined the topic. It waits until a
// peer of that topic is known, or ctx ends; it returns once the message is
// handed to the network, which is no promise of delivery. The publisher's own
// subscribers receive it too.
func (n *Node) Publish(ctx context.Context, topic string, data []byte) error {
	_, err := n.publish(ctx, topic, data)
	return err
}

// publish also tells how many peers of the topic are known.
func (n *Node) publish(ctx context.Context, topic string, data []byte) (peers int, err error) {
	p, err := n.topics()
	if err != nil {
		return 0, err
	}
	return p.PublishTo(ctx, topic, data)
}

// Subscribe joins a topic and delivers its messages from now on, the node's own
// included. Close the subscription when done; the last one leaves the topic,
// unless it was joined by Join or Config.Topics.
func (n *Node) Subscribe(topic string) (*Subscription, error) { return n.subscribe(topic, 0) }

// subscribe buffers so many messages for a slow reader; 0 means the default.
func (n *Node) subscribe(topic string, buffer int) (*Subscription, error) {
	p, err := n.topics()
	if err != nil {
		return nil, err
	}
	if buffer == 0 {
		return p.Subscribe(topic)
	}
	return p.Subscribe(topic, gossipsub.Buffer(min(buffer, maxBuffer)))
}

// maxBuffer bounds what a subscriber may ask for; chosen because pubsub bounds
// the bytes anyway.
const maxBuffer = 1 << 16

// Join forwards the messages of a topic for others, without a subscriber here.
func (n *Node) Join(topic string) error {
	p, err := n.topics()
	if err != nil {
		return err
	}
	return p.Join(topic)
}

// Leave undoes Join.
func (n *Node) Leave(topic string) error {
	p, err := n.topics()
	if err != nil {
		return err
	}
	return p.Leave(topic)
}

// Topics are the topics the node has joined, by name.
func (n *Node) Topics() []Topic {
	p, err := n.topics()
	if err != nil {
		return nil
	}
	return p.Topics()
}
