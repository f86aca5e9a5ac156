package redisstore

import _ "embed" // the scripts

// The scripts, one for each call. Redis runs a script in one step: no other
// client sees half of it, and two scripts never overlap. KEYS[1] is the base of
// the store's keys, which has the hash tag.
var (
	//go:embed lua/put.lua
	putSource string
	//go:embed lua/insert.lua
	insertSource string
	//go:embed lua/advance.lua
	advanceSource string

	//go:embed lua/get.lua
	getScript string
	//go:embed lua/revoke.lua
	revokeScript string
	//go:embed lua/sweep.lua
	sweepScript string
	//go:embed lua/list.lua
	listScript string
	//go:embed lua/cursorkey.lua
	cursorKeyScript string
	//go:embed lua/client.lua
	clientScript string
	//go:embed lua/putclient.lua
	putClientScript string
	//go:embed lua/swapclient.lua
	swapSource string
	//go:embed lua/listclients.lua
	listClientsScript string
	//go:embed lua/hasorigin.lua
	hasOriginScript string

	insertScript     = putSource + insertSource
	advanceScript    = putSource + advanceSource
	swapClientScript = swapSource + putClientScript
)

// The numbers that writing scripts return.
const (
	done       = 1
	notFound   = -1
	otherState = -2
	keyIsTaken = -3
)

const (
	// sweepPiece is how many records one script removes, and listPiece how many
	// entries of an index one script reads. Redis serves no other client while
	// a script runs.
	sweepPiece = 200
	listPiece  = 500

	// The bounds of [storage.Query] and [storage.Sweeper].
	defaultPage = 100
	largestPage = 1000
	sweepLimit  = 1000
)
