package grantwell_test

import (
	"encoding/base64"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grantwell/grantwell/storage"
)

// opinionChallenge is the code challenge of RFC 7636 appendix B.
const opinionChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

// newOpinionClients are clients of several shapes. Some could not be registered
// here: their requests must be refused all the same, because a store may hold what
// was written to it in some other way.
func newOpinionClients() opinionClients {
	list := []storage.Client{
		{
			ID:           "web",
			RedirectURIs: []string{"https://app.example/cb"},
			Scope:        []string{"read", "write", "openid"},
			Audience:     []string{"https://api.example/", "urn:files"},
		},
		{
			ID:           "several",
			RedirectURIs: []string{"https://app.example/a", "https://app.example/a?x=1", "https://app.example:8443/b"},
			Scope:        []string{"read", "files.*"},
			DefaultScope: []string{"read"},
			RequirePKCE:  true,
		},
		{
			ID:         "native",
			AuthMethod: storage.AuthNone,
			RedirectURIs: []string{
				"http://127.0.0.1/cb", "http://[::1]:8080/cb?x=1", "com.example.app:/cb",
				"https://127.0.0.1/secure", "http://127.0.0.9/other",
			},
			Scope:        []string{"read", "openid"},
			DefaultScope: []string{"read"},
		},
		{
			ID:            "browser",
			AuthMethod:    storage.AuthNone,
			GrantTypes:    []string{"authorization_code", "implicit"},
			ResponseTypes: []string{"code", "token", "token code"},
			RedirectURIs:  []string{"https://spa.example/"},
			Scope:         []string{"read", "OpenID"},
			DefaultScope:  []string{"read"},
			Audience:      []string{"urn:files"},
		},
		{
			ID:            "separate", // both grants, and no response type that combines them
			GrantTypes:    []string{"authorization_code", "implicit"},
			ResponseTypes: []string{"token"},
			RedirectURIs:  []string{"https://separate.example/cb"},
			Scope:         []string{"read"},
			DefaultScope:  []string{"read"},
		},
		{
			ID:           "off",
			Disabled:     true,
			RedirectURIs: []string{"https://off.example/cb"},
			Scope:        []string{"read"},
		},
		{
			ID:            "grantless",
			GrantTypes:    []string{"client_credentials"},
			ResponseTypes: []string{"code", "token"},
			RedirectURIs:  []string{"https://machine.example/cb"},
			Scope:         []string{"read"},
		},
		{
			ID:           "written",
			RedirectURIs: []string{"javascript:alert(1)", "https://written.example/cb", "https://written.example/cb#f"},
			Scope:        []string{"read", `a"b`},
			DefaultScope: []string{"read"},
			Audience:     []string{"not a URI", "urn:files"},
		},
	}
	clients := make(opinionClients)
	for _, c := range list {
		clients[c.ID] = c
	}
	return clients
}

// opinionUsual are the clients of most requests: those that may be given a code.
var opinionUsual = []string{"web", "several", "native", "browser", "separate", "written"}

// opinionWords are values that the generator tries for each parameter, whatever the
// client is registered for.
var opinionWords = map[string][]string{
	"client_id": {
		"web", "several", "native", "browser", "separate", "off", "grantless", "written", "nobody",
		"w\x00b", "wéb",
	},
	"redirect_uri": {
		"https://app.example/cb", "https://app.example/cb/", "https://app.example/a",
		"https://app.example/a?x=1", "https://app.example/a?x=2", "https://app.example/cb#f",
		"https://app.example@evil.example/cb", "https://evil.example/", "//app.example/cb", "/cb",
		"javascript:alert(1)", "http://127.0.0.1/cb", "http://127.0.0.1:4711/cb",
		"http://127.0.0.1:0/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.1:4711/%63b",
		"http://u:p@127.0.0.1:4711/cb", "http://[::1]/cb?x=1", "http://[::1]:9/cb?x=1",
		"http://[::1]:9/cb", "com.example.app:/cb", "com.example.app:/other",
		"http://127.0.0.1:4711/secure", "http://127.0.0.9:4711/other", "http://localhost/cb",
		"https://written.example/cb#f",
	},
	"response_type": {
		"code", "token", "code token", "token code", "code  token", "id_token", "code id_token",
		"none", "CODE", "Token", "code code", "code\ttoken",
	},
	"response_mode": {"query", "fragment", "form_post", "Query", "query.jwt", "jwt", "web_message"},
	"scope": {
		"read", "write", "read write", "openid", "read openid", "OPENID", "OpenID read", "READ",
		"admin", "read admin", "files.*", "files.read", "*", `a"b`, "read\twrite", "é",
		strings.Repeat("read ", 101), strings.Repeat("read ", 500),
	},
	"state": {
		"xyzzy", "12345678", "1234567", "a+b&c=%2Fü", "line\r\nbreak-in-state", "semi;colon;state",
	},
	"audience": {
		"urn:files", "https://api.example/", "urn:files https://api.example/", "URN:FILES",
		"other", "https://api.example/../admin", "not a URI",
	},
	"resource": {
		"urn:files", "https://api.example/", "https://other.example/", "https://api.example/#f",
		"files", "not a URI",
	},
	"registration": {"{}", `{"redirect_uris":["https://evil.example/"]}`},
	"request": {
		"garbage", opinionObject(`{"state":"changed-by-the-object"}`),
		opinionObject(`{"redirect_uri":"https://evil.example/"}`),
	},
	"request_uri":           {"https://evil.example/object", "urn:ietf:params:oauth:request_uri:x", "x"},
	"code_challenge":        {opinionChallenge, "x", opinionChallenge + "=", strings.Repeat("a", 129)},
	"code_challenge_method": {"S256", "plain", "s256", "S512"},
	"nonce":                 {"n", "0123456789"},
	"prompt":                {"login", "none", "none login", "consent login"},
	"max_age":               {"0", "600", "-1", "soon"},
	"unknown":               {"x", "https://evil.example/"},
	"claims":                {"{}"},
	"display":               {"page"},
}

