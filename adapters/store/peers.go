package store

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

const (
	// MaxSavedPeers is how many are kept: chosen to outlast the loss of most of
	// them, at a size (about 100 KiB) that nobody notices.
	MaxSavedPeers = 1024

	maxAddrs     = 16  // of one peer, as a claim may hold
	maxAddrBytes = 512 // of one address; the longest in use have about 150
)

var peerKind = kind[core.SavedPeer]{
	prefix: 'p',
	most:   MaxSavedPeers,
	name:   func(p core.SavedPeer) string { return string(p.Peer) },
	rank:   func(p core.SavedPeer) time.Time { return p.LastSeen },
	append: appendPeer,
	parse:  ofPeer(parsePeer),
}

// SavedPeers are up to limit peers, the last seen first.
func (s *Store) SavedPeers(limit int) ([]core.SavedPeer, error) {
	peers, err := load(s, &s.peers)
	return first(limit, peers), err
}

// DeletePeer forgets a peer.
func (s *Store) DeletePeer(id core.PeerID) error {
	return s.write(func(b *pebble.Batch) error { return s.peers.delete(b, string(id)) })
}

func appendPeer(b []byte, p core.SavedPeer) []byte {
	addrs := p.Addrs[:min(len(p.Addrs), maxAddrs)]
	b = appendTime(b, p.LastSeen)
	b = binary.AppendUvarint(b, uint64(len(addrs)))
	for _, a := range addrs {
		raw := a.Bytes()
		b = binary.AppendUvarint(b, uint64(len(raw)))
		b = append(b, raw...)
	}
	return b
}

func parsePeer(id core.PeerID, value []byte) (none core.SavedPeer, err error) {
	seen, rest, ok := cutTime(value)
	if !ok {
		return none, errMalformed
	}
	p := core.SavedPeer{Peer: id, LastSeen: seen}
	count, rest, ok := uvarint(rest, maxAddrs)
	if !ok {
		return none, errMalformed
	}
	for range count {
		var a multiaddr.Multiaddr
		if a, rest, err = cutAddr(rest); err != nil {
			return none, err
		}
		p.Addrs = append(p.Addrs, a)
	}
	if len(rest) > 0 {
		return none, errMalformed
	}
	return p, nil
}

// cutAddr reads the address that a value goes on with.
func cutAddr(b []byte) (a multiaddr.Multiaddr, rest []byte, err error) {
	size, rest, ok := uvarint(b, maxAddrBytes)
	if !ok || size > len(rest) {
		return nil, nil, errMalformed
	}
	if a, err = multiaddr.NewMultiaddrBytes(slices.Clone(rest[:size])); err != nil {
		return nil, nil, errMalformed
	}
	return a, rest[size:], nil
}
