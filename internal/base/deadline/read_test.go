package deadline_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/deadline"
)

// conn is a writer whose connection remembers that its reads were ended.
type conn struct {
	http.ResponseWriter
	ended atomic.Int32
}

func (c *conn) SetReadDeadline(time.Time) error {
	c.ended.Add(1)
	return nil
}

// wrapped is a writer of a middleware.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A read that takes too long is ended, once and soon after its time. One that ends
// before is left alone, and so is a writer that cannot end reads. No timer stays: the
// test would not end.
func TestWatchdog_EndsReadsThatTakeTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d deadline.Watchdog
		for range 2 { // it can begin again
			var slow, quick, later conn
			until := time.Now().Add(time.Second)
			d.Begin(wrapped{&slow}, until)
			read := d.Begin(&quick, until)
			d.Begin(&later, until.Add(time.Second))
			require.Nil(t, d.Begin(httptest.NewRecorder(), until))
			d.End(nil)

			time.Sleep(time.Second - time.Millisecond)
			synctest.Wait()
			require.Zero(t, slow.ended.Load())
			d.End(read)
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
			require.EqualValues(t, 1, slow.ended.Load())
			require.Zero(t, quick.ended.Load()+later.ended.Load())
			time.Sleep(time.Second)
			synctest.Wait()
			require.EqualValues(t, 1, slow.ended.Load())
			require.EqualValues(t, 1, later.ended.Load())
			require.Zero(t, quick.ended.Load())
		}
	})

	var c conn
	require.Nil(t, (*deadline.Watchdog)(nil).Begin(&c, time.Now()))
	require.EqualValues(t, 1, c.ended.Load(), "without a watchdog the connection has the deadline")
}
