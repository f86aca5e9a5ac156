package sqlstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// revocable is the condition that a record is Pending, Active or Spent.
const revocable = "state IN (1, 2, 3)"

// Revoke implements [storage.Records].
//
// An UPDATE changes the rows that its snapshot shows. A concurrent Advance holds
// the lock of one of them: the UPDATE waits for it, and then does not see what
// the Advance has inserted. So the UPDATE is repeated until a later snapshot
// shows no record of the grant that could be advanced. A record that is not in
// that snapshot could only come from an Advance of a record that is in it, and
// there is none left.
//
// SQLite has one writer at a time and needs one pass.
func (s *Store) Revoke(ctx context.Context, grantID string, kinds ...storage.Kind) error {
	if grantID == "" || !storable(grantID) {
		return ctx.Err()
	}
	where := " WHERE grant_id = ? AND grant_id <> '' AND " + revocable
	args := []any{grantID}
	if len(kinds) > 0 {
		where += " AND kind IN (" + repeat("?", len(kinds)) + ")"
		for _, k := range kinds {
			args = append(args, string(k))
		}
	}
	update := "UPDATE " + s.table("records") + " SET state = 5" + where
	pass := func() error {
		if s.lang.singleWriter {
			return s.alone(ctx, func() error {
				_, err := s.exec(ctx, update, args...)
				return err
			})
		}
		// At a stricter level, PostgreSQL ends the wait in a serialization
		// failure: a grant that is rotated without a pause would never be
		// revoked. MySQL locks the gaps between the rows, and every Advance of
		// the grant would deadlock.
		return s.txAt(ctx, sql.LevelReadCommitted, func(tx *transaction) error {
			n, err := tx.exec(ctx, update, args...)
			if err == nil && n == 0 && s.lang.visibleEarly {
				err = tx.touch(where, args)
			}
			return err
		})
	}
	for {
		// A pass whose outcome is unknown is an error. The caller may repeat
		// the call, because a second pass changes nothing.
		if err := s.write(ctx, "Revoke", pass, nil); err != nil || s.lang.singleWriter {
			return err
		}

		var left bool
		look := func() error {
			return s.read(ctx, "SELECT EXISTS (SELECT 1 FROM "+s.table("records")+where+")", args, &left)
		}
		if err := s.write(ctx, "Revoke", look, nil); err != nil || !left {
			return err
		}
	}
}

// touch writes to one record that is revoked already. In MySQL another call's
// revocation can be seen before it is durable. This call answers that the grant
// is revoked, so it needs a commit of its own: when that one is durable, so are
// all earlier ones.
func (t *transaction) touch(where string, args []any) error {
	query := "UPDATE " + t.store.table("records") + " SET write_id = ?" + strings.Replace(where, revocable, "state = 5", 1) + " LIMIT 1"
	_, err := t.exec(t.ctx, query, append([]any{writeID()}, args...)...)
	return err
}
