// Package observe calls a function of the host around each call that a server makes to its
// store, its keys and its assertion verifiers. The host can make spans, counters and
// latencies of them. The package depends on no telemetry library.
//
// # How to use it
//
// [Records], [Clients], [Keys] and [Verifier] wrap values of the server's configuration. The
// server does not know the package, so a server without an observer pays nothing. The
// outcomes of whole requests are the server's own events (grantwell.Config.Events). The
// program in examples/telemetry passes both to OpenTelemetry.
//
//	o := observe.Observer(func(ctx context.Context, c observe.Call) (context.Context, func(observe.Outcome)) {
//		start := time.Now()
//		return ctx, func(out observe.Outcome) {
//			histogram(c.Part, c.Name, out).Observe(time.Since(start))
//		}
//	})
//	cfg.Records = observe.Records(o, store)
//	cfg.Clients = observe.Clients(o, store)
//	cfg.Keys = observe.Keys(o, keys)
//
// # What an observer sees
//
// An observer sees words from short lists: the part and the method that were called, the
// kind of record or the algorithm, and the outcome. It never sees a key, a token, a name, an
// address or the text of an error. So no secret can get into a label, and no caller can
// increase the number of labels.
//
// A panic of an observer is recovered. The call goes on, and its outcome is not reported.
package observe
