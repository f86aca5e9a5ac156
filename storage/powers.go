package storage

// withPowers returns s as a store that is a [Lister] and a [Sweeper] only if
// the flags say so. A caller finds the powers of a store by a type assertion,
// so a wrapper must not have the methods that its store lacks.
func withPowers(s Records, lists, sweeps bool, l Lister, w Sweeper) Records {
	// The embedded interface hides all other methods of s.
	type bare struct{ Records }

	switch {
	case lists && sweeps:
		return struct {
			bare
			Lister
			Sweeper
		}{bare{s}, l, w}
	case lists:
		return struct {
			bare
			Lister
		}{bare{s}, l}
	case sweeps:
		return struct {
			bare
			Sweeper
		}{bare{s}, w}
	}
	return bare{s}
}
