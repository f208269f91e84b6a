package simtest

import (
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/object"
)

// rough is a network of 100 to 300 ms one way, in which one of twenty messages is lost.
func rough() Config {
	cfg := DefaultConfig()
	cfg.Latency = Uniform(1, 100*time.Millisecond, 200*time.Millisecond)
	cfg.Jitter = 100 * time.Millisecond
	cfg.Loss = 0.05
	return cfg
}

// sized gives a small number in every run of the tests, and a large one where all is
// simulated.
func sized(small, large int) int {
	if complete {
		return large
	}
	return small
}

// Those that are broadcast go on by pulls alone, from node to node, so that the last
// one gets them minutes later.
const soon = 5 * time.Minute

func TestObjectsReachEverybodyOverARoughNetwork(t *testing.T) {
	a := newArchive(t, 0, rough(), classes()...)
	a.grow(sized(200, 1000), 6)
	a.Run(5 * time.Second)
	a.writing(sized(50, 300), time.Minute)
	a.Run(time.Minute)
	a.report("5 % loss", a.converge(soon))
	a.intact()
}

// The same while nodes crash, or leave, and come back with what they had on disk.
func TestObjectsOutliveChurn(t *testing.T) {
	during := time.Duration(sized(2, 5)) * time.Minute
	a := newArchive(t, 0, rough(), classes()...)
	a.grow(sized(20, 1000), 6)
	a.Run(5 * time.Second)
	a.writing(sized(200, 300), during)
	restarts := a.churn(0.3, during)
	a.Run(during + time.Minute) // all are back
	a.report("30 % churn a minute", a.converge(soon))
	t.Logf("%d restarts", *restarts)
	a.intact()
}

// churn lets a part of the nodes go in each minute, each for up to a minute, and counts
// them.
func (a *archive) churn(part float64, during time.Duration) *int {
	end, gone := a.Elapsed()+during, new(int)
	a.Every(time.Duration(float64(time.Minute)/part/float64(len(a.keepers))), func() bool {
		k := a.keepers[a.rng.IntN(len(a.keepers))]
		if k.Up() {
			*gone++
			if a.rng.IntN(2) == 0 {
				k.Stop()
			} else {
				k.Crash()
			}
			a.After(time.Duration(a.rng.Int64N(int64(time.Minute))), k.start)
		}
		return a.Elapsed() < end
	})
	return gone
}

// Two halves that were cut off from each other for five minutes, and both wrote, hold
// the same within two minutes.
func TestHalvesThatWereCutOffHoldTheSame(t *testing.T) {
	for _, noticed := range []bool{false, true} {
		a := newArchive(t, 1, rough(), classes()...)
		a.grow(sized(20, 1000), 6)
		a.Run(30 * time.Second)
		a.cut(noticed)
		a.writing(sized(200, 300), 5*time.Minute)
		a.Run(5 * time.Minute)
		if a.lacking() < len(a.keepers)*len(a.disk)/3 {
			t.Errorf("the halves lack %d of each other's objects: were they cut?", a.lacking())
		}
		a.heal()
		a.report("healed", a.rejoin())
		a.intact()
	}
}

// rejoin waits until all hold the same: for two minutes, after which of a thousand nodes
// some may still lack a few broadcasts, as anywhere.
func (a *archive) rejoin() time.Duration {
	a.t.Helper()
	if !complete {
		return a.converge(2 * time.Minute)
	}
	a.Run(2 * time.Minute)
	lacking, all := a.lacking(), len(a.keepers)*len(a.disk)
	a.t.Logf("after two minutes they lack %d of %d", lacking, all)
	if lacking > all/1000 {
		a.t.Error("that is too much")
	}
	return 2*time.Minute + a.converge(soon)
}

// cut puts every other node on another side. Where they notice, their connections are
// closed after as long as pings take.
func (a *archive) cut(noticed bool) {
	for i, k := range a.keepers {
		k.SetSide(i % 2)
	}
	if !noticed {
		return
	}
	a.After(30*time.Second, func() {
		for _, k := range a.keepers {
			for _, t := range slices.Clone(k.Host.order) {
				if t.to.side != k.Host.side {
					k.Host.Close(t.to.cfg.ID)
				}
			}
		}
	})
}

func (a *archive) heal() {
	for _, k := range a.keepers {
		k.SetSide(0)
	}
}

