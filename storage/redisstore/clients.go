package redisstore

import (
	"context"
	"encoding/json"
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

// client returns what is stored of a client; nothing if there is none.
func (s *Store) client(ctx context.Context, id string) ([]byte, error) {
	answer, err := s.run(ctx, clientScript, id)
	if err != nil {
		return nil, err
	}
	return text(answer)
}

// PutClient implements [storage.Registrar].
func (s *Store) PutClient(ctx context.Context, c storage.Client) error {
	value, origins, err := encodeClient(c)
	if err != nil {
		return err
	}
	answer, err := s.run(ctx, putClientScript, append([]any{c.ID, value}, origins...)...)
	if err != nil {
		return err
	}
	return verdict(answer)
}

// SwapClient implements [storage.Swapper]: the script replaces the bytes that were compared here, and nothing else.
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
	answer, err := s.run(ctx, swapClientScript, append([]any{next.ID, string(stored), value}, origins...)...)
	if err != nil {
		return err
	}
	return verdict(answer)
}

// encodeClient returns what is stored of a client, and the origins that count for it: none if it is disabled.
func encodeClient(c storage.Client) (value string, origins []any, err error) {
	if err := c.Validate(); err != nil {
		return "", nil, err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return "", nil, errValue // the cause might show a key
	}
	if !c.Disabled {
		sorted := slices.Sorted(slices.Values(c.Origins))
		for _, o := range slices.Compact(sorted) {
			origins = append(origins, o)
		}
	}
	return string(version) + string(b), origins, nil
}

// DeleteClient implements [storage.Registrar].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	answer, err := s.run(ctx, putClientScript, id, "")
	if err != nil {
		return err
	}
	return verdict(answer)
}

// ListClients implements [storage.Registrar].
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]storage.Client, error) {
	if limit < 1 || limit > largestPage {
		limit = defaultPage
	}
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

// decodeClient reads the version and the JSON behind it. Its error shows nothing of the value, which may hold a key.
func decodeClient(value []byte) (storage.Client, error) {
	var c storage.Client
	if len(value) < 2 || value[0] != version || json.Unmarshal(value[1:], &c) != nil || c.ID == "" {
		return storage.Client{}, errValue
	}
	return c, nil
}
