package redisstore

import _ "embed" // the scripts

// The scripts, one a call. Each runs in one step: nobody sees half of it, and two of them never overlap.
// They name their keys by KEYS[1], the base of the store's keys, which carries the hash tag.
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

// What insert, advance and putclient return.
const (
	done        = 1
	notFound    = -1
	otherState  = -2
	keyIsTaken  = -3
	sweepPiece  = 200  // records that one script removes: Redis serves nobody else meanwhile
	listPiece   = 500  // index entries that one script looks at
	defaultPage = 100  // see storage.Query
	largestPage = 1000 // see storage.Query
	sweepLimit  = 1000 // see storage.Sweeper
)
