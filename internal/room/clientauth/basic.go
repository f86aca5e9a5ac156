package clientauth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/grantwell/grantwell/internal/base/form"
)

// maxBasic bounds the payload of a Basic header in bytes.
const maxBasic = 8 << 10

var strictBase64 = base64.StdEncoding.Strict()

var errBasic = errors.New("grantwell: malformed Basic credentials")

// basic is what a Basic header carries.
type basic struct{ id, secret string }

// parseBasic reads the header as RFC 7617 and RFC 6749 section 2.3.1 say: base64 of
// two form-urlencoded strings. It returns them decoded, or nothing if they cannot be
// decoded, and as they were sent.
func parseBasic(h string) (decoded, plain basic, err error) {
	scheme, payload, ok := strings.Cut(h, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") || len(payload) > maxBasic {
		return decoded, plain, errBasic
	}
	if strings.IndexByte(payload, '\r') >= 0 || strings.IndexByte(payload, '\n') >= 0 {
		return decoded, plain, errBasic // the decoder would skip line ends
	}

	var in, out [256]byte // room for usual credentials; longer ones cost an allocation each
	raw, err := strictBase64.AppendDecode(out[:0], append(in[:0], payload...))
	if err != nil {
		return decoded, plain, errBasic
	}
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return decoded, plain, errBasic
	}
	if plain.id, plain.secret, ok = strings.Cut(string(raw), ":"); !ok || plain.id == "" {
		return basic{}, basic{}, errBasic
	}
	id, wrongID := form.Unescape(plain.id)
	secret, wrongSecret := form.Unescape(plain.secret)
	if wrongID == nil && wrongSecret == nil && id != "" {
		decoded = basic{id, secret}
	}

	return decoded, plain, nil
}