// A burst above every limit of every queue arrives in full.
func TestABurstAboveEveryLimitArrives(t *testing.T) {
	a := newArchive(t, 1, DefaultConfig(), classes()...)
	a.meshQueue, a.saveDelay = 16, 100*time.Millisecond
	a.change = func(c *dissemination.Config) {
		c.MaxUnsaved = 32 << 10
		c.Fetch.MaxWants, c.Fetch.MaxInFlight, c.Fetch.MaxServed = 256, 8, 8
		c.Infect.MaxEntries, c.Infect.MaxPending, c.Infect.NewBurst, c.Infect.NewPerSecond = 64, 8, 16, 16
		c.Broadcast.Burst = 16
		c.Pending.MaxPeerBytes, c.Pending.MaxBytes = 64<<10, 128<<10
		c.Pending.MaxWants, c.Pending.MaxPeerWants = 32, 8
	}
	a.grow(10, 4)
	a.Run(5 * time.Second)
	for _, topic := range a.topics {
		for _, k := range a.keepers[:2] {
			var deps []object.ID
			for range 300 {
				deps = []object.ID{k.put(topic.Name, 200, deps...).ID}
			}
		}
	}
	a.Run(time.Second) // all is on the disk of who wrote it
	if len(a.disk) < 1800 {
		t.Fatalf("%d objects were written", len(a.disk))
	}
	a.report("burst", a.converge(5*time.Minute))
	a.intact()
	var s dissemination.Stats
	for _, k := range a.keepers {
		one := k.machine().Stats()
		s.NoRoom += one.NoRoom
		s.Missed += one.Missed
		s.NotPassed += one.NotPassed
		s.Fetch.Full += one.Fetch.Full
		s.Infect.NoRoom += one.Infect.NoRoom
		s.Broadcast.Held += one.Broadcast.Held
		s.Pending.Parks += one.Pending.Parks
	}
	t.Logf("over the limit: %d the disk's, %d the mesh's, %d+%d of the gossip, %d of fetch, %d of broadcast, %d parked",
		s.NoRoom, s.Missed, s.NotPassed, s.Infect.NoRoom, s.Fetch.Full, s.Broadcast.Held, s.Pending.Parks)
	if min(s.NoRoom, s.Missed, s.NotPassed, s.Infect.NoRoom, s.Fetch.Full, s.Broadcast.Held, s.Pending.Parks) == 0 {
		t.Error("a limit was not reached: the burst is too small")
	}
}

// A chain whose end is sent first arrives in order at everybody.
func TestAChainThatIsSentInReverseArrives(t *testing.T) {
	for _, cfg := range []Config{rough(), DefaultConfig()}[:sized(1, 2)] {
		a := newArchive(t, 1, cfg, classes()...)
		a.grow(sized(6, 200), 6)
		first := a.keepers[0]
		for _, topic := range a.topics {
			first.stock(a.chain(topic.Name, 1000)...)
		}
		a.Run(time.Second)
		for _, topic := range a.topics {
			log := first.shelf.row(topic.Name).log
			for i := range log {
				first.mesh.publish(topic.Name, first.shelf.bytes[log[len(log)-1-i].ID])
			}
		}
		a.report("3 chains of 1,000 in reverse", a.converge(2*time.Minute))
		a.intact()
	}
}

// stock makes a node hold objects as if they had been there before its start.
func (k *keeper) stock(all ...dissemination.Parcel) {
	k.Crash()
	for _, p := range all {
		topic := p.Object.Topic
		k.shelf.save(dissemination.Save{Topic: topic, Seq: k.shelf.row(topic).last + 1, ID: p.ID, Landed: k.Now(), Bytes: p.Bytes})
		k.a.disk[p.ID] = true
	}
	k.start()
}

func TestALateJoinerGetsEverything(t *testing.T) {
	a := newArchive(t, 1, rough(), classes()...)
	a.grow(10, 4)
	a.Run(time.Second)
	a.writing(sized(1000, 10_000), 10*time.Minute)
	a.Run(15 * time.Minute)
	a.converge(time.Minute)
	for _, k := range a.keepers {
		k.mesh.seen = map[object.ID]time.Duration{}
	}
	late := a.add(a.keepers[:3]...)
	late.start()
	a.report("late joiner", a.converge(6*time.Minute)) // one that each list hid or lost comes with the next list of everything, after five
	a.intact()
}
