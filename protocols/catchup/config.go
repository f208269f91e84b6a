package catchup

import (
	"errors"
	"fmt"
	"time"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid catch-up configuration")

// Config says how often a node asks for what it may lack, and how much it answers.
type Config struct {
	Window         time.Duration // how far back an ordinary question goes
	AskMin, AskMax time.Duration // between two ordinary questions about a topic
	DeepEvery      time.Duration // between two questions that go as far back as objects are wanted
	First          int           // carriers that are asked for everything on joining
	Welcome        int           // peers of a new carrier that ask it for everything, about so many
	Patience       time.Duration // after which the next of them is asked although the last has not finished
	Margin         time.Duration // by which a question goes back beyond the last answer
	AnswerWithin   time.Duration // how long a question blocks the next one to that peer

	AskPerSecond, AskBurst    int // our questions to one peer
	TellPerSecond, TellBurst  int // messages that one peer may send: what is beyond is an offence
	StepsPerSecond, StepBurst int // that the questions of one peer may cost: what is beyond has to wait
	PageSteps                 int // that one page may cost
}

// DefaultConfig returns what is right for topics of up to some hundred objects a
// second.
func DefaultConfig() Config {
	return Config{
		Window:         15 * time.Minute, // chosen as three times a cut of five minutes
		AskMin:         10 * time.Second, // chosen so that what is lost is there again within half a minute
		AskMax:         20 * time.Second, // chosen as twice AskMin: nodes that start together do not ask together
		DeepEvery:      5 * time.Minute,  // chosen because the largest question is 64 KiB: 220 B/s
		First:          3,                // chosen so that one carrier that lacks or hides something does no harm
		Welcome:        6,                // chosen because nobody asks it in e^-6, 0.25 %, of all cases; it is asked again
		Patience:       time.Minute,      // chosen because a log of 100,000 is paged in less
		Margin:         2 * time.Minute,  // chosen as twice the clock skew that a handshake allows
		AnswerWithin:   10 * time.Second, // FACTS: the time-out of a fetch
		AskPerSecond:   8,                // chosen as half of what a peer accepts: 8,000 IDs a second
		AskBurst:       64,               // chosen as half of what a peer accepts
		TellPerSecond:  16,               // chosen as twice what a peer asks
		TellBurst:      128,              // chosen because the pages of 100,000 IDs are 98
		StepsPerSecond: 2_000_000,        // chosen for 0.6 % of a CPU: a step takes 3 ns
		StepBurst:      32_000_000,       // chosen for 0.1 s: a log of a million against filters of everything
		PageSteps:      1 << 20,          // chosen for 3 ms: a million IDs passed over, or 65,536 looked up
	}
}

// Validate names the first field that cannot work, and what would.
func (c Config) Validate() error {
	switch {
	case c.Window <= 0 || c.Margin < 0:
		return fmt.Errorf("%w: Window is %v and Margin %v, set Window above 0 and Margin to 0 or more", ErrConfig, c.Window, c.Margin)
	case c.AskMin <= 0 || c.AskMax < c.AskMin:
		return fmt.Errorf("%w: AskMin is %v and AskMax %v, set 0 < AskMin <= AskMax", ErrConfig, c.AskMin, c.AskMax)
	case c.First < 1 || c.Welcome < 0:
		return fmt.Errorf("%w: First is %d and Welcome %d, set First to 1 or more and Welcome to 0 or more", ErrConfig, c.First, c.Welcome)
	case min(c.DeepEvery, c.Patience, c.AnswerWithin) <= 0:
		return fmt.Errorf("%w: DeepEvery %v, Patience %v, AnswerWithin %v: set all above 0", ErrConfig, c.DeepEvery, c.Patience, c.AnswerWithin)
	case min(c.AskPerSecond, c.AskBurst, c.TellPerSecond, c.TellBurst) < 1:
		return fmt.Errorf("%w: AskPerSecond %d, AskBurst %d, TellPerSecond %d, TellBurst %d: set all to 1 or more",
			ErrConfig, c.AskPerSecond, c.AskBurst, c.TellPerSecond, c.TellBurst)
	case min(c.StepsPerSecond, c.StepBurst, c.PageSteps) < 1:
		return fmt.Errorf("%w: StepsPerSecond %d, StepBurst %d, PageSteps %d: set all to 1 or more",
			ErrConfig, c.StepsPerSecond, c.StepBurst, c.PageSteps)
	}
	return nil
}
