package deadline

import (
	"net/http"
	"time"
)

// SetRead makes reads of a request's body fail after a time, as
// [http.ResponseController] does. Where the writer cannot do that it does nothing,
// without the errors that the standard library makes.
func SetRead(w http.ResponseWriter, at time.Time) {
	for {
		switch t := w.(type) {
		case interface{ SetReadDeadline(at time.Time) error }:
			_ = t.SetReadDeadline(at) // it fails on a connection that is gone
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return
		}
	}
}
