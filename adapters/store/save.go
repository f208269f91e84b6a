package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weftnet/weft/protocols/core"
)

// Save keeps records, each in place of an older one of the same type and peer. It
// returns when all are on disk, in one write: many at once cost little more than
// one. Of a peer's addresses the first 16 are kept, of a ban's reason 512 bytes;
// when there are too many records of a type, the lowest ranked are forgotten (the
// peers seen longest ago, the claims and bans that end first). A record that
// cannot be kept is left out and reported as ErrRecord.
func (s *Store) Save(records ...core.Record) error {
	var refused error
	err := s.write(func(b *pebble.Batch) error {
		for _, r := range records {
			err := s.stage(b, r)
			if err != nil && !errors.Is(err, ErrRecord) {
				return err
			}
			refused = errors.Join(refused, err)
		}
		return errors.Join(s.peers.trim(b), s.claims.trim(b), s.bans.trim(b))
	})
	return errors.Join(err, refused)
}

func (s *Store) stage(b *pebble.Batch, r core.Record) error {
	switch r := r.(type) {
	case core.SavedPeer:
		return s.peers.put(b, r)
	case core.SavedClaim:
		if !claimSize(r.Envelope) {
			return fmt.Errorf("%w: claim of %s with an envelope of %d bytes", ErrRecord, r.Peer, len(r.Envelope))
		}
		return s.claims.put(b, r)
	case core.SavedBan:
		if r.Until.IsZero() {
			return s.bans.delete(b, banName(r))
		}
		return s.bans.put(b, r)
	case core.OwnTimestamp:
		return b.Set(timestampKey, appendTime(nil, r.Highest), nil)
	}
	return fmt.Errorf("%w: unknown type %T", ErrRecord, r)
}

// write carries out what fill puts into a batch, all of it or nothing.
func (s *Store) write(fill func(*pebble.Batch) error) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	filled := false
	err := s.commit(0, s.sync, func(b *pebble.Batch) error {
		filled = true
		return fill(b)
	})
	if err == nil || !filled {
		return err
	}
	return errors.Join(err, s.use(func() error { // what is in memory went ahead of the disk
		_, err := s.indexPeers()
		return err
	}))
}

// load reads all records of a table, the highest ranked first.
func load[R core.Record](s *Store, t *table[R]) (records []R, err error) {
	err = s.use(func() (err error) {
		records, _, err = t.read(s.db)
		return err
	})
	return records, err
}

func first[R any](limit int, list []R) []R { return list[:max(0, min(limit, len(list)))] }

// index reads into memory whose records are saved and where the logs of objects
// end, and counts the malformed ones.
func (s *Store) index() error {
	peers, err1 := s.indexPeers()
	_, timestamp, err2 := readTimestamp(s.db)
	objects, err3 := s.readEnds()
	s.malformed = peers + timestamp + objects
	return errors.Join(err1, err2, err3)
}

func (s *Store) indexPeers() (malformed int, err error) {
	peers, err1 := s.peers.index(s.db)
	claims, err2 := s.claims.index(s.db)
	bans, err3 := s.bans.index(s.db)
	return peers + claims + bans, errors.Join(err1, err2, err3)
}

// Malformed is how many records were left out when the store was opened, because
// they cannot be read. Of a log of objects only the last is looked at.
func (s *Store) Malformed() int { return s.malformed }
