package storagetest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/grantwell/grantwell/storage"
)

// sweep returns a hook that replaces Sweep.
func sweep(f func(s mem, ctx ctxt, before time.Time, limit int) (int, error)) func(*hooked) {
	return func(h *hooked) { h.sweep = f }
}

// list returns a hook that replaces List.
func list(f func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error)) func(*hooked) {
	return func(h *hooked) { h.list = f }
}

// clientPage returns a hook that replaces ListClients.
func clientPage(f func(s mem, ctx ctxt, after string, limit int) ([]storage.Client, error)) func(*hooked) {
	return func(h *hooked) { h.listClients = f }
}

// wrongSweeps are stores that sweep the wrong records, or the wrong number.
func wrongSweeps() []wrong {
	return []wrong{
		{"sweep of what is not expired", []string{"SweepExpired"}, sweep(func(s mem, ctx ctxt, before time.Time, limit int) (int, error) {
			return s.Sweep(ctx, before.Add(2*time.Hour), limit)
		})},
		{"sweep at the very moment", []string{"SweepExpired"}, sweep(func(s mem, ctx ctxt, before time.Time, limit int) (int, error) {
			return s.Sweep(ctx, before.Add(time.Microsecond), limit)
		})},
		{"sweep by the present", []string{"SweepExpired"}, sweep(func(s mem, ctx ctxt, _ time.Time, limit int) (int, error) {
			return s.Sweep(ctx, time.Now(), limit)
		})},
		{"never is a time long ago", []string{"SweepExpired"}, onWrite(func(r *rec) {
			if r.ExpiresAt.IsZero() {
				r.ExpiresAt = time.Time{}.Add(time.Hour)
			}
		})},
		{"sweep without a limit", []string{"SweepLimit"}, sweep(func(s mem, ctx ctxt, before time.Time, _ int) (int, error) {
			return s.Sweep(ctx, before, math.MaxInt)
		})},
		{"no limit sweeps nothing", []string{"SweepLimit"}, sweep(func(s mem, ctx ctxt, before time.Time, limit int) (int, error) {
			if limit < 1 {
				return 0, nil
			}
			return s.Sweep(ctx, before, limit)
		})},
		{"sweep miscounts", []string{"SweepLimit", "SweepExpired"}, sweep(func(s mem, ctx ctxt, before time.Time, limit int) (int, error) {
			n, err := s.Sweep(ctx, before, limit)
			return n / 2, err
		})},
	}
}

// wrongLists are stores that list records twice, not at all, or the wrong ones.
func wrongLists() []wrong {
	return []wrong{
		{"a row is listed twice", []string{"ListPages", "ListDuringWrites"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			page, next, err := s.List(ctx, q)
			if next != "" && len(page) < q.Limit || q.After != "" && len(page) > 0 {
				page[len(page)-1] = page[0]
			}
			return page, next, err
		})},
		{"a row is lost", []string{"ListPages", "ListDuringWrites"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			page, next, err := s.List(ctx, q)
			if next != "" && len(page) > 1 {
				page = page[:len(page)-1]
			}
			return page, next, err
		})},
		{"spent rows are not listed", []string{"ListPages"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			page, next, err := s.List(ctx, q)
			return slices.DeleteFunc(page, func(r rec) bool { return r.State == storage.Spent }), next, err
		})},
		{"rows without their data", []string{"ListPages"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			page, next, err := s.List(ctx, q)
			for i := range page {
				page[i].Data = nil
			}
			return page, next, err
		})},
		{"no filter by subject", []string{"ListFilters"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			q.Subject = ""
			return s.List(ctx, q)
		})},
		{"no filter by grant", []string{"ListFilters"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			q.GrantID = ""
			return s.List(ctx, q)
		})},
		{"client filter without case", []string{"ListFilters"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			q.ClientID = strings.ToLower(q.ClientID)
			return s.List(ctx, q)
		})},
		{"pages without a limit", []string{"ListLimits"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			if q.Limit < 1 || q.Limit > 1000 {
				q.Limit = 1000
			}
			return s.List(ctx, q)
		})},
		{"limit ignored", []string{"ListPages"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			q.Limit = 100
			return s.List(ctx, q)
		})},
		{"pages by offset", []string{"ListDuringWrites"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			offset, _ := strconv.Atoi(q.After)
			all := whole(ctx, s, q)
			from := min(offset, len(all))
			to := min(from+q.Limit, len(all))
			if to == len(all) {
				return all[from:], "", nil
			}
			return all[from:to], strconv.Itoa(to), nil
		})},
		{"a bad cursor starts over", []string{"ListBadCursor"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			page, next, err := s.List(ctx, q)
			if err != nil {
				q.After = ""
				return s.List(ctx, q)
			}
			return page, next, err
		})},
		{"a bad cursor is the end", []string{"ListBadCursor"}, list(func(s mem, ctx ctxt, q storage.Query) ([]rec, string, error) {
			page, next, err := s.List(ctx, q)
			if ctx.Err() == nil {
				err = nil
			}
			return page, next, err
		})},
	}
}

