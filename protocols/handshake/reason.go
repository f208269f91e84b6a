package handshake

import "strconv"

// Reason is why a handshake failed. It travels in Reject: numbers never change
// their meaning, and unknown ones are shown as they are.
type Reason uint8

// The reasons; doc.go has the table.
const (
	Unspecified Reason = iota // a peer gave none, or zero
	Network
	Genesis
	TooOld
	TooNew
	Clock
	Claim
	ClaimTime
	Query
	Proof
	Membership
	Full
	Banned
	Duplicate
	Early
	Timeout
	KeyType
	Asymmetric

	numReasons
)

// reasonInfo is what is known of a reason: text for people, that it is an offence
// of whoever is refused, and that trying again soon is useless.
var reasonInfo = [numReasons]struct {
	label, text string
	offence     bool
	lasting     bool
}{
	Unspecified: {label: "unspecified", text: "no reason was given"},
	Network:     {label: "network", text: "the networks differ: set the same --network", lasting: true},
	Genesis:     {label: "genesis", text: "the networks have one name and different genesis: set the same genesis", lasting: true},
	TooOld:      {label: "too-old", text: "the refused node's version is older than the oldest that is accepted: upgrade it", lasting: true},
	TooNew:      {label: "too-new", text: "the refused node's major version is newer: upgrade the other", lasting: true},
	Clock:       {label: "clock", text: "the clocks differ by too much: synchronise both"},
	Claim:       {label: "claim", text: "the address claim is forged, malformed, or another node's", offence: true},
	ClaimTime:   {label: "claim-time", text: "the address claim is expired or from the future: compare the clocks"},
	Query:       {label: "query", text: "the filter of known peers is unusable", offence: true},
	Proof:       {label: "proof", text: "the proof of the consensus identity is wrong", offence: true},
	Membership:  {label: "membership", text: "the refused node is neither in the member list nor a proven validator: add it to the list", lasting: true},
	Full:        {label: "full", text: "all places are taken: try another node, or later"},
	Banned:      {label: "banned", text: "the refused node is banned", lasting: true},
	Duplicate:   {label: "duplicate", text: "a second handshake on one link: after a restart the old connection was still there, connect again"},
	Early:       {label: "early", text: "messages before the handshake", offence: true},
	Timeout:     {label: "timeout", text: "the handshake was not complete in time"},
	KeyType:     {label: "key-type", text: "weft peers have Ed25519 keys: make one with `weft key new`", lasting: true},
	Asymmetric:  {label: "asymmetric", text: "the refused node could not be dialled back where it claims to be: open its port"},
}

// String is a short name: a metric's label.
func (r Reason) String() string {
	if r >= numReasons {
		return "reason-" + strconv.Itoa(int(r))
	}
	return reasonInfo[r].label
}

// Text is a sentence for people: what is wrong, and what to do where something can
// be done.
func (r Reason) Text() string {
	if r >= numReasons {
		return "a reason that this version does not know"
	}
	return reasonInfo[r].text
}

// Offence says that an honest node never gives cause for this reason.
func (r Reason) Offence() bool { return r < numReasons && reasonInfo[r].offence }

// Lasting says that the reason will hold until somebody changes a setting, so
// that dialling again soon is useless.
func (r Reason) Lasting() bool { return r < numReasons && reasonInfo[r].lasting }
