package object

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	key      = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	otherKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
)

func sample() Object {
	return Object{
		Network: "weft", Topic: "blocks", Kind: 7, Time: time.UnixMilli(1_750_000_000_123),
		Deps: []ID{{1}, {2}}, Payload: []byte("payload"),
	}
}

func seal(t testing.TB, o Object, key ed25519.PrivateKey) []byte {
	t.Helper()
	b, err := o.Seal(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// encode is the one encoding of what Parse gave, with the signature that it has.
func encode(o Object) []byte {
	return append(o.appendUnsigned(nil)[len(domain):], o.Signature...)
}

func manyDeps(n int) []ID {
	deps := make([]ID, n)
	for i := range deps {
		binary.BigEndian.PutUint32(deps[i][:], uint32(i*2654435761)) // in no order
	}
	return deps
}

// difference compares two objects but for their signatures.
func difference(want, got Object) string {
	if !bytes.Equal(want.Payload, got.Payload) { // cmp takes a minute for the largest
		return "the payloads differ"
	}
	return cmp.Diff(want, got, cmpopts.IgnoreFields(Object{}, "Author", "Signature", "Payload"), cmpopts.EquateEmpty())
}

func TestWhatIsSealedIsRead(t *testing.T) {
	long := sample()
	long.Network, long.Topic = strings.Repeat("ñ", MaxNetwork/2), strings.Repeat("€", MaxTopic/3)
	long.Deps, long.Kind = manyDeps(MaxDeps), 65535
	long.Time = time.UnixMilli(maxMillis)
	largest := sample()
	largest.Payload = make([]byte, MaxSize-len(seal(t, sample(), key))+len(largest.Payload))
	for name, o := range map[string]Object{
		"a small one":      sample(),
		"the smallest":     {Network: "n", Topic: "t", Time: time.UnixMilli(0)},
		"long names":       long,
		"the largest":      largest,
		"17 dependencies":  {Network: "n", Topic: "t", Time: time.UnixMilli(1), Deps: manyDeps(17)},
		"binary in a name": {Network: "\x00\n", Topic: "t", Time: time.UnixMilli(1)},
	} {
		for _, key := range []ed25519.PrivateKey{nil, key} {
			b := seal(t, o, key)
			got, err := Parse(b)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := got.Verify(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if key != nil && !got.Author.Equal(key.Public()) || key == nil && (got.Author != nil || got.Signature != nil) {
				t.Errorf("%s: author %x, signature %x", name, got.Author, got.Signature)
			}
			if diff := difference(o, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if again := seal(t, got, key); !bytes.Equal(again, b) {
				t.Errorf("%s: sealed again it is another one", name)
			}
		}
	}
}

func TestATimeIsCutToMilliseconds(t *testing.T) {
	o := sample()
	fine := o
	fine.Time = o.Time.Add(999 * time.Microsecond)
	if !bytes.Equal(seal(t, fine, nil), seal(t, o, nil)) {
		t.Error("microseconds change the encoding")
	}
}

func TestSealRefusesWhatOthersWouldRefuse(t *testing.T) {
	change := func(f func(*Object)) Object {
		o := sample()
		f(&o)
		return o
	}
	for _, tc := range []struct {
		hint string // in the error's text
		o    Object
		key  ed25519.PrivateKey
	}{
		{"network has 0 bytes: use 1 to 64", change(func(o *Object) { o.Network = "" }), nil},
		{"network has 65 bytes", change(func(o *Object) { o.Network = strings.Repeat("n", 65) }), nil},
		{"network \"\\xff\" is not UTF-8", change(func(o *Object) { o.Network = "\xff" }), nil},
		{"topic has 0 bytes: use 1 to 512", change(func(o *Object) { o.Topic = "" }), nil},
		{"topic has 513 bytes", change(func(o *Object) { o.Topic = strings.Repeat("t", 513) }), nil},
		{"topic \"a\\xc0\\xaf\" is not UTF-8", change(func(o *Object) { o.Topic = "a\xc0\xaf" }), nil},
		{"use one from 1970 to 9999", change(func(o *Object) { o.Time = time.Time{} }), nil},
		{"use one from 1970 to 9999", change(func(o *Object) { o.Time = time.UnixMilli(-1) }), nil},
		{"use one from 1970 to 9999", change(func(o *Object) { o.Time = time.UnixMilli(maxMillis + 1) }), nil},
		{"1025 dependencies: use at most 1024", change(func(o *Object) { o.Deps = manyDeps(MaxDeps + 1) }), nil},
		{"twice: name each dependency once", change(func(o *Object) { o.Deps = []ID{{1}, {2}, {1}} }), nil},
		{"twice: name each dependency once", change(func(o *Object) { o.Deps = append(manyDeps(100), ID{}) }), nil},
		{"use at most 16773120", change(func(o *Object) { o.Payload = make([]byte, MaxSize) }), nil},
		{"give the author's key", change(func(o *Object) { o.Author = otherKey.Public().(ed25519.PublicKey) }), nil},
		{"but the key is that of", change(func(o *Object) { o.Author = otherKey.Public().(ed25519.PublicKey) }), key},
		{"give an Ed25519 key of 64", sample(), key[:32]},
	} {
		b, err := tc.o.Seal(tc.key)
		if b != nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.hint) {
			t.Errorf("%d bytes, %v; want a hint: %s", len(b), err, tc.hint)
		}
	}
}

func TestTheSizeLimitIsExact(t *testing.T) {
	o := sample()
	o.Payload = nil
	room := MaxSize - len(seal(t, o, key))
	o.Payload = make([]byte, room+1)
	if _, err := o.Seal(key); !errors.Is(err, ErrInvalid) {
		t.Errorf("one byte too many: %v", err)
	}
	o.Payload = o.Payload[:room]
	if b := seal(t, o, key); len(b) != MaxSize {
		t.Errorf("%d bytes, want %d", len(b), MaxSize)
	}
}

// The layout, field by field, so that each can be made wrong alone.
type layout struct {
	version, flags   byte
	kind             uint16
	time             uint64
	networkLength    int
	network          string
	topicLength      int
	topic            string
	count            int
	deps             []ID
	payloadLength    uint32
	payload          string
	author           []byte
	signature, after []byte
}

func good() layout {
	return layout{
		version: 1, kind: 7, time: 1_750_000_000_123,
		networkLength: 4, network: "weft", topicLength: 6, topic: "blocks",
		count: 2, deps: []ID{{1}, {2}}, payloadLength: 7, payload: "payload",
	}
}

func (l layout) bytes() []byte {
	b := binary.BigEndian.AppendUint16([]byte{l.version, l.flags}, l.kind)
	b = binary.BigEndian.AppendUint64(b, l.time)
	b = append(append(b, byte(l.networkLength)), l.network...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(l.topicLength)), l.topic...)
	b = binary.BigEndian.AppendUint16(b, uint16(l.count))
	for _, d := range l.deps {
		b = append(b, d[:]...)
	}
	b = append(binary.BigEndian.AppendUint32(b, l.payloadLength), l.payload...)
	return slices.Concat(b, l.author, l.signature, l.after)
}

func TestTheLayoutIsTheOneThatIsStated(t *testing.T) {
	if got := seal(t, sample(), nil); !bytes.Equal(got, good().bytes()) {
		t.Errorf("%x\n want %x", got, good().bytes())
	}
	l := good()
	l.flags, l.author = 1, key.Public().(ed25519.PublicKey)
	l.signature = ed25519.Sign(key, append([]byte("weft object v1\n"), l.bytes()...))
	if got := seal(t, sample(), key); !bytes.Equal(got, l.bytes()) {
		t.Errorf("signed: %x\n want %x", got, l.bytes())
	}
}

func TestOnlyTheOneFormIsAccepted(t *testing.T) {
	change := func(f func(*layout)) []byte {
		l := good()
		f(&l)
		return l.bytes()
	}
	for name, tc := range map[string]struct {
		hint    string
		encoded []byte
	}{
		"nothing":                         {"ends in its version", nil},
		"version 0":                       {"version is 0: only 1", change(func(l *layout) { l.version = 0 })},
		"version 2":                       {"version is 2: only 1", change(func(l *layout) { l.version = 2 })},
		"an unknown flag":                 {"flags are 0x2", change(func(l *layout) { l.flags = 2 })},
		"a known and an unknown flag":     {"flags are 0x81", change(func(l *layout) { l.flags = 0x81 })},
		"a time after the year 9999":      {"use one from 1970 to 9999", change(func(l *layout) { l.time = maxMillis + 1 })},
		"the largest time":                {"use one from 1970 to 9999", change(func(l *layout) { l.time = 1<<63 - 1 })},
		"a negative time":                 {"use one from 1970 to 9999", change(func(l *layout) { l.time = 1<<64 - 1 })},
		"no network":                      {"network has 0 bytes", change(func(l *layout) { l.networkLength, l.network = 0, "" })},
		"a network of 65 bytes":           {"network has 65 bytes", change(func(l *layout) { l.networkLength, l.network = 65, strings.Repeat("n", 65) })},
		"a network that is not UTF-8":     {"not UTF-8", change(func(l *layout) { l.network = "wef\xff" })},
		"a network longer than all":       {"ends in its network", good().bytes()[:16]},
		"no topic":                        {"topic has 0 bytes", change(func(l *layout) { l.topicLength, l.topic = 0, "" })},
		"a topic of 513 bytes":            {"topic has 513 bytes", change(func(l *layout) { l.topicLength, l.topic = 513, strings.Repeat("t", 513) })},
		"a topic of 65,535 bytes":         {"topic has 65535 bytes", change(func(l *layout) { l.topicLength = 65535 })},
		"a topic that is not UTF-8":       {"not UTF-8", change(func(l *layout) { l.topic = "block\x80" })},
		"a surrogate in a topic":          {"not UTF-8", change(func(l *layout) { l.topic = "\xed\xa0\x80xyz" })},
		"1,025 dependencies":              {"1025 dependencies", change(func(l *layout) { l.count, l.deps = 1025, manyDeps(1025) })},
		"65,535 dependencies, not there":  {"65535 dependencies", change(func(l *layout) { l.count = 65535 })},
		"more dependencies than there":    {"ends in its dependencies", change(func(l *layout) { l.count = 1024 })},
		"a dependency twice":              {"twice", change(func(l *layout) { l.deps = []ID{{1}, {1}} })},
		"one of many dependencies twice":  {"twice", change(func(l *layout) { l.count, l.deps = 1024, append(manyDeps(1023), ID{}) })},
		"a payload of 4 GiB":              {"payload has 4294967295 bytes", change(func(l *layout) { l.payloadLength = 1<<32 - 1 })},
		"a payload longer than all":       {"ends in its payload", change(func(l *layout) { l.payloadLength = 8 })},
		"a shorter payload":               {"1 bytes follow", change(func(l *layout) { l.payloadLength = 6 })},
		"something after it":              {"1 bytes follow", change(func(l *layout) { l.after = []byte{0} })},
		"a signature without the flag":    {"96 bytes follow", change(func(l *layout) { l.author, l.signature = make([]byte, 32), make([]byte, 64) })},
		"the flag without a signature":    {"ends in its author", change(func(l *layout) { l.flags = 1 })},
		"an author without a signature":   {"ends in its signature", change(func(l *layout) { l.flags, l.author = 1, make([]byte, 32) })},
		"a signature of 63 bytes":         {"ends in its signature", change(func(l *layout) { l.flags, l.author, l.signature = 1, make([]byte, 32), make([]byte, 63) })},
		"something after the signature":   {"1 bytes follow", append(seal(t, sample(), key), 0)},
		"one byte more than the limit":    {"at most 16773120", make([]byte, MaxSize+1)},
		"the flag taken off":              {"96 bytes follow", func() []byte { b := seal(t, sample(), key); b[1] = 0; return b }()},
		"all zero":                        {"version is 0", make([]byte, 100)},
		"lengths that need all the bytes": {"ends in its", bytes.Repeat([]byte{1}, 30)},
	} {
		o, err := Parse(tc.encoded)
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tc.hint) {
			t.Errorf("%s: %v; want a hint: %s", name, err, tc.hint)
		}
		if o.Network != "" || o.Payload != nil {
			t.Errorf("%s: an object comes with the error", name)
		}
	}
}

func TestWhatIsCutShortIsRefusedWhereverItEnds(t *testing.T) {
	for _, key := range []ed25519.PrivateKey{nil, key} {
		b := seal(t, sample(), key)
		for n := range b {
			if _, err := Parse(b[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%d of %d bytes: %v", n, len(b), err)
			}
		}
	}
}

func TestAChangeOfAnyBitIsNoticed(t *testing.T) {
	b := seal(t, sample(), key)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			o, err := Parse(b)
			if err == nil && !errors.Is(o.Verify(), ErrSignature) {
				t.Errorf("bit %d of byte %d can be changed", bit, i)
			}
			b[i] ^= 1 << bit
		}
	}
}

