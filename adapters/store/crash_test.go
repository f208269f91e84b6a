package store

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftnet/weft/protocols/object"
)

const writeObjectsInto = "WEFT_STORE_TEST_WRITE_OBJECTS_INTO"

var (
	// crashes is how often a writer is killed; more with the tag slow.
	crashes = 5
	// lifeTime is up to how long a writer lives after its first write. Chosen longer
	// than it takes to fill a write buffer.
	lifeTime = 150 * time.Millisecond

	crashTopics = []string{"a", "blocks"}
)

const (
	crashKeep  = 2000 // objects of each topic that a writer keeps
	crashBatch = 40
)

// writeObjectsUntilKilled goes on with the logs in dir, in batches of up to
// crashBatch objects of up to 8 KiB, and says after each how far they are on disk.
func writeObjectsUntilKilled(dir string) {
	s, err := Open(dir, quiet)
	if err != nil {
		panic(err)
	}
	for {
		var batch []ObjectRecord
		for _, topic := range crashTopics {
			seq := s.LastSeq(topic)
			for range rand.IntN(crashBatch) {
				seq++
				batch = append(batch, anObject(topic, seq, 600+rand.IntN(8<<10)))
			}
		}
		if err := s.SaveObjects(batch); err != nil {
			panic(err)
		}
		for _, topic := range crashTopics {
			last := s.LastSeq(topic)
			fmt.Println(topic, last)
			if err := errors.Join(s.PruneObjects(topic, last-min(last, crashKeep)), s.TrimTombstones(topic, crashKeep)); err != nil {
				panic(err)
			}
		}
	}
}

// A process that writes objects is killed again and again. Each time the store
// opens, every object has its hash, and each log all numbers up to the last
// that was acknowledged.
func TestAKilledWriterOfObjectsLosesNothingThatIsAcknowledged(t *testing.T) {
	dir := t.TempDir()
	total := make(map[string]uint64)
	for round := range crashes {
		for topic, acked := range killedWriter(t, dir) {
			total[topic] = max(total[topic], acked)
		}
		s, err := Open(dir, quiet)
		if err != nil {
			t.Fatalf("after %d kills: %v", round+1, err)
		}
		for _, topic := range crashTopics {
			checkLog(t, s, topic, total[topic])
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("after %d kills", round+1)
		}
	}
	t.Logf("%d kills; the logs ended at %v", crashes, total)
}

// killedWriter runs and kills a writer, and says what it acknowledged.
func killedWriter(t *testing.T, dir string) (acked map[string]uint64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), writeObjectsInto+"="+dir)
	var said strings.Builder
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	child.Stderr = &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acked = make(map[string]uint64)
	var kill *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if kill == nil {
			kill = time.AfterFunc(rand.N(lifeTime), func() { child.Process.Kill() })
		}
		var topic string
		var seq uint64
		if n, _ := fmt.Sscan(lines.Text(), &topic, &seq); n == 2 { // the last line may be cut
			acked[topic] = seq
		}
	}
	if child.Wait(); len(acked) == 0 || said.Len() > 0 {
		t.Fatalf("the writer ended by itself: %.500s", said.String())
	}
	return acked
}

// checkLog reads a whole log.
func checkLog(t *testing.T, s *Store, topic string, acked uint64) {
	t.Helper()
	last := s.LastSeq(topic)
	if last < acked {
		t.Errorf("%s: %d was acknowledged, but the log ends at %d", topic, acked, last)
	}
	first, after := uint64(0), uint64(0)
	for after < last {
		records, err := s.ObjectLog(topic, after, 100, 1<<20) // checks the hashes
		if err != nil || len(records) == 0 {
			t.Errorf("%s: after %d: %d records, %v", topic, after, len(records), err)
			return
		}
		for _, r := range records {
			if first == 0 {
				first, after = r.Seq, r.Seq-1
			}
			if r.Seq != after+1 {
				t.Errorf("%s: %d follows %d", topic, r.Seq, after)
			}
			after = r.Seq
			if got, err := s.Object(r.ID); err != nil || got.Seq != r.Seq {
				t.Errorf("%s: number %d: %v", topic, r.Seq, err)
			}
		}
	}
	if last-first+1 < min(last, crashKeep) {
		t.Errorf("%s: only %d to %d are left", topic, first, last)
	}
	checkIndex(t, s, topic, first, last)
}

// checkIndex checks that the index goes on from tombstones to the objects of the log.
func checkIndex(t *testing.T, s *Store, topic string, first, last uint64) {
	t.Helper()
	var seqs []uint64
	err := s.ObjectIndex(func(name string, seq uint64, _ object.ID, _ int, _ time.Time, state State) {
		if name != topic {
			return
		}
		seqs = append(seqs, seq)
		if (state == Held) != (seq >= first) {
			t.Errorf("%s: number %d is %s, the log begins at %d", topic, seq, state, first)
		}
	})
	if err != nil || len(seqs) == 0 || seqs[len(seqs)-1] != last || uint64(len(seqs)) != last-seqs[0]+1 || !slices.IsSorted(seqs) {
		t.Errorf("%s: the index has %d entries, the log ends at %d: %v", topic, len(seqs), last, err)
	}
}

// What a write has acknowledged is there when the machine loses its power: whatever
// was not synced is gone, or some of it is.
func TestALossOfPowerLosesNothingThatIsAcknowledged(t *testing.T) {
	files := vfs.NewCrashableMem()
	for round := range uint64(15) {
		s, err := open("db", files, pebble.Sync, quiet)
		if err != nil {
			t.Fatalf("after %d losses: %v", round, err)
		}
		if round > 0 {
			checkLog(t, s, "a", s.LastSeq("a"))
		}
		last := s.LastSeq("a")
		if last < round*300 {
			t.Fatalf("after %d losses the log ends at %d", round, last)
		}
		for range 3 {
			saveObjects(t, s, someObjects("a", last+1, last+100, 2000)...)
			last += 100
			if err := errors.Join(s.PruneObjects("a", last-min(last, crashKeep)), s.TrimTombstones("a", 10)); err != nil {
				t.Fatal(err)
			}
		}
		if round%2 == 0 {
			save(t, s, aPeer(t, 1)) // syncs the pruning too
		}
		files = files.CrashClone(vfs.CrashCloneCfg{
			UnsyncedDataPercent: int(round * 37 % 101), RNG: rand.New(rand.NewPCG(round, 1)),
		})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
