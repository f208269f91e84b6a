package gossipsub

import (
	"fmt"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Raw topics are signed strictly, as libp2p's are by default. A message of an object
// topic needs no signature: its ID is its hash, and an object's author has signed the
// object. Pubsub would make one at each publisher, and verify it there and at each
// node on the way: half of what an object of 1 KiB costs. Its policy is for all topics
// alike, so what it leaves open, raw topics, is closed here.

// signaturePerTopic makes pubsub sign nothing of itself, and verify every signature
// that is there.
const signaturePerTopic pubsub.MessageSignaturePolicy = 0

// ownKey is what messages on raw topics are signed with.
func ownKey(store interface{ PrivKey(peer.ID) crypto.PrivKey }, self peer.ID) (pubsub.PubOpt, error) {
	key := store.PrivKey(self)
	if key == nil {
		return nil, fmt.Errorf("start pubsub: the host has no private key of %s", self)
	}
	return pubsub.WithSecretKeyAndPeerId(key, self), nil
}

// signed says whether a message has a signature, or needs none. It runs before pubsub
// remembers the message's ID: else one without a signature would keep out that of its
// supposed author.
func (p *PubSub) signed(m *pb.Message) bool {
	return m.GetSignature() != nil || p.trace.objects(m.GetTopic()) || !p.filter.mine(m.GetTopic())
}

// unsigned tells of a message as pubsub does where every topic is signed strictly.
// Nobody is to blame for one that names no author: to its sender the topic may carry
// objects.
func (p *PubSub) unsigned(from peer.ID, m *pb.Message) {
	msg := &pubsub.Message{Message: m, ReceivedFrom: from}
	p.trace.RejectMessage(msg, pubsub.RejectMissingSignature)
	if p.reputation != nil && len(m.GetFrom()) > 0 {
		p.reputation.RejectMessage(msg, pubsub.RejectMissingSignature)
	}
}