// opinionObject is a request object that is not signed.
func opinionObject(claims string) string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + enc.EncodeToString([]byte(claims)) + "."
}

// opinionPair is a parameter. raw: its text is sent as it is.
type opinionPair struct {
	name, value string
	raw         bool
}

// opinionGenerator makes requests that are valid but for a few changes. Its results
// follow from the seed alone.
type opinionGenerator struct {
	rand  *rand.Rand
	names []string
}

func newOpinionGenerator(seed uint64) *opinionGenerator {
	return &opinionGenerator{
		rand:  rand.New(rand.NewPCG(seed, 0)),
		names: slices.Sorted(maps.Keys(opinionWords)),
	}
}

func (g *opinionGenerator) oneIn(n int) bool { return g.rand.IntN(n) == 0 }

func opinionPick[T any](g *opinionGenerator, list []T) T { return list[g.rand.IntN(len(list))] }

// request makes one request of one of the clients.
func (g *opinionGenerator) request(clients opinionClients) opinionRequest {
	client := clients[opinionPick(g, opinionUsual)]
	if g.oneIn(10) {
		client = clients[opinionPick(g, opinionWords["client_id"][:len(clients)])]
	}
	pairs := g.valid(client)
	for range g.rand.IntN(5) {
		pairs = g.changed(pairs)
	}
	g.rand.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	text := encodeOpinion(pairs)
	const boundary = "b0undary"
	switch n := g.rand.IntN(200); {
	case n < 1:
		return opinionRequest{method: http.MethodPut, query: text}
	case n < 5:
		return opinionRequest{
			method:      http.MethodPost,
			query:       text,
			body:        "--" + boundary + "--\r\n",
			contentType: "multipart/form-data; boundary=" + boundary,
		}
	case n < 9:
		return opinionRequest{method: http.MethodPost, query: text}
	case n < 19:
		more := encodeOpinion(g.changed(nil))
		return opinionRequest{method: http.MethodPost, body: text, query: more}
	case n < 60:
		return opinionRequest{method: http.MethodPost, body: text}
	default:
		return opinionRequest{method: http.MethodGet, query: text}
	}
}

// valid makes the parameters of a request that this client may send, with and
// without what is optional.
func (g *opinionGenerator) valid(c storage.Client) []opinionPair {
	pairs := []opinionPair{{name: "client_id", value: c.ID}}
	add := func(name, value string) { pairs = append(pairs, opinionPair{name: name, value: value}) }
	add("redirect_uri", opinionPick(g, c.RedirectURIs))
	response := "code"
	if len(c.ResponseTypes) > 0 {
		response = opinionPick(g, c.ResponseTypes)
	}
	add("response_type", response)
	if !g.oneIn(4) {
		add("scope", opinionPick(g, c.Scope))
	}
	if !g.oneIn(10) {
		add("state", "0123456789abcdef")
	}
	if c.Public() || c.RequirePKCE || g.oneIn(2) {
		add("code_challenge", opinionChallenge)
		add("code_challenge_method", "S256")
	}
	if len(c.Audience) > 0 && g.oneIn(3) {
		add(opinionPick(g, []string{"audience", "resource"}), opinionPick(g, c.Audience))
	}
	if len(c.Audience) > 1 && g.oneIn(20) {
		add("audience", strings.Join(c.Audience, " "))
		add("audience", opinionPick(g, c.Audience))
	}
	// fosite reads the second one as one name.
	if c.ID == "written" && g.oneIn(50) {
		add("audience", "")
		add("audience", "not a URI")
	}
	if g.oneIn(8) {
		add("response_mode", opinionPick(g, []string{"query", "fragment", "form_post"}))
	}
	return pairs
}

// changed adds, removes or spoils one parameter.
func (g *opinionGenerator) changed(pairs []opinionPair) []opinionPair {
	name := opinionPick(g, g.names)
	word := opinionPair{name: name, value: opinionPick(g, opinionWords[name])}
	at := slices.IndexFunc(pairs, func(p opinionPair) bool { return p.name == name })
	if at < 0 {
		return append(pairs, word)
	}
	p := &pairs[at]
	switch g.rand.IntN(13) {
	case 0, 1:
		return slices.Delete(pairs, at, at+1)
	case 2:
		p.value = ""
	case 3:
		p.value = strings.ToUpper(p.value)
	case 4:
		p.name = strings.ToUpper(p.name)
	case 5:
		p.value = " " + strings.ReplaceAll(p.value, " ", "  ") + " "
	case 6:
		p.value += " " + word.value
	case 7:
		return append(pairs, *p)
	case 8:
		return append(pairs, word)
	case 9:
		return append(pairs, opinionPair{name: name})
	case 10:
		p.value = url.QueryEscape(p.value) + opinionPick(g, []string{"%zz", "%00", "%ff", ";x=1", "%20"})
		p.raw = true
	default:
		*p = word
	}
	return pairs
}

func encodeOpinion(pairs []opinionPair) string {
	text := make([]string, 0, len(pairs))
	for _, p := range pairs {
		value := p.value
		if !p.raw {
			value = url.QueryEscape(value)
		}
		text = append(text, url.QueryEscape(p.name)+"="+value)
	}
	return strings.Join(text, "&")
}
