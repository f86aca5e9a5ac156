package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/grantwell/grantwell/storage"
)

// Eval runs a Lua script on the primary server (EVALSHA, and EVAL when the script is not known there yet) and returns
// what it returned: an integer as int64 or int, a string as string or []byte, an array as []any, []string or [][]byte.
// Keys and args are strings of any bytes. It ends when ctx does, and an error means that the outcome may be unknown.
type Eval func(ctx context.Context, script string, keys []string, args ...any) (any, error)

// Store keeps records and clients in Redis. It implements [storage.Records], [storage.Registrar], [storage.Swapper],
// [storage.Lister], [storage.Sweeper] and [storage.OriginFinder], has no state of its own and is safe for concurrent use.
type Store struct {
	eval Eval
	base string // of all keys, with the hash tag
}

var (
	_ storage.Records      = (*Store)(nil)
	_ storage.Registrar    = (*Store)(nil)
	_ storage.Swapper      = (*Store)(nil)
	_ storage.Lister       = (*Store)(nil)
	_ storage.Sweeper      = (*Store)(nil)
	_ storage.OriginFinder = (*Store)(nil)
)

// New returns the store whose keys begin with {prefix}: after it has looked at the server's settings as
// CONFIG GET reports them, by name; [Settings] names those it needs. It refuses a server that could forget that a code
// was used or a token revoked, with an error that names each such setting, unless an option allows that.
// The prefix is 1 to 64 letters, digits, dots, hyphens and underscores; the braces are added.
func New(eval Eval, prefix string, settings map[string]string, options ...Option) (*Store, error) {
	if eval == nil {
		return nil, errors.New("redisstore: no Eval")
	}
	if !validPrefix(prefix) {
		return nil, fmt.Errorf("redisstore: prefix %q is not 1 to 64 of [A-Za-z0-9._-]", prefix[:min(len(prefix), 80)])
	}
	var o opts
	for _, option := range options {
		option(&o)
	}
	if err := check(settings); err != nil {
		if o.warn == nil {
			return nil, err
		}
		o.warn(err)
	}
	return &Store{eval: eval, base: "{" + prefix + "}:"}, nil
}

func validPrefix(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// run evaluates a script with the base as its key.
func (s *Store) run(ctx context.Context, script string, args ...any) (any, error) {
	return s.runKey(ctx, script, s.base, args...)
}

func (s *Store) runKey(ctx context.Context, script, key string, args ...any) (any, error) {
	if err := ctx.Err(); err != nil { // a client may look at it too late
		return nil, err
	}
	answer, err := s.eval(ctx, script, []string{key}, args...)
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	return answer, nil
}

// errAnswer tells that Eval returned what no script of ours does. It is never taken for a success.
var errAnswer = errors.New("redisstore: the script's answer is not understood")

func number(answer any) (int64, error) {
	switch n := answer.(type) {
	case int64:
		return n, nil
	case int:
		return int64(n), nil
	}
	return 0, errAnswer
}

func text(answer any) ([]byte, error) {
	switch s := answer.(type) {
	case string:
		return []byte(s), nil
	case []byte:
		return s, nil
	}
	return nil, errAnswer
}

func texts(answer any) ([][]byte, error) {
	var list [][]byte
	switch l := answer.(type) {
	case []any:
		for _, e := range l {
			s, err := text(e)
			if err != nil {
				return nil, err
			}
			list = append(list, s)
		}
	case []string:
		for _, s := range l {
			list = append(list, []byte(s))
		}
	case [][]byte:
		list = l
	default:
		return nil, errAnswer
	}
	return list, nil
}

// verdict turns what a writing script returned into the contract's error.
func verdict(answer any) error {
	n, err := number(answer)
	if err != nil {
		return err
	}
	switch n {
	case done:
		return nil
	case notFound:
		return storage.ErrNotFound
	case otherState:
		return storage.ErrConflict
	case keyIsTaken:
		return storage.ErrExists
	}
	return errAnswer
}
