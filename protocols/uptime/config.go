package uptime

import (
	"errors"
	"fmt"
	"time"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid uptime configuration")

// Config says how members are pinged and how many others are remembered.
type Config struct {
	Every     time.Duration // between two pings of one peer, within 10 % either way
	First     time.Duration // before the first ping of a peer, at most; a third of it at least
	Within    time.Duration // for the pong
	MaxMissed int           // pings in a row that a peer may leave unanswered while it sends other things
	Pause     time.Duration // between ticks while a pong is awaited; a tick later than that again is a pause of ours
	Remember  int           // nodes that are neither connected nor validators
}

// DefaultConfig returns the configuration of every network.
func DefaultConfig() Config {
	return Config{
		Every:     30 * time.Second, // Casper: ping interval; keeps links alive within the frame read timeout of 120 s
		First:     30 * time.Second, // chosen so that joining a network is over before its pings begin, and they spread
		Within:    10 * time.Second, // chosen so that a silent peer is noticed within 50 s
		MaxMissed: 3,                // chosen to see out a transfer that holds up pongs for a minute and a half
		Pause:     time.Second,      // chosen well above scheduling delays and well below Within
		Remember:  1024,             // chosen like the saved peers of the store
	}
}

// Validate names the first field that cannot work, and what would.
func (c Config) Validate() error {
	switch {
	case c.Within <= 0 || c.Every <= c.Within:
		return fmt.Errorf("%w: Every is %v and Within %v, set 0 < Within < Every", ErrConfig, c.Every, c.Within)
	case c.First < 0 || c.First > c.Every:
		return fmt.Errorf("%w: First is %v, set 0 to Every, which is %v", ErrConfig, c.First, c.Every)
	case c.MaxMissed < 1:
		return fmt.Errorf("%w: MaxMissed is %d, set 1 or more", ErrConfig, c.MaxMissed)
	case c.Pause <= 0 || c.Pause >= c.Within:
		return fmt.Errorf("%w: Pause is %v, set it above 0 and below Within", ErrConfig, c.Pause)
	case c.Remember < 0:
		return fmt.Errorf("%w: Remember is %d, set 0 or more", ErrConfig, c.Remember)
	}
	return nil
}
