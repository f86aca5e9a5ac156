package clientauth

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/grantwell/grantwell/internal/base/form"
)

// maxBasic bounds the payload of a Basic header in bytes.
const maxBasic = 8 << 10

var strictBase64 = base64.StdEncoding.Strict()

var errBasic = errors.New("grantwell: malformed Basic credentials")

// parseBasic reads the header as RFC 7617 and RFC 6749 section 2.3.1 say: base64 of
// two form-urlencoded strings.
func parseBasic(h string) (id, secret string, err error) {
	scheme, payload, ok := strings.Cut(h, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") || len(payload) > maxBasic {
		return "", "", errBasic
	}
	if strings.IndexByte(payload, '\r') >= 0 || strings.IndexByte(payload, '\n') >= 0 {
		return "", "", errBasic // the decoder would skip line ends
	}

	var in, out [256]byte // room for usual credentials; longer ones cost an allocation each
	raw, err := strictBase64.AppendDecode(out[:0], append(in[:0], payload...))
	if err != nil {
		return "", "", errBasic
	}
	user, pass, ok := strings.Cut(string(raw), ":")
	if !ok {
		return "", "", errBasic
	}
	if id, err = form.Unescape(user); err != nil {
		return "", "", errBasic
	}
	if secret, err = form.Unescape(pass); err != nil || id == "" {
		return "", "", errBasic
	}

	return id, secret, nil
}
