package handshake

import (
	"errors"
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid handshake configuration")

// Admission says who may stay connected.
type Admission uint8

// The admissions.
const (
	// Open lets a peer that never speaks a weft protocol stay, as a plain libp2p
	// peer. Who does speak one must complete the handshake.
	Open Admission = iota
	// Members disconnects whoever does not complete the handshake in time, and
	// whoever is neither in the member list nor a proven validator.
	Members
)

// Config is what a node says and asks in a handshake.
type Config struct {
	Self    core.PeerID
	Network string
	Genesis []byte
	Version Version
	Oldest  Version // the oldest version that is accepted

	Admission Admission
	MaxSkew   time.Duration // between the two clocks
	Within    time.Duration // from the link to the end of the handshake
	Linger    time.Duration // for a Reject to arrive before the link is cut
}

// DefaultConfig returns the configuration of an open network.
func DefaultConfig(self core.PeerID, network string, version Version) Config {
	return Config{
		Self:    self,
		Network: network,
		Version: version,
		Oldest:  Version{Major: version.Major},
		MaxSkew: time.Minute,     // AvalancheGo: maximum clock difference
		Within:  5 * time.Second, // Basalt: handshake timeout
		Linger:  time.Second,     // chosen above any sane round trip; the refused node usually cuts first
	}
}

// Validate names the first field that cannot work, and what would.
func (c Config) Validate() error {
	switch {
	case c.Self == "":
		return fmt.Errorf("%w: Self is empty, set it to the node's own peer ID", ErrConfig)
	case c.Network == "" || len(c.Network) > MaxNetwork:
		return fmt.Errorf("%w: Network has %d bytes, set 1 to %d", ErrConfig, len(c.Network), MaxNetwork)
	case len(c.Genesis) > MaxGenesis:
		return fmt.Errorf("%w: Genesis has %d bytes, set at most %d", ErrConfig, len(c.Genesis), MaxGenesis)
	case c.Version.Compare(c.Oldest) < 0:
		return fmt.Errorf("%w: Oldest is %v, set it to Version %v or below", ErrConfig, c.Oldest, c.Version)
	case c.Admission > Members:
		return fmt.Errorf("%w: Admission is %d, set Open or Members", ErrConfig, c.Admission)
	case c.MaxSkew <= 0 || c.Within <= 0 || c.Linger <= 0:
		return fmt.Errorf("%w: MaxSkew is %v, Within %v and Linger %v, set all above 0", ErrConfig, c.MaxSkew, c.Within, c.Linger)
	}
	return nil
}
