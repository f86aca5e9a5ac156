package backchannel

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/base/form"
	"github.com/grantwell/grantwell/internal/frame"
)

// repeatable are the parameters that may occur several times (RFC 8707 section 2,
// RFC 8693 section 2.1).
var repeatable = []string{"resource", "audience"}

// parse reads the form: the body of a POST, the query of a GET. The query of a POST
// is not read.
func (f *Frame) parse(x *exchange) error {
	r := x.call.Request
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		if err := refuseSecretsInURL(text); err != nil {
			return err
		}
		if err := frame.CheckForm(r); err != nil {
			return err
		}
		var err error
		if text, err = f.Body(x.w, r, f.MaxBody, x.ctx.At); err != nil {
			return err
		}
	} else if int64(len(text)) > f.MaxBody {
		return frame.TooLarge()
	}

	values, err := form.Parse(text, repeatable...)
	if err != nil {
		return frame.Malformed(err)
	}
	x.call.Form = values
	for _, formatter := range f.Formatters {
		if x.format, err = formatter.Format(values); x.format != nil || err != nil {
			return err
		}
	}

	return nil
}

// inURL are the parameters that must never travel in a URL, where logs keep them
// (RFC 6749 section 2.3.1, RFC 9700 section 4.3).
var inURL = []string{
	"client_secret", "client_assertion", "code", "token", "access_token", "refresh_token",
	"assertion", "password", "username", "code_verifier", "device_code", "subject_token",
	"actor_token",
}

// maxQuery bounds how much of a query is searched for secrets, in bytes.
const maxQuery = 64 << 10

func refuseSecretsInURL(query string) error {
	if query == "" {
		return nil
	}
	for pair := range strings.SplitSeq(query[:min(len(query), maxQuery)], "&") {
		name, _, _ := strings.Cut(pair, "=")
		if n, err := url.QueryUnescape(name); err == nil && slices.Contains(inURL, n) {
			return grants.InvalidRequest("Credentials and tokens belong into the body, not into the URL.").
				For(grants.ReasonInURL)
		}
	}

	return nil
}
