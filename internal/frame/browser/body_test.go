package browser_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/grants"
)

// endless is a body that never ends, and counts what was read of it.
type endless struct{ read int }

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	if e.read > 1<<20 {
		return 0, io.ErrUnexpectedEOF
	}
	e.read += len(p)
	return copy(p, strings.Repeat("x", len(p))), nil
}

// A form above the bound is not read to its end.
//
// Holds: house: bounded body.
func TestForm_LongBodyIsNotRead(t *testing.T) {
	t.Parallel()
	r := newRig()
	body := &endless{}
	req := httptest.NewRequest(http.MethodPost, "/", body)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err := r.Form(httptest.NewRecorder(), req)
	require.Equal(t, http.StatusRequestEntityTooLarge, grants.ErrorOf(err).Status)
	require.LessOrEqual(t, body.read, 64<<10, "a buffer beyond the bound of 1 KiB")
}
