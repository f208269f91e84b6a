package store

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/claim"
	"github.com/weftnet/weft/protocols/core"
)

func inMemory(t testing.TB) *Store {
	t.Helper()
	s, err := OpenMemory(quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func save(t testing.TB, s *Store, records ...core.Record) {
	t.Helper()
	if err := s.Save(records...); err != nil {
		t.Fatal(err)
	}
}

func at(ms int64) time.Time { return time.UnixMilli(ms) }

func aClaim(t testing.TB, expiry int64, size int) core.SavedClaim {
	t.Helper()
	return core.SavedClaim{Peer: aPeer(t, 0).Peer, Envelope: bytes.Repeat([]byte{7}, size), Expiry: at(expiry)}
}

func aBan(t testing.TB, until int64) core.SavedBan {
	t.Helper()
	return core.SavedBan{Peer: aPeer(t, 0).Peer, Until: at(until), Reason: "sent garbage", Times: 3}
}

func TestEveryTypeOfRecordSurvivesAReopen(t *testing.T) {
	dir := t.TempDir()
	p, c, x := aPeer(t, 1000, "/ip4/192.0.2.1/tcp/1"), aClaim(t, 2000, claim.MaxEnvelope), aBan(t, 3000)
	s := open1(t, dir)
	save(t, s, p, c, x, core.OwnTimestamp{Highest: at(4000)})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open1(t, dir)
	peers, err1 := s.SavedPeers(9)
	claims, err2 := s.SavedClaims(at(0), 9)
	bans, err3 := s.SavedBans(at(0))
	own, err4 := s.OwnTimestamp()
	if err := errors.Join(err1, err2, err3, err4); err != nil || s.Malformed() > 0 {
		t.Fatal(err, s.Malformed())
	}
	if !reflect.DeepEqual(peers, []core.SavedPeer{p}) || !reflect.DeepEqual(claims, []core.SavedClaim{c}) ||
		!reflect.DeepEqual(bans, []core.SavedBan{x}) || !own.Equal(at(4000)) {
		t.Errorf("got %v, %v, %v, %v", peers, claims, bans, own)
	}
}

func TestAnEmptyStoreHasNothing(t *testing.T) {
	s := inMemory(t)
	save(t, s)
	claims, err1 := s.SavedClaims(at(0), 9)
	bans, err2 := s.SavedBans(at(0))
	own, err3 := s.OwnTimestamp()
	if err := errors.Join(err1, err2, err3); err != nil || len(claims)+len(bans) > 0 || !own.IsZero() {
		t.Errorf("got %v, %v, %v, %v", claims, bans, own, err)
	}
}

func TestTheLastRecordOfABatchCounts(t *testing.T) {
	s := inMemory(t)
	old := aClaim(t, 1000, 10)
	renewed := old
	renewed.Envelope, renewed.Expiry = []byte("renewed"), at(2000)
	save(t, s, old, core.OwnTimestamp{Highest: at(1)}, renewed, core.OwnTimestamp{Highest: at(2)})
	claims, _ := s.SavedClaims(at(0), 9)
	own, _ := s.OwnTimestamp()
	if !reflect.DeepEqual(claims, []core.SavedClaim{renewed}) || !own.Equal(at(2)) {
		t.Errorf("got %v, %v", claims, own)
	}
}

func TestExpiredClaimsAreLeftOutButNotLost(t *testing.T) {
	s := inMemory(t)
	short, long := aClaim(t, 1000, 9), aClaim(t, 2000, 9)
	save(t, s, short, long)
	for now, want := range map[int64][]core.SavedClaim{2000: {}, 1000: {long}, 999: {long, short}} {
		if got, err := s.SavedClaims(at(now), 9); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("at %d: got %v, %v; want %v", now, got, err, want)
		}
	}
	if got, _ := s.SavedClaims(at(0), 1); len(got) != 1 || got[0].Peer != long.Peer {
		t.Errorf("the first one is %v, want the one with the latest expiry", got)
	}
}

func TestABanIsRememberedAfterItsEndAndCanBeLifted(t *testing.T) {
	s := inMemory(t)
	x := aBan(t, 1000)
	save(t, s, x)
	for now, want := range map[time.Time]int{at(0): 1, at(1000).Add(BanMemory - 1): 1, at(1000).Add(BanMemory): 0} {
		if got, err := s.SavedBans(now); err != nil || len(got) != want {
			t.Errorf("at %s: got %v, %v; want %d", now, got, err, want)
		}
	}
	save(t, s, core.SavedBan{Peer: x.Peer})
	if got, _ := s.SavedBans(at(0)); len(got) > 0 {
		t.Errorf("lifted, but got %v", got)
	}
}

func TestBansOfGroupsAndByHandAreKept(t *testing.T) {
	dir := t.TempDir()
	s := open1(t, dir)
	peer, group := aBan(t, 2000), core.SavedBan{Group: "8.8.4.0/24", Until: at(3000), Reason: "three of them", Times: 2}
	peer.Group = group.Group
	hand := aBan(t, 1000)
	hand.ByHand = true
	save(t, s, hand, peer, group)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open1(t, dir)
	if got, err := s.SavedBans(at(0)); err != nil || !reflect.DeepEqual(got, []core.SavedBan{group, peer, hand}) {
		t.Errorf("got %+v, %v; want %+v", got, err, []core.SavedBan{group, peer, hand})
	}
	save(t, s, core.SavedBan{Group: group.Group})
	if got, err := s.SavedBans(at(0)); err != nil || !reflect.DeepEqual(got, []core.SavedBan{peer, hand}) {
		t.Errorf("with the group's lifted: got %+v, %v", got, err)
	}
}

func TestBansByHandOutliveAFloodOfOthers(t *testing.T) {
	s := inMemory(t)
	var batch []core.Record
	for i := range int64(100) {
		hand := aBan(t, i)
		hand.ByHand = true
		batch = append(batch, hand)
	}
	for i := range int64(MaxSavedBans) {
		batch = append(batch, aBan(t, 1000+i))
	}
	save(t, s, batch...)
	bans, err := s.SavedBans(at(0))
	hands := 0
	for _, x := range bans {
		if x.ByHand {
			hands++
		}
	}
	if err != nil || hands != 100 || len(bans) > MaxSavedBans {
		t.Errorf("%d of %d bans are by hand, %v; want 100", hands, len(bans), err)
	}
}

func TestWhatABanSaysIsBounded(t *testing.T) {
	s := inMemory(t)
	x := aBan(t, 1000)
	x.Reason, x.Times = strings.Repeat("a", maxReason-1)+"é\xff", 1<<40
	save(t, s, x)
	got, err := s.SavedBans(at(0))
	if err != nil || len(got) != 1 || got[0].Reason != strings.Repeat("a", maxReason-1) || got[0].Times != maxTimes {
		t.Errorf("got %v, %v", got, err)
	}
}

// One batch that holds more records than are kept, the lowest ranked last.
func TestTooManyRecordsKeepTheHighestRanked(t *testing.T) {
	s := inMemory(t)
	var batch []core.Record
	for i := range int64(MaxSavedClaims + 10) {
		batch = append(batch, aClaim(t, MaxSavedClaims+10-i, 1))
	}
	for i := range int64(MaxSavedBans + 10) {
		batch = append(batch, aBan(t, MaxSavedBans+10-i))
	}
	save(t, s, batch...)
	claims, err1 := s.SavedClaims(at(0), 1<<20)
	bans, err2 := s.SavedBans(at(0))
	if len(claims) != MaxSavedClaims*7/8 || len(bans) != MaxSavedBans*7/8 || err1 != nil || err2 != nil {
		t.Fatalf("%d claims, %d bans, %v, %v", len(claims), len(bans), err1, err2)
	}
	if claims[0].Expiry != at(MaxSavedClaims+10) || bans[0].Until != at(MaxSavedBans+10) {
		t.Errorf("the highest are %v, %v", claims[0], bans[0])
	}
}

func TestWhatCannotBeKeptIsReportedAndTheRestSaved(t *testing.T) {
	s := inMemory(t)
	good, last := aClaim(t, 1000, 1), aPeer(t, 1)
	err := s.Save(good, aClaim(t, 1000, 0), aClaim(t, 1000, claim.MaxEnvelope+1), core.SavedPeer{}, last)
	if !errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), "1025 bytes") || !strings.Contains(err.Error(), "names no peer") {
		t.Errorf("Save = %v", err)
	}
	claims, _ := s.SavedClaims(at(0), 9)
	peers, _ := s.SavedPeers(9)
	if !reflect.DeepEqual(claims, []core.SavedClaim{good}) || len(peers) != 1 || peers[0].Peer != last.Peer {
		t.Errorf("got %v, %v", claims, peers)
	}
}

