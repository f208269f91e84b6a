// Package vectors holds the test vectors of weft's wire protocols: inputs and the
// bytes that every implementation must make of them, one JSON file for each page
// of docs/protocols. The tests of the protocols read them and so do those of this
// package, which compare them with the pages: code, vectors and pages cannot drift
// apart.
//
//	code ◀──(protocols/*/vectors_test.go)── *.json ──(vectors_test.go here)──▶ pages
package vectors

import (
	"bytes"
	"crypto/ed25519"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed *.json
var files embed.FS

// Hex is bytes that are written as hexadecimal digits.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (h Hex) String() string { return hex.EncodeToString(h) }

// Is says whether got are these bytes.
func (h Hex) Is(got []byte) bool { return bytes.Equal(h, got) }

// Page is what the file of every page has.
type Page struct {
	Limits   Limits   `json:"limits"`
	Offences []string `json:"offences"`
}

// Read decodes the file of a page. A field that into lacks is an error, so that
// no vector goes unchecked.
func Read(page string, into any) error {
	raw, err := files.ReadFile(page + ".json")
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s.json: %w", page, err)
	}
	return nil
}

// Key is a fixed Ed25519 key. Nothing of value must ever be signed with it.
type Key struct {
	Seed   Hex    `json:"seed"`   // the private key of RFC 8032
	Public Hex    `json:"public"` // the header's sender
	PeerID Hex    `json:"peer_id"`
	Text   string `json:"text"` // the peer ID as people see it
}

// Private is the key to sign with.
func (k Key) Private() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(k.Seed) }

// Keys are the keys of keys.json, by name.
func Keys() (map[string]Key, error) {
	keys := map[string]Key{}
	return keys, Read("keys", &keys)
}

// Limits are the constants that a page states, by name: number and unit.
type Limits map[string]string

// Of writes a limit as pages do: 16,777,216 bytes.
func Of(n int, unit string) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits + " " + unit
}

// Time writes a duration as pages do: in a unit that needs no fraction, and in
// minutes only from ten on.
func Time(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return Of(int(d/time.Hour), "h")
	case d >= 10*time.Minute && d%time.Minute == 0:
		return Of(int(d/time.Minute), "min")
	case d%time.Second == 0:
		return Of(int(d/time.Second), "s")
	}
	return Of(int(d/time.Millisecond), "ms")
}

// Percent writes a part of one as pages do: 0.1 %.
func Percent(p float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(100*p, 'f', -1, 64), ".0") + " %"
}

// Diff says where other limits differ from these, a line for each.
func (l Limits) Diff(other Limits) (lines []string) {
	all := maps.Clone(l)
	maps.Copy(all, other)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if l[name] != other[name] {
			lines = append(lines, fmt.Sprintf("%s: %q and %q", name, l[name], other[name]))
		}
	}
	return lines
}

// OddOffences returns the offences that only one of two lists has.
func OddOffences[O ~string](listed []string, inUse []O) (odd []string) {
	for _, o := range inUse {
		if !slices.Contains(listed, string(o)) {
			odd = append(odd, string(o))
		}
	}
	for _, o := range listed {
		if !slices.Contains(inUse, O(o)) {
			odd = append(odd, o)
		}
	}
	return odd
}
