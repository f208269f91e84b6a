package simtest

import (
	"math/rand/v2"
	"time"
)

// Start is the virtual time at which every run begins.
var Start = time.Unix(1_800_000_000, 0)

// Sim is virtual time: what is to happen, in order. It is not safe for concurrent
// use; everything in one run happens on one goroutine.
type Sim struct {
	rng   *rand.Rand
	seed  uint64
	now   time.Duration // since Start
	queue queue
	seq   uint64
	steps uint64
	trace uint64
}

// New makes a run that depends on nothing but its seed.
func New(seed uint64) *Sim {
	return &Sim{rng: rand.New(rand.NewPCG(seed, 0)), seed: seed, trace: fnvOffset}
}

// Now is the virtual time.
func (s *Sim) Now() time.Time { return Start.Add(s.now) }

// Elapsed is the virtual time since Start.
func (s *Sim) Elapsed() time.Duration { return s.now }

// Steps is how many things have happened.
func (s *Sim) Steps() uint64 { return s.steps }

// Rand is a source that depends on the seed and is drawn from by the run.
func (s *Sim) Rand() *rand.Rand { return s.rng }

// NewRand makes a source of its own for one part of a run.
func (s *Sim) NewRand(part uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, part+1)) }

// After has f called when d has passed.
func (s *Sim) After(d time.Duration, f func()) { s.schedule(s.now+d, call(f)) }

// Every has f called again and again, the first time when d has passed, until it
// returns false.
func (s *Sim) Every(d time.Duration, f func() bool) {
	s.After(d, func() {
		if f() {
			s.Every(d, f)
		}
	})
}

// Run lets d pass.
func (s *Sim) Run(d time.Duration) {
	end := s.now + d
	for s.queue.len() > 0 && s.queue.first().at <= end {
		s.step()
	}
	s.now = end
}

// Until lets time pass until cond holds, which is looked at every so often, and
// says when that was; false: it does not hold after the given time.
func (s *Sim) Until(cond func() bool, every, within time.Duration) (time.Duration, bool) {
	for end := s.now + within; ; {
		if cond() {
			return s.now, true
		}
		if s.now >= end {
			return s.now, false
		}
		s.Run(min(every, end-s.now))
	}
}

func (s *Sim) step() {
	e := s.queue.pop()
	s.now = e.at
	s.steps++
	e.do.happen()
}

func (s *Sim) schedule(at time.Duration, h happening) {
	s.seq++
	s.queue.push(item{at: max(at, s.now), seq: s.seq, do: h})
}

// happening is what the queue holds.
type happening interface{ happen() }

type call func()

func (c call) happen() { c() }

// The parameters of FNV-1a with 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// note makes the trace depend on what happens now.
func (s *Sim) note(what ...uint64) {
	h := s.trace ^ uint64(s.now)
	for _, w := range what {
		h = (h ^ w) * fnvPrime
	}
	s.trace = h
}

// Trace is the hash of all that happened: two runs that differ have different ones.
func (s *Sim) Trace() uint64 { return s.trace }
