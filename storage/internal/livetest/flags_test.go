//go:build linux

package livetest

import (
	"flag"
	"time"
)

var (
	kills     = flag.Int("kills", 3, "how often the fault tests kill a database under load")
	cuts      = flag.Int("cuts", 100, "how often the power is cut under SQLite")
	contended = flag.Int("contended", 400, "how many codes two processes compete for, on each store; a multiple of 100")
	idle      = flag.Int("idle", 500, "how many connections say nothing in the overload test")
	flood     = flag.Duration("flood", 2*time.Second, "how long the overload test goes on")
	stride    = flag.Int("stride", 61, "how many bytes lie between the places where the wire is cut")
)

// objects is the size of the single-use case: the flag of the kit or, without
// it, a size for an ordinary test run.
func objects() int {
	if f := flag.Lookup("storagetest.objects"); f != nil && f.Value.String() != "0" {
		return 0
	}
	return 200
}
