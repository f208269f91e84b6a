package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Result is what one process measured of one cluster.
type Result struct {
	System string `json:"system"`
	Nodes  int    `json:"nodes"`
	Failed string `json:"failed,omitempty"` // why there was no full mesh; all else is zero then

	Mesh       float64 `json:"mesh_s"`        // from the first start to the last link
	CPU        float64 `json:"cpu_s"`         // of the process over that time
	RestCPU    float64 `json:"cpu_to_rest_s"` // from the first start until the process rests
	Written    float64 `json:"written_kb"`    // per node over Mesh: all that goes into sockets, TLS included
	Memory     float64 `json:"memory_kb"`     // per peer-end: heap and stacks at rest, less those of a process without nodes
	Alone      float64 `json:"alone_kb"`      // per node that knows nobody
	Accepted   float64 `json:"accepted"`      // connections per pair
	Lost       int     `json:"lost"`          // links gone between Mesh and rest
	Goroutines float64 `json:"goroutines"`    // per peer-end

	IdleFor      float64 `json:"idle_s"`
	IdleCPU      float64 `json:"idle_cpu_ms"`   // per node and second
	IdleBytes    float64 `json:"idle_bytes"`    // per node and second, of messages
	IdleStreams  float64 `json:"idle_streams"`  // bytes per node and second, of all streams
	IdleMessages float64 `json:"idle_messages"` // per node and second
}

// run starts a cluster and measures it.
func run(s setup) (Result, error) {
	r := Result{System: s.System, Nodes: s.Nodes}
	c, err := systems[s.System](s.Nodes)
	if err != nil {
		return r, err
	}
	defer c.close()
	stop, err := profileCPU(s.profile("cpu"))
	if err != nil {
		return r, err
	}
	before := live() // keys and certificates are there already, for all systems
	begun, cpu, written := time.Now(), cpuTime(), writtenBytes()
	if err := c.start(s.Alone); err != nil {
		return r, err
	}
	if s.Alone {
		rest()
		r.Alone = float64(live()-before) / 1024 / float64(s.Nodes)
		return r, nil
	}
	if err := c.await(); err != nil {
		r.Failed = err.Error()
		return r, nil
	}
	n, ends := float64(s.Nodes), float64(s.Nodes*(s.Nodes-1))
	r.Mesh, r.CPU = time.Since(begun).Seconds(), (cpuTime() - cpu).Seconds()
	if err := stop(); err != nil {
		return r, err
	}
	r.Written = float64(writtenBytes()-written) / 1024 / n
	if err := c.check(); err != nil {
		return r, err
	}
	r.Accepted = c.counters().accepted / ends * 2
	rest()
	r.RestCPU = (cpuTime() - cpu).Seconds()
	r.Lost = s.Nodes*(s.Nodes-1) - c.links()
	r.Goroutines = float64(runtime.NumGoroutine()) / ends
	r.Memory = float64(live()-before) / 1024 / ends
	if err := s.profileMemory(); err != nil {
		return r, err
	}
	if s.Idle > 0 {
		err = r.idle(c, s, n)
	}
	return r, err
}

// idle watches a mesh that has nothing to do.
func (r *Result) idle(c cluster, s setup, n float64) error {
	stop, err := profileCPU(s.profile("idle"))
	if err != nil {
		return err
	}
	then, begun, cpu := c.counters(), time.Now(), cpuTime()
	time.Sleep(s.Idle)
	cpu, r.IdleFor = cpuTime()-cpu, time.Since(begun).Seconds()
	now := c.counters()
	r.IdleCPU = cpu.Seconds() * 1000 / n / r.IdleFor
	r.IdleBytes = (now.bytes - then.bytes) / n / r.IdleFor
	r.IdleMessages = (now.messages - then.messages) / n / r.IdleFor
	r.IdleStreams = (now.streams - then.streams) / n / r.IdleFor
	return stop()
}

const (
	// restFor is how long the process must rest, and restShare how much of a core
	// it may use meanwhile; chosen because 100 idle nodes use a twentieth.
	restFor   = 500 * time.Millisecond
	restShare = 0.15
	// restWithin bounds the wait: a process that is never at rest is measured as it is.
	restWithin = 15 * time.Second
)

// rest waits until what goes on behind the links is over.
func rest() {
	for deadline := time.Now().Add(restWithin); time.Now().Before(deadline); {
		before := cpuTime()
		time.Sleep(restFor)
		if (cpuTime() - before).Seconds() < restShare*restFor.Seconds() {
			return
		}
	}
}

// live is the memory in use after collection: heap and stacks. Two collections
// empty the pools.
func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// cpuTime is what the process has used, in user and system mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are constants
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// writtenBytes counts what the process wrote to TCP sockets and files, of which
// there are none but the standard streams; 0 where the kernel does not tell.
func writtenBytes() (n int64) {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "wchar: %d", &n); err == nil {
			return n
		}
	}
	return 0
}
