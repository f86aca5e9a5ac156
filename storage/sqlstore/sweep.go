package sqlstore

import (
	"context"
	"strings"
	"time"
)

// Sweep implements [storage.Sweeper]: one statement that uses the index of
// expiries. Several instances may sweep at the same time.
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	if limit < 1 {
		limit = 1000
	}
	// After an error the number of removed rows is unknown. The next call
	// removes the rest.
	query := strings.ReplaceAll(s.lang.sweep, "{t}", s.table("records"))
	var n int64
	err := s.write(ctx, "Sweep", func() error {
		return s.alone(ctx, func() (err error) {
			n, err = s.exec(ctx, query, before.UnixMicro(), limit)
			return err
		})
	}, nil)
	if err != nil {
		return 0, err
	}
	return int(n), nil
}
