package peerlist

import (
	"errors"
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid peer-list configuration")

// Config says what a node keeps, asks and answers.
type Config struct {
	// Open tracks and tells the claim of any member; otherwise only those of
	// bootstrappers and validators.
	Open bool
	// Bootstrappers are tracked from the start.
	Bootstrappers []core.PeerID

	// AskFirst is the time from joining, or from a newcomer, to the next question;
	// it is so much for each KiB of filter that a question carries. From there the
	// time between two questions doubles: up to AskEvery while answers bring news,
	// and up to MaxAskEvery while they bring none.
	AskFirst, AskEvery, MaxAskEvery time.Duration
	// AnswerWithin is how long a question blocks the next one.
	AnswerWithin time.Duration
	// RebuildEvery is the age at which the filter gets a new salt.
	RebuildEvery time.Duration

	// LookupsPerSecond is what one asker may cost us, in filter lookups, and
	// LookupBurst what he may save up.
	LookupsPerSecond, LookupBurst int
}

// DefaultConfig returns the configuration of an open network.
func DefaultConfig() Config {
	return Config{
		Open:             true,
		AskFirst:         100 * time.Millisecond, // chosen because nodes that start together are complete within two round trips
		AskEvery:         2 * time.Second,        // AvalancheGo
		MaxAskEvery:      60 * time.Second,       // chosen because a filter costs bandwidth at rest, and a rebuild is due anyway
		AnswerWithin:     10 * time.Second,       // the pong timeout: who is slower is as good as gone
		RebuildEvery:     time.Minute,            // AvalancheGo
		LookupsPerSecond: 50_000,                 // 5 questions a second about 10,000 known claims: 0.3 % of a CPU
		LookupBurst:      400_000,                // a newcomer who pulls 10,000 claims from one peer costs about 240,000
	}
}

// Validate names the first field that cannot work, and what would.
func (c Config) Validate() error {
	switch {
	case c.AskFirst <= 0 || c.AskEvery < c.AskFirst || c.MaxAskEvery < c.AskEvery:
		return fmt.Errorf("%w: AskFirst is %v, AskEvery %v and MaxAskEvery %v, set 0 < AskFirst <= AskEvery <= MaxAskEvery",
			ErrConfig, c.AskFirst, c.AskEvery, c.MaxAskEvery)
	case c.AnswerWithin <= 0 || c.RebuildEvery <= 0:
		return fmt.Errorf("%w: AnswerWithin is %v and RebuildEvery %v, set both above 0", ErrConfig, c.AnswerWithin, c.RebuildEvery)
	case c.LookupsPerSecond < 1 || c.LookupBurst < 1:
		return fmt.Errorf("%w: LookupsPerSecond is %d and LookupBurst %d, set both above 0", ErrConfig, c.LookupsPerSecond, c.LookupBurst)
	}
	return nil
}
