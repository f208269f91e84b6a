package store

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

var timestampKey = []byte("town")

// OwnTimestamp is the highest timestamp that the node ever signed into a claim,
// or the zero time.
//
// It is saved like any other record, so the claim may be sent before it is on
// disk. That is safe because the next one is max(now, this + 1 ms): to lose it
// does no harm unless, before the restart, the clock is also set back behind it.
// Then new claims count as old for as long as the clock was set back, and no
// longer.
func (s *Store) OwnTimestamp() (highest time.Time, err error) {
	err = s.use(func() error {
		highest, _, err = readTimestamp(s.db)
		return err
	})
	return highest, err
}

func readTimestamp(db *pebble.DB) (highest time.Time, malformed int, err error) {
	value, closer, err := db.Get(timestampKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return time.Time{}, 0, nil
	}
	if err != nil {
		return time.Time{}, 0, err
	}
	defer closer.Close()
	highest, rest, ok := cutTime(value)
	if !ok || len(rest) > 0 {
		return time.Time{}, 1, nil
	}
	return highest, 0, nil
}