// wrongPuts are stores that write clients wrongly.
func wrongPuts() []wrong {
	type client = storage.Client
	return []wrong{
		{"put merges", []string{"ClientReplaced"}, func(h *hooked) {
			h.put = func(s mem, ctx ctxt, c client) error {
				if old, err := s.Client(ctx, c.ID); err == nil && c.Metadata == nil {
					c.Metadata = old.Metadata
				}
				return s.PutClient(ctx, c)
			}
		}},
		{"put does not replace", []string{"ClientReplaced"}, func(h *hooked) {
			h.put = func(s mem, ctx ctxt, c client) error {
				if _, err := s.Client(ctx, c.ID); err == nil {
					return nil
				}
				return s.PutClient(ctx, c)
			}
		}},
		{"no grant becomes the default", []string{"ClientRoundTrip"}, func(h *hooked) {
			h.put = func(s mem, ctx ctxt, c client) error {
				if len(c.GrantTypes) == 0 {
					c.GrantTypes = nil
				}
				if err := c.Validate(); err != nil {
					c.RedirectURIs = []string{"https://app.example/cb"}
				}
				return s.PutClient(ctx, c)
			}
		}},
		{"listed clients lack their keys", []string{"ClientRoundTrip"}, clientPage(func(s mem, ctx ctxt, after string, limit int) ([]client, error) {
			list, err := s.ListClients(ctx, after, limit)
			for i := range list {
				list[i].JWKS = nil
			}
			return list, err
		})},
		{"a bad client is dropped without an error", []string{"ClientInvalid"}, func(h *hooked) {
			h.put = func(s mem, ctx ctxt, c client) error {
				if c.Validate() != nil {
					return nil //nolint:nilerr // this store is wrong on purpose
				}
				return s.PutClient(ctx, c)
			}
		}},
		{"a refusal that names no field", []string{"ClientInvalid"}, func(h *hooked) {
			h.put = func(s mem, ctx ctxt, c client) error {
				if c.Validate() != nil {
					return errors.New("bad client")
				}
				return s.PutClient(ctx, c)
			}
		}},
		{"delete of nothing is no error", []string{"ClientDeleted"}, func(h *hooked) {
			h.remove = func(s mem, ctx ctxt, id string) error {
				if err := s.DeleteClient(ctx, id); !errors.Is(err, storage.ErrNotFound) {
					return err
				}
				return nil
			}
		}},
		{"delete disables", []string{"ClientDeleted"}, func(h *hooked) {
			h.remove = func(s mem, ctx ctxt, id string) error {
				c, err := s.Client(ctx, id)
				if err != nil {
					return err
				}
				c.Disabled = true
				return s.PutClient(ctx, c)
			}
		}},
	}
}

// wrongClients are stores that read clients wrongly.
func wrongClients() []wrong {
	type client = storage.Client
	return []wrong{
		{"client IDs without case", []string{"ClientExact"}, func(h *hooked) {
			h.client = func(s mem, ctx ctxt, id string) (client, error) {
				if c, err := s.Client(ctx, id); err == nil {
					return c, nil
				}
				return s.Client(ctx, strings.ToLower(id))
			}
		}},
		{"client IDs trimmed", []string{"ClientExact"}, func(h *hooked) {
			h.client = func(s mem, ctx ctxt, id string) (client, error) { return s.Client(ctx, strings.TrimSpace(id)) }
		}},
		{"clients shared", []string{"ClientNoSharedMemory"}, func(h *hooked) {
			var cache sync.Map
			h.client = func(s mem, ctx ctxt, id string) (client, error) {
				c, err := s.Client(ctx, id)
				if err != nil {
					return c, err
				}
				kept, _ := cache.LoadOrStore(id, c)
				return kept.(client), nil
			}
		}},
		{"client pages begin with the last of the page before", []string{"ClientPages"}, clientPage(func(s mem, ctx ctxt, after string, limit int) ([]client, error) {
			list, err := s.ListClients(ctx, after, limit)
			if c, e := s.Client(ctx, after); e == nil && err == nil {
				list = append([]client{c}, list...)
			}
			return list, err
		})},
		{"client pages without order", []string{"ClientPages"}, clientPage(func(s mem, ctx ctxt, after string, limit int) ([]client, error) {
			list, err := s.ListClients(ctx, after, limit)
			slices.SortFunc(list, func(a, b client) int { return strings.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID)) })
			return list, err
		})},
		{"client pages without a limit", []string{"ClientPages"}, clientPage(func(s mem, ctx ctxt, after string, limit int) ([]client, error) {
			if limit < 1 {
				limit = 1000
			}
			return s.ListClients(ctx, after, limit)
		})},
		{"context ignored by PutClient", []string{"ClientCancelled"}, func(h *hooked) {
			h.put = func(s mem, ctx ctxt, c client) error { return s.PutClient(context.WithoutCancel(ctx), c) }
		}},
		{"context ignored by DeleteClient", []string{"ClientCancelled"}, func(h *hooked) {
			h.remove = func(s mem, ctx ctxt, id string) error { return s.DeleteClient(context.WithoutCancel(ctx), id) }
		}},
	}
}
