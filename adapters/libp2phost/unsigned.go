package libp2phost

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/record"
)

// unsigned is a peerstore that keeps no signed peer records, so that identify sends
// none. What identify says comes over a connection that names its sender, and whom
// to believe about others our own claims say: a record would cost both sides of each
// connection a signature check for nothing.
type unsigned struct{ peerstore.Peerstore }

var _ peerstore.CertifiedAddrBook = unsigned{}

// ConsumePeerRecord implements peerstore.CertifiedAddrBook. libp2p offers it our own
// record, whose addresses the peerstore has besides.
func (unsigned) ConsumePeerRecord(*record.Envelope, time.Duration) (bool, error) { return false, nil }

// GetPeerRecord implements peerstore.CertifiedAddrBook.
func (unsigned) GetPeerRecord(peer.ID) *record.Envelope { return nil }
