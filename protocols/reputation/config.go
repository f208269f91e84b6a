package reputation

import (
	"errors"
	"fmt"
	"time"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid reputation configuration")

// Config says how scores change and how long bans last.
type Config struct {
	Heal       time.Duration // in which offences lose a point
	FirstBan   time.Duration // doubled with every further one
	LongestBan time.Duration
	Forgive    time.Duration // without a ban, after which the next one is a first one again
	Offenders  int           // banned peers of one IP group that get the group banned

	PerMinute  float64       // points that each reward gives at most
	MostEarned float64       // points that each reward adds up to at most
	HalfLife   time.Duration // in which rewards, and what slowness cost, fade to a half
	SlowBeyond time.Duration // a copy that is later than this on average costs points
	MostSlow   float64       // points that slowness costs at most

	MaxPeers  int // scores, and bans of peers, that are kept
	MaxGroups int // bans of groups that are kept
}

// DefaultConfig returns Basalt's bans and rewards.
func DefaultConfig() Config {
	return Config{
		Heal:       6 * time.Second, // chosen: ten points a minute
		FirstBan:   time.Hour,       // Basalt: ban of 1 h
		LongestBan: 7 * 24 * time.Hour,
		Forgive:    30 * 24 * time.Hour, // chosen over the longest ban
		Offenders:  3,                   // design: after 3 distinct offenders

		PerMinute:  5,                      // Basalt: rewards capped per minute; chosen below what time heals
		MostEarned: 50,                     // chosen: both rewards together lead to Basalt's highest score, 200
		HalfLife:   10 * time.Minute,       // chosen: an hour of silence forgets nearly all
		SlowBeyond: 600 * time.Millisecond, // seed: latency target of lazy delivery
		MostSlow:   20,                     // chosen far above the ban

		MaxPeers:  4096, // chosen: a few MiB
		MaxGroups: 1024, // chosen: each takes three banned peers, and their addresses
	}
}

// Validate names the first field that cannot work.
func (c Config) Validate() error {
	switch {
	case c.Heal <= 0 || c.FirstBan <= 0 || c.LongestBan < c.FirstBan || c.Forgive <= 0:
		return fmt.Errorf("%w: Heal %v, FirstBan %v, LongestBan %v, Forgive %v: set all above 0, LongestBan at least FirstBan",
			ErrConfig, c.Heal, c.FirstBan, c.LongestBan, c.Forgive)
	case c.Offenders < 2:
		return fmt.Errorf("%w: Offenders is %d: set it to 2 or more, or one offender condemns its neighbours", ErrConfig, c.Offenders)
	case !(c.PerMinute >= 0 && c.MostEarned >= 0) || c.HalfLife <= 0:
		return fmt.Errorf("%w: PerMinute %v, MostEarned %v, HalfLife %v: set the first two to 0 or more, the last above 0",
			ErrConfig, c.PerMinute, c.MostEarned, c.HalfLife)
	case c.SlowBeyond <= 0 || !(c.MostSlow >= 0 && c.MostSlow <= start-minorFloor):
		return fmt.Errorf("%w: SlowBeyond %v, MostSlow %v: set the first above 0, the second from 0 to %v",
			ErrConfig, c.SlowBeyond, c.MostSlow, start-minorFloor)
	case c.MaxPeers < 2 || c.MaxGroups < 2:
		return fmt.Errorf("%w: MaxPeers %d, MaxGroups %d: set both to 2 or more", ErrConfig, c.MaxPeers, c.MaxGroups)
	}
	return nil
}