func TestASignatureForSomethingElseIsRefused(t *testing.T) {
	o, err := Parse(seal(t, sample(), key))
	if err != nil {
		t.Fatal(err)
	}
	without := o
	without.Signature = ed25519.Sign(key, encode(o)[:len(encode(o))-ed25519.SignatureSize]) // no domain
	other := o
	other.Author = otherKey.Public().(ed25519.PublicKey)
	none, short := o, o
	none.Signature = nil
	short.Author = o.Author[:31]
	for name, o := range map[string]Object{"without the domain": without, "of another author": other, "none": none, "a short key": short} {
		if err := o.Verify(); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nobody can make a second form of a signature, and with it a second ID: RFC 8032
// demands that s, its second half, is below the order L.
func TestASignatureHasNoSecondForm(t *testing.T) {
	b := seal(t, sample(), key)
	order := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	s, carry := b[len(b)-32:], 0
	for i := range s {
		sum := int(s[i]) + int(order[i]) + carry
		s[i], carry = byte(sum), sum>>8
	}
	o, err := Parse(b)
	if err != nil || !errors.Is(o.Verify(), ErrSignature) {
		t.Errorf("s + L is accepted: %v", err)
	}
}

func TestWhatWasReadAliasesItsBytesAndNoMore(t *testing.T) {
	b := seal(t, sample(), key)
	before := bytes.Clone(b)
	o, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _ = append(o.Payload, 'x'), append(o.Author, 'x'), append(o.Signature, 'x')
	if !bytes.Equal(b, before) {
		t.Error("appending to a field changes the encoding")
	}
	if got := testing.AllocsPerRun(10, func() { _, _ = Parse(b) }); got > 3 {
		t.Errorf("%v allocations, want 3: network, topic, dependencies", got)
	}
}

// A length that lies costs nothing.
func TestNothingIsAllocatedForWhatIsNotThere(t *testing.T) {
	for name, f := range map[string]func(*layout){
		"dependencies": func(l *layout) { l.count, l.deps = 1024, nil },
		"payload":      func(l *layout) { l.payloadLength = MaxSize },
	} {
		l := good()
		f(&l)
		b := l.bytes()
		const runs = 1000
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			_, _ = Parse(b)
		}
		runtime.ReadMemStats(&after)
		size := (after.TotalAlloc - before.TotalAlloc) / runs
		if size > 1024 {
			t.Errorf("%s: %d bytes allocated", name, size)
		}
	}
}
