// Package observe tells a host about the calls that a server makes to its store, its keys and its assertion verifiers:
// enough for spans, counters and latencies, and without a dependency on whatever keeps them.
//
// # How it is used
//
// [Records], [Clients], [Keys] and [Verifier] wrap what goes into the server's configuration. Nothing in the server
// knows of it, so that a server without an observer pays nothing. The outcomes of whole requests are the server's
// own events; together they are all that a dashboard needs. The program in examples/telemetry joins both to OpenTelemetry.
//
//	o := observe.Observer(func(ctx context.Context, c observe.Call) (context.Context, func(observe.Outcome)) {
//		start := time.Now()
//		return ctx, func(out observe.Outcome) { histogram(c.Part, c.Name, out).Observe(time.Since(start)) }
//	})
//	cfg.Records, cfg.Clients, cfg.Keys = observe.Records(o, store), observe.Clients(o, store), observe.Keys(o, keys)
//
// # What an observer learns
//
// Words from short lists: which part was called, by which method, for which kind of record or algorithm, and how it ended. Never a
// key, a token, a name, an address or the text of an error, so that nothing secret can reach a label, and no caller can
// make labels grow in number.
//
// An observer that panics is not heard for that call; the call goes on.
package observe
