package validators

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

const (
	peerA = "12D3KooWGRUf7Yf5Xz7gBvX4GQEbcxgYAdQUdRzmM5VVtWv6SxVp"
	peerB = "12D3KooWCsY1BzhPK5jD4zxFbiRZXYZC1wbCnprd2x9feeknJJ4g"
	keyA  = "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)

func decoded(t testing.TB, s string) core.PeerID {
	t.Helper()
	id, err := peer.Decode(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAFileOfValidatorsHasPeersKeysAndWeights(t *testing.T) {
	text := "# validators\n\n" + peerA + " 100 # the first\r\n\t" + strings.ToUpper(keyA[8:])
	text = strings.Replace(text, strings.ToUpper(keyA[8:]), keyPrefix+strings.ToUpper(keyA[8:])+"\t18446744073709551514", 1) + "\n" + peerB
	got, err := Validators.Parse([]byte(text))
	key, keyErr := ParseKey(keyA)
	want := Set{
		Peers: map[core.PeerID]uint64{decoded(t, peerA): 100, decoded(t, peerB): 1},
		Keys:  map[Key]uint64{key: math.MaxUint64 - 101},
	}
	if err != nil || keyErr != nil || !got.Equal(want) || got.Len() != 3 || key.String() != keyA {
		t.Errorf("got %v, %v, %v; want %v", got, err, keyErr, want)
	}
}

func TestAFileOfMembersHasNeitherWeightsNorKeys(t *testing.T) {
	if got, err := Members.Parse([]byte(peerA + "\n" + peerB + "#1\n")); err != nil || got.Len() != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Members.Parse([]byte(peerA + "\n" + keyA + "\n")); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "line 2: \""+keyA+"\" is a consensus key: it belongs into the file of validators") {
		t.Errorf("with a key: %v", err)
	}
	if _, err := Members.Parse([]byte("\n" + peerA + " 100\n")); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "line 2: \"100\" after the entry") {
		t.Errorf("with a weight: %v", err)
	}
}

func TestAnEmptyFileIsAnEmptySet(t *testing.T) {
	for _, text := range []string{"", "\n", "# nobody\n"} {
		if got, err := Validators.Parse([]byte(text)); err != nil || got.Len() != 0 {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

func TestWhatIsWrongIsNamedWithItsLine(t *testing.T) {
	cid := peer.ToCid(decoded(t, peerA)).String()
	rsa := "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
	for text, want := range map[string]string{
		peerA + "\nalice\n":                       `line 2: "alice" is neither a peer ID`,
		"#\n#\n" + rsa:                            "line 3: peer \"" + rsa + "\" has no Ed25519 key",
		peerA + " 1\n" + peerA + " 2\n":           "line 2: " + peerA + " is on line 1 already",
		cid + "\n" + peerA:                        "line 2: " + peerA + " is on line 1 already",
		keyA + "\n" + keyA:                        "line 2: " + keyA + " is on line 1 already",
		keyA[:len(keyA)-1]:                        "line 1: \"" + keyA[:len(keyA)-1] + "\" is not a consensus key: it looks like",
		keyA[:len(keyA)-1] + "g":                  "line 1: \"" + keyA[:len(keyA)-1] + "g\" is not a consensus key: encoding/hex",
		peerA + " 0":                              `line 1: weight "0": use a whole number from 1`,
		peerA + " -1":                             `line 1: weight "-1"`,
		peerA + " 1.5":                            `line 1: weight "1.5"`,
		peerA + " 18446744073709551616":           `line 1: weight "18446744073709551616"`,
		peerA + " 1 heavy":                        `line 1: "heavy" after the weight`,
		peerA + " 18446744073709551615\n" + peerB: "line 2: all weights together pass 2^64",
		"\x00\x1b[2J":                             `line 1: "\x00\x1b[2J" is neither`,
		strings.Repeat("1", 1<<20):                "is too long for a peer ID or a key",
		strings.Repeat("\n", MaxFile+1):           "8388609 bytes, at most 8388608 are read",
	} {
		_, err := Validators.Parse([]byte(text))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
			t.Errorf("%.60q: got %.400v\nwant %s", text, err, want)
		}
	}
}

func TestAFileOfAllThatIsAllowedIsRead(t *testing.T) {
	var text bytes.Buffer
	for i := range MaxEntries {
		fmt.Fprintf(&text, "ed25519:%064x %d # an entry with a comment\n", i, i+1)
	}
	if got, err := Validators.Parse(text.Bytes()); err != nil || got.Len() != MaxEntries {
		t.Fatalf("got %d entries, %v", got.Len(), err)
	}
	fmt.Fprintf(&text, "ed25519:%064x\n", MaxEntries)
	if _, err := Validators.Parse(text.Bytes()); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "line 65537: there are more than 65536 entries") {
		t.Errorf("with one more: %v", err)
	}
}

// What parses is bounded, and writing it out and parsing again gives the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{peerA + " 100 # x\n" + keyA + "\n", peerB, "ed25519:", "\r\n#", keyA + " 0", peerA + "\n" + peerA} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, members bool) {
		form := Validators
		if members {
			form = Members
		}
		set, err := form.Parse(text)
		if err != nil {
			if set.Len() != 0 || !errors.Is(err, ErrInvalid) {
				t.Errorf("got %v with %v", set, err)
			}
			return
		}
		again, err := form.Parse(written(set, members))
		if err != nil || !again.Equal(set) {
			t.Errorf("%q: %v became %v, %v", text, set, again, err)
		}
	})
}

func written(s Set, members bool) []byte {
	var out bytes.Buffer
	weight := func(w uint64) string {
		if members {
			return ""
		}
		return fmt.Sprint(w)
	}
	for _, id := range slices.Sorted(maps.Keys(s.Peers)) {
		fmt.Fprintln(&out, id, weight(s.Peers[id]))
	}
	for k, w := range s.Keys {
		fmt.Fprintln(&out, k, weight(w))
	}
	return out.Bytes()
}

func BenchmarkParse(b *testing.B) {
	var text bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&text, "ed25519:%064x %d\n", i, i+1)
	}
	b.ReportAllocs()
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if _, err := Validators.Parse(text.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
