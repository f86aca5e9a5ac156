package frame

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/deadline"
)

// BoundUnread makes the body of a request that has not been read end at a time. Before an
// answer net/http reads what is left of a body; a caller that never sends it would keep
// the connection for ever.
func BoundUnread(w http.ResponseWriter, r *http.Request, at time.Time) {
	if r.ContentLength != 0 && r.Body != http.NoBody {
		deadline.SetRead(w, at)
	}
}

// Body reads the body of a request, at most limit bytes, until a time. A later reader
// finds no body.
func (s *Settings) Body(w http.ResponseWriter, r *http.Request, limit int64, at time.Time) (string, error) {
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close") // the rest of the body is not read
		return "", TooLarge()
	}
	if r.ContentLength == 0 {
		return "", nil
	}

	read := s.Bodies.Begin(w, at)
	text, err := readBody(w, r, limit)
	s.Bodies.End(read)
	if err != nil {
		return "", unreadable(err)
	}
	r.Body = http.NoBody

	return text, nil
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) (string, error) {
	if n := r.ContentLength; n > 0 { // nearly every client says how long the body is
		text := make([]byte, n)
		_, err := io.ReadFull(r.Body, text)
		return string(text), err
	}

	var b strings.Builder
	// io.Copy would allocate 32 KiB for each request.
	_, err := io.CopyBuffer(&b, http.MaxBytesReader(w, r.Body, limit), make([]byte, 4<<10))

	return b.String(), err
}

// unreadable returns the error for a body that could not be read.
func unreadable(err error) error {
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return TooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &grants.Error{
			Code:        "invalid_request",
			Description: "The body did not arrive in time.",
			Status:      http.StatusRequestTimeout,
			Reason:      grants.ReasonTimeout,
			Err:         err,
		}
	}

	return grants.InvalidRequest("The body could not be read.").For(grants.ReasonMalformed).Because("%w", err)
}
