package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

const (
	peerPrefix = 'p'

	// MaxSavedPeers is how many are kept: chosen to outlast the loss of most of
	// them, at a size (about 100 KiB) that nobody notices.
	MaxSavedPeers = 1024

	maxAddrs     = 16  // of one peer, as a claim may hold
	maxAddrBytes = 512 // of one address; the longest in use have about 150
)

var errPeerRecord = errors.New("malformed peer record")

// SavePeer keeps a peer, in place of what was known of it. Of its addresses the
// first 16 are kept. When there are too many peers the oldest are forgotten.
func (s *Store) SavePeer(p core.SavedPeer) error {
	return s.use(func() error {
		batch := s.db.NewBatch()
		defer batch.Close()
		forgotten := s.oldest(p.Peer)
		for _, id := range forgotten {
			if err := batch.Delete(peerKey(id), nil); err != nil {
				return err
			}
		}
		if err := batch.Set(peerKey(p.Peer), appendPeer(nil, p), nil); err != nil {
			return err
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			return fmt.Errorf("saving peer %s: %w", p.Peer, err)
		}
		for _, id := range forgotten {
			delete(s.lastSeen, id)
		}
		s.lastSeen[p.Peer] = p.LastSeen
		return nil
	})
}

// DeletePeer forgets a peer.
func (s *Store) DeletePeer(id core.PeerID) error {
	return s.use(func() error {
		delete(s.lastSeen, id)
		return s.db.Delete(peerKey(id), pebble.Sync)
	})
}

// SavedPeers are up to limit peers, the last seen first. A record that cannot be
// read is left out.
func (s *Store) SavedPeers(limit int) (peers []core.SavedPeer, err error) {
	err = s.use(func() error {
		peers, err = s.peers()
		return err
	})
	return peers[:min(len(peers), limit)], err
}

func (s *Store) peers() (peers []core.SavedPeer, err error) {
	err = s.scan(peerPrefix, func(key, value []byte) error {
		if p, err := parsePeer(key, value); err == nil {
			peers = append(peers, p)
		}
		return nil
	})
	slices.SortFunc(peers, func(a, b core.SavedPeer) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), cmp.Compare(a.Peer, b.Peer))
	})
	return peers, err
}

// index reads into memory who is saved, so that a write need not scan.
func (s *Store) index() error {
	peers, err := s.peers()
	s.lastSeen = make(map[core.PeerID]time.Time, len(peers))
	for _, p := range peers {
		s.lastSeen[p.Peer] = p.LastSeen
	}
	return err
}

// oldest are the peers that have to make room for a newcomer: the eighth seen
// longest ago once there are too many, so that few writes have to look for them.
func (s *Store) oldest(newcomer core.PeerID) []core.PeerID {
	if _, known := s.lastSeen[newcomer]; known || len(s.lastSeen) < MaxSavedPeers {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(s.lastSeen), func(a, b core.PeerID) int {
		return cmp.Or(s.lastSeen[a].Compare(s.lastSeen[b]), cmp.Compare(a, b))
	})
	return ids[:len(ids)-MaxSavedPeers+MaxSavedPeers/8]
}

func peerKey(id core.PeerID) []byte { return append([]byte{peerPrefix}, id...) }

func appendPeer(b []byte, p core.SavedPeer) []byte {
	addrs := p.Addrs[:min(len(p.Addrs), maxAddrs)]
	b = binary.BigEndian.AppendUint64(b, uint64(p.LastSeen.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(len(addrs)))
	for _, a := range addrs {
		raw := a.Bytes()
		b = binary.AppendUvarint(b, uint64(len(raw)))
		b = append(b, raw...)
	}
	return b
}

func parsePeer(key, value []byte) (core.SavedPeer, error) {
	id, err := peer.IDFromBytes(key)
	if err != nil || len(value) < 8 {
		return core.SavedPeer{}, errPeerRecord
	}
	p := core.SavedPeer{Peer: id, LastSeen: time.UnixMilli(int64(binary.BigEndian.Uint64(value)))}
	count, rest, ok := uvarint(value[8:], maxAddrs)
	if !ok {
		return core.SavedPeer{}, errPeerRecord
	}
	for range count {
		size, tail, ok := uvarint(rest, maxAddrBytes)
		if !ok || size > len(tail) {
			return core.SavedPeer{}, errPeerRecord
		}
		a, err := multiaddr.NewMultiaddrBytes(slices.Clone(tail[:size]))
		if err != nil {
			return core.SavedPeer{}, errPeerRecord
		}
		p.Addrs, rest = append(p.Addrs, a), tail[size:]
	}
	if len(rest) > 0 {
		return core.SavedPeer{}, errPeerRecord
	}
	return p, nil
}

// uvarint reads a number of at most limit.
func uvarint(b []byte, limit int) (n int, rest []byte, ok bool) {
	v, size := binary.Uvarint(b)
	if size <= 0 || v > uint64(limit) {
		return 0, nil, false
	}
	return int(v), b[size:], true
}
