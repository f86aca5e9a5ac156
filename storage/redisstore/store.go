package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/grantwell/grantwell/storage"
)

// Eval runs a Lua script on the primary server: EVALSHA, and EVAL if the server
// does not have the script yet. It returns an integer as int64 or int, a string
// as string or []byte, an array as []any, []string or [][]byte. Keys and args are
// strings of any bytes. It ends when ctx does. After an error the outcome may be
// unknown.
type Eval func(ctx context.Context, script string, keys []string, args ...any) (any, error)

// Store implements [storage.Records], [storage.Registrar], [storage.Swapper],
// [storage.Lister], [storage.Sweeper] and [storage.OriginFinder] in Redis. It is
// safe for concurrent use.
type Store struct {
	eval Eval

	// wait is how writes are made that replicas have to acknowledge. It is nil
	// without WaitReplicas.
	wait *waiting

	// base begins all keys. It has the hash tag.
	base string

	// cursors is the key of cursors that this instance read last. Redis keeps it.
	cursors atomic.Pointer[[]byte]
}

var (
	_ storage.Records      = (*Store)(nil)
	_ storage.Registrar    = (*Store)(nil)
	_ storage.Swapper      = (*Store)(nil)
	_ storage.Lister       = (*Store)(nil)
	_ storage.Sweeper      = (*Store)(nil)
	_ storage.OriginFinder = (*Store)(nil)
)

// New returns the store whose keys begin with {prefix}:. The prefix is
// 1 to 64 letters, digits, dots, hyphens and underscores. The braces are added.
//
// The settings are those of the Redis server, by name, as CONFIG GET reports
// them. [Settings] returns the names that New needs. It refuses a server that
// could lose the fact that a code was spent or a token revoked, unless an option
// allows it. The error names each of these settings. It refuses a replica in any
// case.
//
// The fields of INFO replication, such as role and connected_slaves, may be among
// the settings. New then also refuses a server that has replicas at that moment,
// without the option [WaitReplicas].
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
	if err := o.wait.check(); err != nil {
		return nil, err
	}
	if err := checkPrimary(settings); err != nil {
		return nil, err
	}
	if err := check(settings, o.wait); err != nil {
		if o.warn == nil {
			return nil, err
		}
		o.warn(err)
	}
	return &Store{eval: eval, wait: o.wait, base: "{" + prefix + "}:"}, nil
}

// validPrefix reports whether a prefix needs no escape in a key. A brace would
// change the hash slot.
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

// runKey evaluates a script with one key.
func (s *Store) runKey(ctx context.Context, script, key string, args ...any) (any, error) {
	// A client library may check the context too late.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	answer, err := s.eval(ctx, script, []string{key}, args...)
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	return answer, nil
}

// write evaluates a script that writes, with the base as its key, and returns its
// verdict. With WaitReplicas, the replicas have the write then. They also have
// every write that the script saw: WAIT counts from the last command of the
// connection, also if that one changed nothing. A second Revoke therefore succeeds
// only if the replicas have the first.
func (s *Store) write(ctx context.Context, script string, args ...any) error {
	if s.wait == nil {
		answer, err := s.run(ctx, script, args...)
		if err != nil {
			return err
		}
		return verdict(answer)
	}

	if err := ctx.Err(); err != nil {
		return err
	}
	answer, acknowledged, err := s.wait.eval(ctx, s.wait.replicas, s.wait.timeout, script, []string{s.base}, args...)
	switch {
	case err != nil:
		return fmt.Errorf("redisstore: %w", err)
	case acknowledged < int64(s.wait.replicas):
		// A refusal counts as little as a success: what it saw may be lost.
		return fmt.Errorf("redisstore: %d replicas have the write instead of %d: its outcome is unknown", acknowledged, s.wait.replicas)
	}
	return verdict(answer)
}

// errAnswer is the error if Eval returned something that no script returns. Such
// an answer is never taken as a success.
var errAnswer = errors.New("redisstore: the script's answer is not understood")

// number reads an integer.
func number(answer any) (int64, error) {
	switch n := answer.(type) {
	case int64:
		return n, nil
	case int:
		return int64(n), nil
	}
	return 0, errAnswer
}

// text reads a string.
func text(answer any) ([]byte, error) {
	switch s := answer.(type) {
	case string:
		return []byte(s), nil
	case []byte:
		return s, nil
	}
	return nil, errAnswer
}

// texts reads an array of strings.
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

// verdict returns the error of package storage for what a writing script
// returned.
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
