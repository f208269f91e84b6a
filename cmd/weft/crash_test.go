//go:build slow

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

// cluster is so many nodes, each connected to each, and no bootstrapper any more.
func cluster(t *testing.T, n int) (all []*kept) {
	t.Helper()
	onLoopback := []string{"--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--topology", "mesh"}
	door := newKept(t, onLoopback...).start()
	for range n {
		all = append(all, newKept(t, append(onLoopback, "--bootstrap", door.addr())...).start())
	}
	for _, k := range all {
		await(t, "cluster", func() bool { return len(k.members()) == n })
	}
	door.kill()
	for _, k := range all {
		await(t, "end of the bootstrapper", func() bool { return len(k.members()) == n-1 })
	}
	return all
}

const (
	crashes = 100
	// settleTime is up to how long a node lives that has joined, before it is
	// killed. Chosen longer than what it does then: it saves whom it met.
	settleTime = 300 * time.Millisecond
	// openTime is up to how long a node lives that is killed while it starts.
	openTime = 200 * time.Millisecond
	// rejoinLimit is from the start of the process to the first member.
	rejoinLimit = 10 * time.Second
)

// Every second time the node is killed while it starts, otherwise after it has
// joined through peers that it saved, as its bootstrapper is down.
func TestANodeThatIsKilledAHundredTimesComesBack(t *testing.T) {
	t.Parallel()
	all := cluster(t, 4)
	victim := all[3]
	victim.kill()
	var slowest, sum time.Duration
	for i := range crashes / 2 {
		victim.run()
		time.Sleep(rand.N(openTime))
		victim.kill()
		begun := time.Now()
		victim.start()
		await(t, fmt.Sprintf("member after %d kills", 2*i+2), func() bool { return len(victim.members()) > 0 })
		took := time.Since(begun)
		if took > rejoinLimit {
			t.Errorf("after %d kills the node was alone for %v", 2*i+2, took)
		}
		slowest, sum = max(slowest, took), sum+took
		time.Sleep(rand.N(settleTime))
		victim.kill()
	}
	t.Logf("rejoined %v after the start on average, %v at most", sum/(crashes/2), slowest)
	victim.start()
	for _, k := range all {
		await(t, "cluster", func() bool { return len(k.members()) == len(all)-1 })
	}
}

const (
	pauseTime = 5 * time.Second
	pauses    = 6                // of one node, over more than the 40 s in which a ping is sent and missed
	noticed   = 50 * time.Second // for a peer that is gone without a word
	slack     = 2 * time.Second  // chosen for a machine that does other things too
)

func TestAPauseOfFiveSecondsFailsNobody(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3)
	for range pauses {
		all[0].signal(syscall.SIGSTOP)
		time.Sleep(pauseTime)
		all[0].signal(syscall.SIGCONT)
		time.Sleep(pauseTime / 2)
	}
	for _, k := range all {
		if n := len(k.members()); n != len(all)-1 {
			t.Errorf("%d members, want %d", n, len(all)-1)
		}
		for _, e := range k.past("peer.left", "peer.silent", "peer.banned", "peer.offence") {
			if slices.ContainsFunc(all, func(k *kept) bool { return k.id == e.PeerId }) {
				t.Errorf("%s: %s", e.Kind, e.Text)
			}
		}
	}
}

func TestAPeerThatDiesSilentlyIsNoticed(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3)
	dead := all[0]
	dead.signal(syscall.SIGSTOP)
	since := time.Now()
	for _, k := range all[1:] {
		for slices.Contains(k.members(), dead.id) {
			if time.Since(since) > noticed+slack {
				t.Fatalf("not noticed after %v", time.Since(since))
			}
			time.Sleep(lookEvery)
		}
	}
	t.Logf("noticed after %v", time.Since(since).Round(time.Millisecond))
	dead.signal(syscall.SIGCONT)
	for _, k := range all {
		await(t, "cluster", func() bool { return len(k.members()) == len(all)-1 })
	}
}
