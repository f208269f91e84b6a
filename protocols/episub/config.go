package episub

import (
	"errors"
	"fmt"
	"time"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid episub configuration")

// Config says how many peers push to us and how the others are asked.
type Config struct {
	EagerTarget int // peers that push to us while little is known about them
	EagerMin    int // down to this, where more of them bring nothing but copies
	Random      int // of these kept whatever they measure, against eclipse
	PlainMin    int // plain peers to be in a mesh with, where there are any
	PerGroup    int // eager peers of one public IP group
	LazyTarget  int // peers that we announce to at once
	MaxPushed   int // peers that we push to; others are refused

	Batch       time.Duration // that announcements are collected for
	FloodSize   int           // bytes up to which a message of our own goes to every peer
	Sow         int           // peers that a larger message of our own is pushed to at least
	UrgentSize  int           // bytes from which a message is announced without a batch
	PushBudget  time.Duration // that all our pushes of a message may take together: fewer peers where each takes long
	MinPause    time.Duration // between two changes of one link
	Every       time.Duration // between two ticks: tiers, repair and gossip
	Samples     int           // messages by which the peers are compared
	MinSamples  int           // of them before any peer is preferred
	Late        time.Duration // delay beyond which a copy is no use
	ShrinkBelow time.Duration // mean delay that a peer must save, or it is let go
	GrowAbove   time.Duration // mean delay that a further peer must save to be taken
	SwapAbove   time.Duration // mean delay that another peer must save to replace one
	Silence     int           // messages compared of which an eager peer gives no sign, or it is let go
	ShuffleEach time.Duration // time after which a random peer gives way to another

	PullWait    time.Duration // for a push of an announced message, before anything is learnt
	PullWaitMax time.Duration // the same, at most
	PullTimeout time.Duration // for the answer to a request, at most
	PullMin     time.Duration // the same, at least
	MaxAsks     int           // requests for one message before it is given up until announced again
	Gossip      int           // peers told again of a message at a tick
	GossipTicks int           // ticks for which they are

	Remember    time.Duration // that a message is known for
	MaxMessages int           // messages known
	MaxPeers    int           // peers of a topic that are looked after
	MaxWanted   int           // messages of one peer's announcements that are waited for
	IDsPerSec   int           // message IDs taken from one peer's announcements
	MaxID       int           // bytes of a message ID
}

// DefaultConfig returns the configuration of every network.
func DefaultConfig() Config {
	return Config{
		EagerTarget: 6,  // seed: eager peers
		EagerMin:    2,  // FACTS: keep at least two or three eager in-links; one of two is drawn by chance
		Random:      1,  // chosen because each costs a copy of every message
		PlainMin:    2,  // chosen so that a network in halves stays one
		PerGroup:    2,  // issue: at most two of one public IP group
		LazyTarget:  20, // seed: 12; more, because silence tells as well, and the next tick would tell the others anyway
		MaxPushed:   24, // chosen as four times the eager target: more is an uplink's ruin

		Batch:       10 * time.Millisecond,  // chosen as the least that bundles a burst; each hop by request waits for it
		FloodSize:   16 << 10,               // chosen because 50 copies then take 0.13 s at 50 Mbit/s
		Sow:         3,                      // chosen because a third copy makes up for two slow peers
		UrgentSize:  16 << 10,               // the same: a copy saved is worth more than an announcement
		PushBudget:  160 * time.Millisecond, // chosen: the way to another continent; four peers when a push takes 40 ms
		MinPause:    2 * time.Second,        // FACTS: at least 2 s between choke and unchoke
		Every:       time.Second,            // gossipsub: heartbeat
		Samples:     64,                     // chosen: a minute of a message a second
		MinSamples:  12,                     // chosen as two for each eager peer
		Late:        250 * time.Millisecond, // chosen above the seed's delivery target of 200 ms
		ShrinkBelow: 4 * time.Millisecond,   // chosen below half of GrowAbove, for hysteresis
		GrowAbove:   10 * time.Millisecond,  // chosen as a twentieth of the delivery target
		SwapAbove:   time.Millisecond,       // chosen above what the clock and the scheduler add
		Silence:     8,                      // chosen: one that has half of the messages from us is silent so long once in 256
		ShuffleEach: 5 * time.Minute,        // chosen: an attacker who waits for a random place waits long

		PullWait:    20 * time.Millisecond,  // chosen as twice the batch
		PullWaitMax: 150 * time.Millisecond, // chosen so that three hops by request stay within the seed's 600 ms
		PullTimeout: time.Second,            // chosen: 1 MiB takes 0.2 s at 50 Mbit/s
		PullMin:     100 * time.Millisecond, // chosen: a round trip between continents
		MaxAsks:     8,                      // chosen: it takes 8 s at most to give up
		Gossip:      3,                      // chosen as half of gossipsub's, because most are known to have the message
		GossipTicks: 3,                      // gossipsub: HistoryGossip

		Remember:    2 * time.Minute, // pubsub: seen messages
		MaxMessages: 1 << 16,         // chosen: 3 s at 20,000 messages/s, about 16 MB
		MaxPeers:    maxSlots,
		MaxWanted:   1024, // chosen like the new objects of one peer that may wait
		IDsPerSec:   5000, // gossipsub: MaxIHaveLength
		MaxID:       256,  // chosen far above a peer ID with a sequence number (50)
	}
}

// Validate names the first field that cannot work, and what would.
func (c Config) Validate() error {
	switch {
	case c.EagerMin < 1 || c.EagerTarget < c.EagerMin:
		return fmt.Errorf("%w: EagerMin is %d and EagerTarget %d, set EagerMin to 1 or more and EagerTarget no lower", ErrConfig, c.EagerMin, c.EagerTarget)
	case c.Random < 0 || c.Random > c.EagerMin:
		return fmt.Errorf("%w: Random is %d, set it between 0 and EagerMin (%d)", ErrConfig, c.Random, c.EagerMin)
	case c.MaxPushed < c.EagerTarget:
		return fmt.Errorf("%w: MaxPushed is %d, set it to EagerTarget (%d) or more, or peers find nobody to push to them", ErrConfig, c.MaxPushed, c.EagerTarget)
	case c.PerGroup < 1 || c.LazyTarget < 0 || c.PlainMin < 0 || c.Gossip < 1 || c.GossipTicks < 1 || c.MaxAsks < 1:
		return fmt.Errorf("%w: PerGroup, Gossip, GossipTicks and MaxAsks must be 1 or more, LazyTarget and PlainMin 0 or more", ErrConfig)
	case c.MinPause < 2*time.Second:
		return fmt.Errorf("%w: MinPause is %s, set it to 2 s or more: gossipsub counts what comes sooner as an offence", ErrConfig, c.MinPause)
	case c.Every <= 0 || c.Batch < 0 || c.PushBudget <= 0 || c.Late <= 0 || c.PullMin <= 0 || c.PullTimeout < c.PullMin || c.PullWaitMax < c.PullWait || c.Remember <= 0:
		return fmt.Errorf("%w: Every, Late, PushBudget, PullMin and Remember must be above 0, Batch not below, PullTimeout no less than PullMin, PullWaitMax than PullWait", ErrConfig)
	case c.Samples < c.MinSamples || c.MinSamples < 1:
		return fmt.Errorf("%w: Samples is %d and MinSamples %d, set MinSamples to 1 or more and Samples no lower", ErrConfig, c.Samples, c.MinSamples)
	case c.Silence < 1 || c.Silence > c.MinSamples:
		return fmt.Errorf("%w: Silence is %d, set it between 1 and MinSamples (%d)", ErrConfig, c.Silence, c.MinSamples)
	case c.MaxPeers < 1 || c.MaxPeers > maxSlots:
		return fmt.Errorf("%w: MaxPeers is %d, set it between 1 and %d", ErrConfig, c.MaxPeers, maxSlots)
	case c.MaxMessages < 1 || c.MaxWanted < 1 || c.IDsPerSec < 1 || c.MaxID < 1:
		return fmt.Errorf("%w: MaxMessages, MaxWanted, IDsPerSec and MaxID must be 1 or more", ErrConfig)
	}
	return nil
}
