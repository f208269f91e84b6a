package claim

import "errors"

// Reason is why a claim was refused. It is an error.
type Reason uint8

// The reasons. Each is a value to compare with errors.Is.
const (
	Malformed    Reason = iota + 1 // not in the one form that doc.go states
	Network                        // made for another network
	Own                            // our own, come back
	Unwanted                       // of a peer that the owner of the book does not want
	Known                          // held already
	Stale                          // older than the one held, or a replay
	Expired                        // its expiry has passed
	Future                         // its time is beyond our clock by more than the skew limit
	Forged                         // the signature is not the claimed peer's
	Equivocation                   // the peer signed two claims with one timestamp
	Full                           // every claim in the book is held

	NumReasons // and zero, which is none
)

var reasonText = [NumReasons]struct{ label, text string }{
	Malformed:    {"malformed", "claim is malformed"},
	Network:      {"network", "claim was made for another network"},
	Own:          {"own", "claim is our own"},
	Unwanted:     {"unwanted", "claim of a peer that is not wanted"},
	Known:        {"known", "claim is known"},
	Stale:        {"stale", "claim is not newer than the one that is held"},
	Expired:      {"expired", "claim has expired: its owner should have signed a new one"},
	Future:       {"future", "claim is from the future: compare the clocks"},
	Forged:       {"forged", "claim is not signed by the peer that it names"},
	Equivocation: {"equivocation", "peer signed two claims with one timestamp"},
	Full:         {"full", "claim book is full of peers that are in use"},
}

func (r Reason) Error() string { return reasonText[r].text }

// Label names a reason in metrics.
func (r Reason) Label() string { return reasonText[r].label }

// Blame says whose fault a refused claim is.
type Blame uint8

// Who is to blame.
const (
	Nobody Blame = iota // it happens among honest nodes: clocks differ, news crosses
	Bearer              // who sent it: an honest node would have refused it too
	Author              // who signed it; the bearer may have seen only one of the two
)

// Blame of a reason. A clock that is wrong, ours or theirs, is nobody's fault:
// a jump of our own would otherwise ban everyone.
func (r Reason) Blame() Blame {
	switch r {
	case Malformed, Network, Forged:
		return Bearer
	case Equivocation:
		return Author
	}
	return Nobody
}

// reasonOf is the reason in an error, or zero. A bare one is found without
// allocation, as it is most of what a flood brings.
func reasonOf(err error) Reason {
	if err == nil {
		return 0
	}
	if r, bare := err.(Reason); bare {
		return r
	}
	var r Reason
	errors.As(err, &r)
	return r
}
