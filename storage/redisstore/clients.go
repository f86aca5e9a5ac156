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
	answer, err := s.run(ctx, clientScript, id)
	if err != nil {
		return storage.Client{}, err
	}
	value, err := text(answer)
	if err != nil {
		return storage.Client{}, err
	}
	if len(value) == 0 {
		return storage.Client{}, storage.ErrNotFound
	}
	return decodeClient(value)
}

// PutClient implements [storage.Registrar].
func (s *Store) PutClient(ctx context.Context, c storage.Client) error {
	if err := c.Validate(); err != nil {
		return err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return errValue // the cause might show a key
	}
	args := []any{c.ID, string(version) + string(b)}
	if !c.Disabled {
		origins := slices.Clone(c.Origins)
		slices.Sort(origins)
		for _, o := range slices.Compact(origins) {
			args = append(args, o)
		}
	}
	answer, err := s.run(ctx, putClientScript, args...)
	if err != nil {
		return err
	}
	return verdict(answer)
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