func TestMalformedRecordsAreLeftOutAndCounted(t *testing.T) {
	dir := t.TempDir()
	s := open1(t, dir)
	id := aPeer(t, 0).Peer
	good := aClaim(t, 1000, 1)
	save(t, s, good, aPeer(t, 1), aBan(t, 1000))
	for key, value := range map[string][]byte{
		"c" + string(id):                make([]byte, 8),                       // no envelope
		"c" + string(aPeer(t, 0).Peer):  make([]byte, 8+claim.MaxEnvelope+1),   // too long
		"c?":                            []byte("123456789"),                   // no peer
		"xp" + string(id):               make([]byte, 8),                       // no count
		"xg":                            make([]byte, 11),                      // no group
		"x?":                            make([]byte, 11),                      // neither peer nor group
		"xg1.2.3.0/24":                  append(make([]byte, 10), 1, 'g'),      // a group in a group
		"xg1.2.4.0/24":                  append(make([]byte, 9), 2, 0),         // unknown flags
		"xp" + string(aPeer(t, 2).Peer): append(make([]byte, 10), 5, 'g'),      // a group cut off
		"p" + string(id):                append(make([]byte, 8), 255, 255, 3),  // too many addresses
		string(timestampKey):            make([]byte, 9),                       // too long
		"xp" + string(aPeer(t, 0).Peer): append(make([]byte, 11+maxReason), 0), // too long
	} {
		if err := s.db.Set([]byte(key), value, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open1(t, dir)
	claims, err1 := s.SavedClaims(at(0), 9)
	peers, err2 := s.SavedPeers(9)
	bans, err3 := s.SavedBans(at(0))
	own, err4 := s.OwnTimestamp()
	if err := errors.Join(err1, err2, err3, err4); err != nil || len(claims) != 1 || len(peers) != 1 || len(bans) != 1 || !own.IsZero() {
		t.Errorf("got %v, %v, %v, %v, %v", claims, peers, bans, own, err)
	}
	if s.Malformed() != 12 {
		t.Errorf("%d malformed records, want 12", s.Malformed())
	}
}

// Many records are one write to the log and one sync of it.
func TestABatchIsOneSync(t *testing.T) {
	var syncs atomic.Int64
	s, err := open("db", errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			syncs.Add(1)
		}
		return nil
	})), pebble.Sync, quiet)
	if err != nil {
		t.Fatal(err)
	}
	var batch []core.Record
	for i := range int64(256) {
		batch = append(batch, aClaim(t, i, 600))
	}
	before := syncs.Load()
	save(t, s, batch...)
	if err := s.Close(); err != nil { // ends Pebble's goroutines, which count
		t.Fatal(err)
	}
	if n := syncs.Load() - before; n < 1 || n > 3 { // closing syncs too
		t.Errorf("%d syncs", n)
	}
}

