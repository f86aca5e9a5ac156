package storagetest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/grantwell/grantwell/storage"
)

func wrongOrigins() []wrong {
	found := func(f func(s mem, ctx ctxt, origin string) (bool, error)) wrong {
		return wrong{found: []string{"Origins"}, make: func(h *hooked) { h.hasOrigin = f }}
	}
	anyOf := func(match func(c storage.Client, origin string) bool) wrong {
		return found(func(s mem, ctx ctxt, origin string) (bool, error) {
			list, err := s.ListClients(ctx, "", 1000)
			return slices.ContainsFunc(list, func(c storage.Client) bool { return match(c, origin) }), err
		})
	}
	named := func(fault string, w wrong) wrong { w.fault = fault; return w }
	var seen sync.Map
	return []wrong{
		named("origins of disabled clients", anyOf(func(c storage.Client, origin string) bool { return slices.Contains(c.Origins, origin) })),
		named("origins without case", anyOf(func(c storage.Client, origin string) bool {
			return !c.Disabled && slices.ContainsFunc(c.Origins, func(o string) bool { return strings.EqualFold(o, origin) })
		})),
		named("part of an origin is enough", anyOf(func(c storage.Client, origin string) bool {
			return !c.Disabled && strings.Contains(strings.Join(c.Origins, ","), origin)
		})),
		named("the first origin alone", anyOf(func(c storage.Client, origin string) bool {
			return !c.Disabled && len(c.Origins) > 0 && c.Origins[0] == origin
		})),
		named("an origin once seen stays", found(func(s mem, ctx ctxt, origin string) (bool, error) {
			is, err := s.HasOrigin(ctx, origin)
			if is {
				seen.Store(origin, true)
			}
			_, was := seen.Load(origin)
			return (is || was) && err == nil, err
		})),
		named("an origin that is not found is an error", found(func(s mem, ctx ctxt, origin string) (bool, error) {
			is, err := s.HasOrigin(ctx, origin)
			if err == nil && !is {
				err = storage.ErrNotFound
			}
			return is, err
		})),
		named("context ignored by HasOrigin", found(func(s mem, ctx ctxt, origin string) (bool, error) {
			return s.HasOrigin(context.WithoutCancel(ctx), origin)
		})),
	}
}
