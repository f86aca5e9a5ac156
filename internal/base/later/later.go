// Package later collects what a request uses up, such as an assertion that may be used
// once, until nothing else can refuse the request. A request that is refused for its
// parameters then uses up nothing.
package later

import (
	"context"
	"slices"
)

// List is what one request will use up. It belongs to one goroutine at a time.
type List struct {
	refusal error
	items   []item
}

type item struct {
	key     string
	use     func(ctx context.Context) (first bool, err error)
	refusal error
}

type key struct{}

// With returns a context with an empty list, and the list. The refusal is that of
// [List.Refuse].
func With(ctx context.Context, refusal error) (context.Context, *List) {
	l := &List{refusal: refusal}

	return context.WithValue(ctx, key{}, l), l
}

// Of returns the list of a context; nil: there is none, and things are used up at once.
func Of(ctx context.Context) *List {
	l, _ := ctx.Value(key{}).(*List)

	return l
}

// Refuse sets the error of [List.Run] for what is added from now on, if another request
// uses it up first. A nil list does nothing.
func (l *List) Refuse(refusal error) {
	if l != nil {
		l.refusal = refusal
	}
}

// Add adds something under a key, and reports false if the request has it already. Use
// uses it up and reports whether this was the first time.
func (l *List) Add(key string, use func(ctx context.Context) (first bool, err error)) bool {
	if slices.ContainsFunc(l.items, func(have item) bool { return have.key == key }) {
		return false
	}
	l.items = append(l.items, item{key, use, l.refusal})

	return true
}

// Run uses up all that was added, each once however often Run is called. A nil list has
// nothing.
func (l *List) Run(ctx context.Context) error {
	if l == nil {
		return nil
	}
	for i := range l.items {
		use := l.items[i].use
		if use == nil {
			continue
		}
		first, err := use(ctx)
		if err != nil {
			return err
		}
		if !first {
			return l.items[i].refusal
		}
		l.items[i].use = nil
	}

	return nil
}
