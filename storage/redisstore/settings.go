package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// required are the settings without which a server may lose acknowledged writes.
var required = [...]struct{ name, value, why string }{
	{"appendonly", "yes", "a restart loses which codes were used and which tokens were revoked"},
	{"appendfsync", "always", "a server that is killed loses the last writes, although it answered them"},
	{"no-appendfsync-on-rewrite", "no", "nothing is synced while the log is rewritten, in spite of appendfsync"},
	{"maxmemory-policy", "noeviction", "a full server removes records to make room"},
}

const (
	// minReplicas is how many replicas have to be connected before the server
	// accepts a write. A server that requires replicas has a replica to promote.
	minReplicas = "min-replicas-to-write"

	// replicaOf is the address of the primary, and empty on a primary.
	replicaOf = "replicaof"
)

// The fields of INFO replication that [New] judges if the host adds them.
const (
	role      = "role"
	connected = "connected_slaves"
)

// Settings returns the names of the settings that [New] needs to know.
func Settings() []string {
	names := make([]string, 0, len(required)+2)
	for _, r := range required {
		names = append(names, r.name)
	}
	return append(names, minReplicas, replicaOf)
}

// Option changes what [New] accepts, and how the store writes.
type Option func(*opts)

type opts struct {
	// warn is called with the reasons of a refusal, in place of the refusal. It
	// is nil without AllowLoss.
	warn func(error)

	// wait is nil without WaitReplicas.
	wait *waiting
}

// waiting says which replicas have to acknowledge a write.
type waiting struct {
	replicas int
	timeout  time.Duration
	eval     EvalWait
}

// AllowLoss makes New accept a server that may lose acknowledged writes, and pass
// the reasons to warn, which may be nil. An attacker can use what such a server
// loses: a spent code can be redeemed again, a revoked token is valid. It is for
// development, and for records whose loss does no harm.
func AllowLoss(warn func(error)) Option {
	return func(o *opts) {
		if o.warn = warn; warn == nil {
			o.warn = func(error) {}
		}
	}
}

// EvalWait runs a script as [Eval] does and then, on the same connection, the
// command WAIT with this number of replicas and this timeout. It returns the answer
// of the script and the number of replicas that WAIT returned. Without an answer to
// both it returns an error.
type EvalWait func(ctx context.Context, replicas int, timeout time.Duration, script string, keys []string, args ...any) (
	answer any, acknowledged int64, err error)

// WaitReplicas makes every write wait until this many replicas have received it,
// or until the timeout has passed. A write that fewer replicas acknowledged in time
// is an error whose outcome is unknown, whatever its script answered. Calls that
// only read do not wait, and neither does Sweep.
//
// A host needs it where a replica may be promoted. The number has to be such that
// every replica which may be promoted has acknowledged: see the package
// documentation. It is at least 1, and New requires a min-replicas-to-write that is
// not lower. The timeout is whole milliseconds, at least one: 500 ms suits replicas
// in one region. It has to be shorter than the time for which the client library
// waits for an answer.
func WaitReplicas(replicas int, timeout time.Duration, eval EvalWait) Option {
	return func(o *opts) { o.wait = &waiting{replicas, timeout, eval} }
}

// check returns an error if WAIT cannot be sent as it says. A timeout of zero
// would be one without end.
func (w *waiting) check() error {
	switch {
	case w == nil:
		return nil
	case w.replicas < 1:
		return fmt.Errorf("redisstore: WaitReplicas needs 1 replica or more, not %d", w.replicas)
	case w.timeout < time.Millisecond:
		return fmt.Errorf("redisstore: WaitReplicas needs a timeout of 1 ms or more, not %v", w.timeout)
	case w.eval == nil:
		return errors.New("redisstore: WaitReplicas needs an EvalWait")
	}
	return nil
}

// checkPrimary refuses a replica. It refuses writes, and its reads are late.
func checkPrimary(settings map[string]string) error {
	if primary := settings[replicaOf]; primary != "" {
		return fmt.Errorf("redisstore: %s is %q, so this server is a replica; connect to the primary", replicaOf, cut(primary))
	}
	if have, known := settings[role]; known && have != "master" {
		return fmt.Errorf("redisstore: %s is %q, so this server is a replica; connect to the primary", role, cut(have))
	}
	return nil
}

// check returns every reason why a server with these settings could lose an
// acknowledged write. An unknown setting is a reason, because the defaults of
// Redis are not safe, and a hosted Redis may promote replicas.
func check(settings map[string]string, w *waiting) error {
	var errs []error
	for _, r := range required {
		have, known := settings[r.name]
		switch {
		case !known:
			errs = append(errs, fmt.Errorf("redisstore: %s is not known and needs to be %q: otherwise %s", r.name, r.value, r.why))
		case have != r.value:
			errs = append(errs, fmt.Errorf("redisstore: %s is %q and needs to be %q: otherwise %s", r.name, cut(have), r.value, r.why))
		}
	}
	if _, known := settings[replicaOf]; !known {
		errs = append(errs, fmt.Errorf("redisstore: %s is not known and needs to be empty: otherwise the server is a replica, which lags behind", replicaOf))
	}
	return errors.Join(append(errs, checkFailover(settings, w)...)...)
}

// checkFailover returns the reasons why a promoted replica could lack an
// acknowledged write.
func checkFailover(settings map[string]string, w *waiting) []error {
	text, known := settings[minReplicas]
	least, err := strconv.Atoi(text)
	switch {
	case !known:
		return []error{fmt.Errorf("redisstore: %s is not known: with replicas, a promoted one may lack acknowledged writes", minReplicas)}
	case err != nil:
		return []error{fmt.Errorf("redisstore: %s is %q, which is not a number", minReplicas, cut(text))}
	case w != nil && least < w.replicas:
		return []error{fmt.Errorf("redisstore: %s is %d and needs to be %d or more, as WaitReplicas has it: "+
			"otherwise a primary without its replicas executes writes that are lost", minReplicas, least, w.replicas)}
	case w == nil && least > 0:
		return []error{fmt.Errorf("redisstore: %s is %d, so the server has replicas: a promoted one may lack acknowledged writes, "+
			"unless New has the option WaitReplicas", minReplicas, least)}
	}

	// Replicas without the setting. A host that does not add the field of INFO
	// is not asked.
	if have, known := settings[connected]; known && have != "0" && w == nil {
		return []error{fmt.Errorf("redisstore: %s is %q: a promoted replica may lack acknowledged writes, "+
			"unless New has the option WaitReplicas and %s is 1 or more", connected, cut(have), minReplicas)}
	}
	return nil
}

// cut shortens the value of a setting for a message.
func cut(value string) string { return value[:min(len(value), 40)] }
