package grantwell

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

// changeAttempts bounds how often a change is made again for one that another process made meanwhile.
const changeAttempts = 10

// change reads the client, has it changed, and stores it. The answer is the client as it is then.
func (c *act) change(ctx context.Context, edit func(storage.Client) (next storage.Client, plain string, err error)) error {
	if err := c.wait(ctx); err != nil {
		return err
	}
	defer c.leave()
	for n := 1; ; n++ {
		old, err := c.matched(ctx)
		if err != nil {
			return err
		}
		next, plain, err := edit(old.Clone())
		if err != nil {
			return err
		}
		if err := checkClient(&next); err != nil {
			return err
		}
		err = c.store(ctx, &old, &next)
		switch {
		case err == nil:
			return c.show(http.StatusOK, &next, plain)
		case !errors.Is(err, storage.ErrConflict) || n == changeAttempts:
			return err
		}
	}
}

// matched reads the client, and compares it with If-Match (RFC 9110 section 13.1.1).
func (c *act) matched(ctx context.Context) (storage.Client, error) {
	client, err := c.find(ctx)
	want := c.r.Header.Values("If-Match")
	if err != nil || len(want) == 0 {
		return client, err
	}
	tag, err := clientmeta.ETag(&client)
	if err != nil {
		return client, err
	}
	for t := range strings.SplitSeq(strings.Join(want, ","), ",") {
		if t = strings.TrimSpace(t); t == tag || t == "*" {
			return client, nil
		}
	}
	return client, &grants.Error{Code: "precondition_failed", Description: "The client was changed since. Read it again.", Status: http.StatusPreconditionFailed}
}

// store puts the client into the registry in place of old (nil: there is none), tells the event, and reads
// back what the store made of it.
func (c *act) store(ctx context.Context, old, next *storage.Client) error {
	if err := c.api.put(ctx, old, *next); err != nil {
		return err
	}
	c.event.ClientID = next.ID
	c.event.Admin.After = clientmeta.Redact(next)
	if old != nil {
		c.event.Admin.Before = clientmeta.Redact(old)
	}
	stored, err := c.api.clients.Client(ctx, next.ID)
	if err == nil {
		*next = stored
	} else if !errors.Is(err, storage.ErrNotFound) { // deleted meanwhile: what was done was done
		return grants.Unavailable(err)
	}
	return nil
}

// put writes a client that was read as old. A store that can compare does.
func (a *api) put(ctx context.Context, old *storage.Client, next storage.Client) error {
	var err error
	if swapper, ok := a.clients.(storage.Swapper); ok {
		err = swapper.SwapClient(ctx, old, next)
	} else {
		if old == nil {
			if _, err = a.clients.Client(ctx, next.ID); err == nil {
				return conflict("There is a client with this ID.")
			}
		}
		if old != nil || errors.Is(err, storage.ErrNotFound) {
			err = a.clients.PutClient(ctx, next)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrConflict) && old == nil:
		return conflict("There is a client with this ID.")
	case errors.Is(err, storage.ErrConflict):
		return conflict("The client was changed at the same moment. Try again.").Because("%w", err)
	}
	return grants.Unavailable(err)
}

// wait takes the turn to change clients in this process.
func (c *act) wait(ctx context.Context) error {
	select {
	case c.api.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return grants.Unavailable(ctx.Err())
	}
}

func (c *act) leave() { <-c.api.turn }

// checkClient returns why the client must not be stored. What it says is about what the administrator sent.
func checkClient(c *storage.Client) error {
	if err := clientmeta.Check(c); err != nil {
		return badClient(err.Error()).Because("%w", err)
	}
	return nil
}
