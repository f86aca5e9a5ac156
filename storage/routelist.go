package storage

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
)

var errCursor = errors.New("storage: not a cursor of this store")

// List pages through the stores one after the other. A cursor is the number of
// a store, a dot, and the cursor of that store. At the end of each store a page
// may have fewer records than the limit.
func (r *router) List(ctx context.Context, q Query) ([]Record, string, error) {
	first, last := 0, len(r.stores)-1
	if q.Kind != "" {
		first = r.index(q.Kind)
		last = first
	}
	i, inner, err := readCursor(q.After, first, last)
	if err != nil {
		return nil, "", err
	}
	q.After = inner

	for {
		recs, next, err := r.stores[i].(Lister).List(ctx, q)
		switch {
		case err != nil:
			return nil, "", err
		case next != "":
			return r.own(i, recs), writeCursor(i, next), nil
		case i == last:
			return r.own(i, recs), "", nil
		case len(recs) > 0:
			return r.own(i, recs), writeCursor(i+1, ""), nil
		}

		// A page must not be empty while there is a next one, so an empty
		// store is skipped.
		i++
		q.After = ""
	}
}

// own removes records of kinds that Get would look for in another store. They
// were written under an earlier configuration.
func (r *router) own(i int, recs []Record) []Record {
	return slices.DeleteFunc(recs, func(rec Record) bool { return r.index(rec.Kind) != i })
}

func writeCursor(store int, inner string) string {
	return strconv.Itoa(store) + "." + inner
}

// readCursor returns the number of the store and its own cursor. It accepts
// only what writeCursor wrote for a listing of the stores from first to last.
func readCursor(cursor string, first, last int) (store int, inner string, err error) {
	if cursor == "" {
		return first, "", nil
	}
	number, inner, ok := strings.Cut(cursor, ".")
	store, err = strconv.Atoi(number)
	if !ok || err != nil || strconv.Itoa(store) != number {
		return 0, "", errCursor
	}
	if store < first || store > last {
		return 0, "", errCursor
	}
	if store == first && inner == "" {
		return 0, "", errCursor // the first page has no cursor
	}
	return store, inner, nil
}
