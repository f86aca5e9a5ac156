package redisstore

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/grantwell/grantwell/storage"
)

// Client implements [storage.Clients].
func (s *Store) Client(ctx context.Context, id string) (storage.Client, error) {
	value, err := s.client(ctx, id)
	if err != nil {
		return storage.Client{}, err
	}
	if len(value) == 0 {
		return storage.Client{}, storage.ErrNotFound
	}
	return decodeClient(value)
}

// client returns the stored value of a client, or nothing.
func (s *Store) client(ctx context.Context, id string) ([]byte, error) {
	answer, err := s.run(ctx, clientScript, id)
	if err != nil {
		return nil, err
	}
	return text(answer)
}

// PutClient implements [storage.Registrar]. It does not read the stored client, so
// that it also replaces one of another version.
func (s *Store) PutClient(ctx context.Context, c storage.Client) error {
	value, origins, err := encodeClient(c)
	if err != nil {
		return err
	}
	return s.write(ctx, putClientScript, append([]any{c.ID, value}, origins...)...)
}

// SwapClient implements [storage.Swapper]. It compares the stored client with
// old. The script then replaces the value only if it is still the same.
func (s *Store) SwapClient(ctx context.Context, old *storage.Client, next storage.Client) error {
	value, origins, err := encodeClient(next)
	if err != nil {
		return err
	}
	var stored []byte
	if old != nil {
		if stored, err = s.client(ctx, next.ID); err != nil {
			return err
		}
		if c, err := decodeClient(stored); len(stored) > 0 && err != nil {
			return err
		} else if len(stored) == 0 || !c.Equal(old) {
			return storage.ErrConflict
		}
	}
	return s.write(ctx, swapClientScript, append([]any{next.ID, string(stored), value}, origins...)...)
}

// encodeClient returns the value that is stored of a client, and its origins. A
// disabled client has none: see [storage.OriginFinder].
func encodeClient(c storage.Client) (value string, origins []any, err error) {
	if err := c.Validate(); err != nil {
		return "", nil, err
	}
	b, err := c.MarshalJSON()
	if err != nil {
		return "", nil, errValue // the cause might quote a key
	}
	if !c.Disabled {
		// Sorted, so that an origin which the client names twice counts once.
		sorted := slices.Sorted(slices.Values(c.Origins))
		for _, o := range slices.Compact(sorted) {
			origins = append(origins, o)
		}
	}
	return string(clientVersion) + string(b), origins, nil
}

// DeleteClient implements [storage.Registrar]. The script removes a client if it
// is given no value.
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.write(ctx, putClientScript, id, "")
}

// ListClients implements [storage.Registrar].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]storage.Client, error) {
	if limit < 1 || limit > largestPage {
		limit = defaultPage
	}
	// The bounds of ZRANGEBYLEX: from the beginning, or behind an ID.
	first := "-"
	if after != "" {
		first = "(" + after
	}
	answer, err := s.run(ctx, listClientsScript, first, strconv.Itoa(limit))
	if err != nil {
		return nil, err
	}
	values, err := texts(answer)
	if err != nil {
		return nil, err
	}
	clients := make([]storage.Client, len(values))
	for i, v := range values {
		if clients[i], err = decodeClient(v); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

// HasOrigin implements [storage.OriginFinder].
func (s *Store) HasOrigin(ctx context.Context, origin string) (bool, error) {
	answer, err := s.run(ctx, hasOriginScript, origin)
	if err != nil {
		return false, err
	}
	n, err := number(answer)
	return n == 1, err
}

// clientVersion is the first byte of every stored client. A change of the
// meaning of a member increases it. Version 1 had lifetimes in nanoseconds and
// scopes in arrays.
const clientVersion = '2'

// errClientVersion is the error for a client of another version. Its JSON is
// not parsed: the members of another version may mean something else.
var errClientVersion = errors.New("redisstore: a stored client is of a version that this release does not read; " +
	"register the client again, which replaces it")

// decodeClient reads the version and the JSON that follows it. Its error shows
// nothing of the value, which may hold a key.
func decodeClient(value []byte) (storage.Client, error) {
	if len(value) < 2 {
		return storage.Client{}, errValue
	}
	if value[0] != clientVersion {
		return storage.Client{}, errClientVersion
	}

	// Called directly, because json.Unmarshal would validate the text twice.
	var c storage.Client
	if c.UnmarshalJSON(value[1:]) != nil || c.ID == "" {
		return storage.Client{}, errValue
	}
	return c, nil
}
