// Package transcript lists the client programs and masks what differs in their output
// from run to run, so that tests can compare it with a file.
package transcript

import (
	"regexp"
	"strings"

	"github.com/grantwell/grantwell/examples/internal/demo"
)

// Program is a client program that goes through a flow without a user.
type Program struct {
	Golden string // testdata/Golden.golden has its output
	Name   string // of the directory below examples
	Args   []string
}

// Programs are all client programs, at least one for each flow.
var Programs = []Program{
	{"authorizationcode", "authorizationcode", []string{"-user", "johndoe"}},
	{"authorizationcode-public", "authorizationcode", []string{"-user", "johndoe", "-client", demo.Public}},
	{"authorizationcode-par", "authorizationcode", []string{"-user", "johndoe", "-par"}},
	{"authorizationcode-public-par", "authorizationcode", []string{"-user", "johndoe", "-par", "-client", demo.Public}},
	{"implicit", "implicit", []string{"-user", "johndoe"}},
	{"password", "password", nil},
	{"clientcredentials", "clientcredentials", nil},
	{"refresh", "refresh", nil},
	{"revoke", "revoke", nil},
	{"tokeninfo", "tokeninfo", nil},
	{"jwtbearer", "jwtbearer", nil},
	{"samlbearer", "samlbearer", nil},
	{"privatekeyjwt", "privatekeyjwt", nil},
}

// masks replace what differs from run to run.
var masks = []struct {
	find *regexp.Regexp
	put  string
}{
	{regexp.MustCompile(`(?m)^((?:access|refresh) token(?: sent)?: *) \S+$`), "$1 TOKEN"},
	{regexp.MustCompile(`(?m)^(expires in: *) (?:3600|35[0-9]{2}|[0-9]{2}|1[0-2][0-9]) s$`), "$1 N s"},
	{regexp.MustCompile(`(code_challenge|state)=[A-Za-z0-9_-]{26,43}`), "$1=RANDOM"},
	{regexp.MustCompile(`(request_uri=[^&\s]*%3A)[A-Za-z0-9_-]{22,}`), "${1}RANDOM"},
	{regexp.MustCompile(`127\.0\.0\.1%3A\d+`), "127.0.0.1%3APORT"},
}

// Mask replaces the server's URL, tokens, random values and ports by fixed words.
func Mask(output, issuer string) string {
	text := strings.ReplaceAll(output, issuer, "SERVER")
	for _, m := range masks {
		text = m.find.ReplaceAllString(text, m.put)
	}

	return text
}
