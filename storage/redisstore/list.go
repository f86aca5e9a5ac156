package redisstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/grantwell/grantwell/storage"
)

// List implements [storage.Lister]. Records come in the order of kind and key. With a GrantID or a Subject a page takes
// time in proportion to that one's records, with a Kind to those of the kind, otherwise to all, 500 a round trip.
func (s *Store) List(ctx context.Context, q storage.Query) ([]storage.Record, string, error) {
	limit := q.Limit
	if limit < 1 || limit > largestPage {
		limit = defaultPage
	}
	first, last := "-", "+"
	if q.Kind != "" {
		first, last = "["+string(q.Kind)+":", "("+string(q.Kind)+";" // the character behind the colon
	}
	if q.After != "" {
		after, err := parseCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		if first == "-" || after >= first[1:] {
			first = "(" + after
		}
	}
	index := "i"
	switch {
	case q.GrantID != "":
		index = "g:" + q.GrantID
	case q.Subject != "":
		index = "s:" + q.Subject
	}
	var page []storage.Record
	for {
		answer, err := s.run(ctx, listScript, index, first, last, strconv.Itoa(listPiece), strconv.Itoa(limit+1-len(page)), q.ClientID, q.Subject)
		if err != nil {
			return nil, "", err
		}
		found, err := texts(answer)
		if err != nil || len(found)%2 != 1 {
			return nil, "", errAnswer
		}
		for i := 1; i < len(found); i += 2 {
			kind, key, _ := bytes.Cut(found[i], []byte(":"))
			r, err := decode(storage.Kind(kind), string(key), found[i+1])
			if err != nil {
				return nil, "", err
			}
			page = append(page, r)
		}
		if len(page) > limit {
			return page[:limit], cursor(member(page[limit-1].Kind, page[limit-1].Key)), nil
		}
		if len(found[0]) == 0 {
			return page, "", nil
		}
		first = "(" + string(found[0])
	}
}

var (
	strict    = base64.RawURLEncoding.Strict()
	errCursor = errors.New("redisstore: not a cursor of this store")
)

// sumSize is how much of a checksum tells a cursor from other text.
const sumSize = 6

func cursor(member string) string {
	sum := sha256.Sum256([]byte(member))
	return strict.EncodeToString(append(sum[:sumSize:sumSize], member...))
}

func parseCursor(text string) (member string, err error) {
	if len(text) > 512 {
		return "", errCursor
	}
	b, err := strict.DecodeString(text)
	if err != nil || len(b) <= sumSize || cursor(string(b[sumSize:])) != text {
		return "", errCursor
	}
	return string(b[sumSize:]), nil
}
