package servertest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// Records lists all records of the store that a query selects, over all pages.
// The store must implement [storage.Lister].
func (s *Server) Records(q storage.Query) []storage.Record {
	s.t.Helper()
	lister, ok := s.Store.(storage.Lister)
	require.True(s.t, ok, "%T does not list records", s.Store)

	var all []storage.Record
	for {
		page, next, err := lister.List(s.t.Context(), q)
		require.NoError(s.t, err)
		all = append(all, page...)
		if next == "" {
			return all
		}
		q.After = next
	}
}

// CountOf counts the records of a kind, whatever their state.
func (s *Server) CountOf(kind storage.Kind) int {
	s.t.Helper()
	return len(s.Records(storage.Query{Kind: kind}))
}

// ActiveOf counts the active records of a kind.
func (s *Server) ActiveOf(kind storage.Kind) int {
	s.t.Helper()
	n := 0
	for _, r := range s.Records(storage.Query{Kind: kind}) {
		if r.State == storage.Active {
			n++
		}
	}
	return n
}

// Stored returns a client of the store.
func (s *Server) Stored(id string) storage.Client {
	s.t.Helper()
	c, err := s.Store.Client(s.t.Context(), id)
	require.NoError(s.t, err)
	return c
}

// ChangeClient edits a client of the store.
func (s *Server) ChangeClient(id string, edit func(*storage.Client)) {
	s.t.Helper()
	c := s.Stored(id)
	edit(&c)
	Register(s.t, s.Store, c)
}

// AddClient registers a client that is like "conf" of [Clients] but for its ID
// and the edit. It replaces a client of that ID.
func (s *Server) AddClient(id string, edit func(*storage.Client)) {
	s.t.Helper()
	c := Clients()[0]
	c.ID = id
	edit(&c)
	Register(s.t, s.Store, c)
}

// DeleteClient removes a client from the store.
func (s *Server) DeleteClient(id string) {
	s.t.Helper()
	require.NoError(s.t, s.Store.DeleteClient(s.t.Context(), id))
}

// Sweep removes the records that have expired, at most a thousand. The store
// must implement [storage.Sweeper].
func (s *Server) Sweep() {
	s.t.Helper()
	sweeper, ok := s.Store.(storage.Sweeper)
	require.True(s.t, ok, "%T does not sweep", s.Store)
	_, err := sweeper.Sweep(s.t.Context(), time.Now(), 1000)
	require.NoError(s.t, err)
}
