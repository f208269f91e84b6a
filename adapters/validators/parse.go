package validators

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

// Bounds of a file, chosen well above the validator sets and consortia in use,
// which have up to some thousands.
const (
	MaxEntries = 65_536
	MaxFile    = 8 << 20 // bytes: 128 for each entry

	maxEntry = 128 // bytes: a key has 72, a peer ID as a CID 66; base58 takes quadratic time
)

// ErrInvalid is wrapped by every error about what a file says.
var ErrInvalid = errors.New("invalid list")

// Form is what a file may say.
type Form uint8

// The two forms: with weights and without.
const (
	Validators Form = iota
	Members
)

// String is for logs.
func (f Form) String() string {
	if f == Members {
		return "members"
	}
	return "validators"
}

// Parse reads the content of a file. Errors name the line.
func (f Form) Parse(text []byte) (Set, error) {
	if len(text) > MaxFile {
		return Set{}, fmt.Errorf("%w: %d bytes, at most %d are read", ErrInvalid, len(text), MaxFile)
	}
	p := parser{form: f, set: Set{Peers: map[core.PeerID]uint64{}, Keys: map[Key]uint64{}}, lines: map[string]int{}}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if err := p.line(number, string(line)); err != nil {
			return Set{}, fmt.Errorf("%w: line %d: %w", ErrInvalid, number, err)
		}
	}
	return p.set, nil
}

type parser struct {
	form  Form
	set   Set
	total uint64         // weight
	lines map[string]int // of each entry
}

func (p *parser) line(number int, line string) error {
	line, _, _ = strings.Cut(line, "#")
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return nil
	}
	weight, err := p.weight(fields[1:])
	if err != nil {
		return err
	}
	if p.set.Len() == MaxEntries {
		return fmt.Errorf("there are more than %d entries", MaxEntries)
	}
	if len(fields[0]) > maxEntry {
		return fmt.Errorf("%s is too long for a peer ID or a key", quote(fields[0]))
	}
	if strings.HasPrefix(fields[0], keyPrefix) {
		if p.form == Members {
			return fmt.Errorf("%s is a consensus key: it belongs into the file of validators, and members are peer IDs", quote(fields[0]))
		}
		return p.key(number, fields[0], weight)
	}
	return p.peer(number, fields[0], weight)
}

// weight reads what comes after an entry. The sum stays within 64 bits, so that
// whoever adds weights up need not check.
func (p *parser) weight(fields []string) (weight uint64, err error) {
	switch {
	case len(fields) == 0:
		weight = 1
	case p.form == Members:
		return 0, fmt.Errorf("%s after the entry: members have no weight, and comments begin with #", quote(fields[0]))
	case len(fields) > 1:
		return 0, fmt.Errorf("%s after the weight: comments begin with #", quote(fields[1]))
	default:
		if weight, err = strconv.ParseUint(fields[0], 10, 64); err != nil || weight == 0 {
			return 0, fmt.Errorf("weight %s: use a whole number from 1 to 2^64-1", quote(fields[0]))
		}
	}
	if weight > math.MaxUint64-p.total {
		return 0, errors.New("all weights together pass 2^64: use smaller ones")
	}
	p.total += weight
	return weight, nil
}

func (p *parser) key(number int, text string, weight uint64) error {
	k, err := ParseKey(text)
	if err != nil {
		return err
	}
	p.set.Keys[k] = weight
	return p.once(k.String(), number)
}

func (p *parser) peer(number int, text string, weight uint64) error {
	id, err := peer.Decode(text)
	if err != nil {
		return fmt.Errorf("%s is neither a peer ID, as 12D3KooW…, nor a key, as %s…", quote(text), keyPrefix)
	}
	if key, err := id.ExtractPublicKey(); err != nil || key.Type() != pb.KeyType_Ed25519 {
		return fmt.Errorf("peer %s has no Ed25519 key: weft peers do, and their IDs begin with 12D3KooW", quote(text))
	}
	p.set.Peers[id] = weight
	return p.once(id.String(), number)
}

func (p *parser) once(entry string, number int) error {
	if before, twice := p.lines[entry]; twice {
		return fmt.Errorf("%s is on line %d already", entry, before)
	}
	p.lines[entry] = number
	return nil
}

// quote shows what a file says, which may be anything.
func quote(s string) string {
	const most = 80 // bytes, more than any entry has
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
