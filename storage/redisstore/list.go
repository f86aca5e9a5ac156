package redisstore

import (
	"bytes"
	"context"
	"strconv"

	"github.com/grantwell/grantwell/storage"
)

// List implements [storage.Lister]. Records are in the order of kind and key.
// With a GrantID or a Subject the time is proportional to the records of that
// grant or subject, with a Kind to those of the kind, otherwise to all records.
// One round trip reads 500 of them.
func (s *Store) List(ctx context.Context, q storage.Query) ([]storage.Record, string, error) {
	limit := q.Limit
	if limit < 1 || limit > largestPage {
		limit = defaultPage
	}
	after := ""
	if q.After != "" {
		var err error
		if after, err = s.parseCursor(ctx, q.After); err != nil {
			return nil, "", err
		}
	}
	first, last := lexRange(q.Kind, after)

	var page []storage.Record
	for {
		// One record more than the page has shows whether there is a next page.
		answer, err := s.run(ctx, listScript, indexOf(q), first, last,
			strconv.Itoa(listPiece), strconv.Itoa(limit+1-len(page)), q.ClientID, q.Subject)
		if err != nil {
			return nil, "", err
		}
		more, recs, err := piece(answer)
		if err != nil {
			return nil, "", err
		}
		page = append(page, recs...)
		if len(page) > limit {
			end := page[limit-1]
			next, err := s.cursor(ctx, member(end.Kind, end.Key))
			if err != nil {
				return nil, "", err
			}
			return page[:limit], next, nil
		}
		if more == "" {
			return page, "", nil
		}
		first = "(" + more
	}
}

// lexRange returns the bounds of the members to read, as ZRANGEBYLEX has them:
// those of the kind, if there is one, that follow the member after.
func lexRange(kind storage.Kind, after string) (first, last string) {
	first, last = "-", "+"
	if kind != "" {
		// A member is kind:key, and ";" is the character after ":".
		first = "[" + string(kind) + ":"
		last = "(" + string(kind) + ";"
	}
	// A cursor of a listing of other kinds must not reach records before this
	// kind.
	if after != "" && (first == "-" || after >= first[1:]) {
		first = "(" + after
	}
	return first, last
}

// indexOf returns the smallest index that has all records of the query. The
// script filters by client and subject.
func indexOf(q storage.Query) string {
	switch {
	case q.GrantID != "":
		return "g:" + q.GrantID
	case q.Subject != "":
		return "s:" + q.Subject
	}
	return "i"
}

// piece reads the answer of the list script: the last member that it looked at,
// which is empty at the end of the index, and the records.
func piece(answer any) (more string, recs []storage.Record, err error) {
	found, err := texts(answer)
	if err != nil || len(found)%2 != 1 {
		return "", nil, errAnswer
	}
	for i := 1; i < len(found); i += 2 {
		kind, key, _ := bytes.Cut(found[i], []byte(":"))
		r, err := decode(storage.Kind(kind), string(key), found[i+1])
		if err != nil {
			return "", nil, err
		}
		recs = append(recs, r)
	}
	return string(found[0]), recs, nil
}
