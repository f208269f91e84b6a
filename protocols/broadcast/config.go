package broadcast

import (
	"errors"
	"fmt"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid broadcast configuration")

// Config says how often objects are broadcast.
type Config struct {
	PerSecond     int // objects that we broadcast
	Burst         int // of them at once, after a pause
	TakePerSecond int // objects that are taken from one member
	TakeBurst     int // of them at once, after a pause
}

// DefaultConfig returns the configuration of every network.
func DefaultConfig() Config {
	return Config{
		PerSecond:     16,  // chosen like the new items of infection gossip
		Burst:         256, // chosen like theirs
		TakePerSecond: 32,  // chosen as twice what an honest member sends: queues and clocks bunch messages
		TakeBurst:     512, // chosen like TakePerSecond
	}
}

// Validate names the first field that cannot work, and what would.
func (c Config) Validate() error {
	switch {
	case c.PerSecond < 1 || c.Burst < 1:
		return fmt.Errorf("%w: PerSecond is %d and Burst %d, set both to 1 or more", ErrConfig, c.PerSecond, c.Burst)
	case c.TakePerSecond < c.PerSecond || c.TakeBurst < c.Burst:
		return fmt.Errorf("%w: TakePerSecond is %d and TakeBurst %d, set them to PerSecond (%d) and Burst (%d) or more, or honest members are blamed",
			ErrConfig, c.TakePerSecond, c.TakeBurst, c.PerSecond, c.Burst)
	}
	return nil
}