func FuzzRecords(f *testing.F) {
	id, _ := peer.Decode("12D3KooWGRUf7Yf5Xz7gBvX4GQEbcxgYAdQUdRzmM5VVtWv6SxVp")
	addr := multiaddr.StringCast("/ip4/192.0.2.1/tcp/1")
	f.Add([]byte(id), appendPeer(nil, core.SavedPeer{LastSeen: at(7), Addrs: []multiaddr.Multiaddr{addr}}))
	f.Add([]byte(id), appendClaim(nil, core.SavedClaim{Expiry: at(7), Envelope: []byte("envelope")}))
	f.Add([]byte("p"+id), appendBan(nil, core.SavedBan{Peer: id, Group: "1.2.3.0/24", Until: at(7), Times: 300, Reason: "garbage"}))
	f.Add([]byte("g1.2.3.0/24"), appendBan(nil, core.SavedBan{Group: "1.2.3.0/24", Until: at(7), ByHand: true}))
	f.Add([]byte(id), []byte{0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 15})
	f.Add(seqKey(logPrefix, "topic", 7)[1:], entry{size: 7, landed: at(7)}.append(nil))
	f.Add(seqKey(bytesPrefix, "topic", 7)[1:], place{"topic", 7, at(7)}.append(nil))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		roundTrip(t, peerKind, key, value)
		roundTrip(t, claimKind, key, value)
		roundTrip(t, banKind, key, value)
		roundTripObject(t, key, value)
	})
}

func roundTripObject(t *testing.T, key, value []byte) {
	if topic, seq, ok := cutSeqKey(key); ok && !bytes.Equal(seqKey('x', string(topic), seq)[1:], key) {
		t.Errorf("%x does not survive a round trip", key)
	}
	if e, ok := parseEntry(value); ok && !bytes.Equal(e.append(nil), value) {
		t.Errorf("%x does not survive a round trip", value)
	}
	if p, ok := parsePlace(value); ok && !bytes.Equal(p.append(nil), value) {
		t.Errorf("%x does not survive a round trip", value)
	}
	if set, topic, ok := parseAnchor(value); ok && !bytes.Equal(append(appendTime(nil, set), topic...), value) {
		t.Errorf("%x does not survive a round trip", value)
	}
}

func roundTrip[R core.Record](t *testing.T, k kind[R], key, value []byte) {
	parse := k.parse
	r, err := parse(string(key), value)
	if err != nil {
		return
	}
	again, err := parse(k.name(r), k.append(nil, r))
	if err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("%x does not survive a round trip: %v, %v", value, again, err)
	}
}
