package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// digest is a token or code as the floor stores it.
type digest = [sha256.Size]byte

// floorClient is a client of the floor.
type floorClient struct {
	id       string
	secret   digest
	redirect string
	scope    map[string]bool
	key      *ecdsa.PublicKey // verifies its assertions
}

// floorCode is an authorization code.
type floorCode struct {
	client                    *floorClient
	subject, scope, challenge string
	redirect                  string
	expires                   int64
	used                      bool
}

// floorToken is an access or a refresh token.
type floorToken struct {
	client          *floorClient
	subject, scope  string
	issued, expires int64
	refresh, used   bool
}

// floor is a server that does only what the workloads need.
type floor struct {
	signer crypto.Signer // nil: opaque tokens
	alg    string
	cert   *x509.Certificate

	mu      sync.RWMutex
	clients map[string]*floorClient
	codes   map[digest]*floorCode
	tokens  map[digest]*floorToken
	used    map[string]int64 // the expiry of each used assertion, by its ID
}

// newFloor returns the floor.
func newFloor(k *keys, form string) (http.Handler, error) {
	cert, err := x509.ParseCertificate(k.IDPCert)
	if err != nil {
		return nil, err
	}
	f := &floor{
		signer: k.signing(form),
		alg:    form,
		cert:   cert,
		codes:  map[digest]*floorCode{},
		tokens: map[digest]*floorToken{},
		used:   map[string]int64{},
		clients: map[string]*floorClient{clientID: {
			id:       clientID,
			secret:   sha256.Sum256([]byte(secret)),
			redirect: redirectURI,
			scope:    map[string]bool{"read": true, "write": true},
			key:      parseKey(k.Client).Public().(*ecdsa.PublicKey),
		}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", f.token)
	mux.HandleFunc("/authorize", f.authorize)
	mux.HandleFunc("/introspect", f.introspect)
	mux.HandleFunc("/revoke", f.revoke)

	// This endpoint shows the cost of net/http alone.
	mux.HandleFunc("/constant", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(
			[]byte(
				`{"access_token":"mZ0pX1fGv3q8nYtK5cJrW7uLhB2dEsQ9aN4oT6iRkVx","token_type":"Bearer","expires_in":3600}`,
			),
		)
	})
	return mux, nil
}

// client authenticates the client by the Basic header. It answers a failure itself, and
// returns nil.
func (f *floor) client(w http.ResponseWriter, r *http.Request) *floorClient {
	id, pass, _ := r.BasicAuth()
	f.mu.RLock()
	c := f.clients[id]
	f.mu.RUnlock()
	sum := sha256.Sum256([]byte(pass))
	if c == nil || subtle.ConstantTimeCompare(sum[:], c.secret[:]) != 1 {
		fail(w, http.StatusUnauthorized, "invalid_client")
		return nil
	}
	return c
}

// fail answers with an error code.
func fail(w http.ResponseWriter, status int, code string) {
	writeJSON(w, status, map[string]string{"error": code})
}

// writeJSON answers with JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "server_error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// token is the token endpoint.
func (f *floor) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		fail(w, http.StatusBadRequest, "invalid_request")
		return
	}
	now := time.Now()
	if r.PostForm.Get("grant_type") == grantJWT {
		f.jwtBearer(w, r.PostForm, now)
		return
	}
	c := f.client(w, r)
	if c == nil {
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		if scope := r.PostForm.Get("scope"); c.allows(scope) {
			f.issue(w, now, c, c.id, scope, false)
			return
		}
		fail(w, http.StatusBadRequest, "invalid_scope")
	case "authorization_code":
		f.code(w, c, r.PostForm, now)
	case "refresh_token":
		f.refresh(w, c, r.PostForm, now)
	case "password":
		if scope := r.PostForm.Get(
			"scope",
		); c.allows(scope) && r.PostForm.Get("username") == user &&
			r.PostForm.Get("password") == password {
			f.issue(w, now, c, user, scope, true)
			return
		}
		fail(w, http.StatusBadRequest, "invalid_grant")
	case grantSAML:
		f.samlBearer(w, c, r.PostForm, now)
	default:
		fail(w, http.StatusBadRequest, "unsupported_grant_type")
	}
}

// allows reports whether the client may have a scope.
func (c *floorClient) allows(scope string) bool {
	for s := range strings.SplitSeq(scope, " ") {
		if !c.scope[s] {
			return false
		}
	}
	return true
}

// random returns a new opaque token.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// tokenAnswer is the answer of the token endpoint.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

// issue makes tokens, stores their digests and answers.
func (f *floor) issue(
	w http.ResponseWriter,
	now time.Time,
	c *floorClient,
	subject, scope string,
	refresh bool,
) {
	t := &floorToken{
		client:  c,
		subject: subject,
		scope:   scope,
		issued:  now.Unix(),
		expires: now.Add(lifetime).Unix(),
	}
	a := tokenAnswer{
		TokenType: "Bearer",
		ExpiresIn: int64(lifetime / time.Second),
		Scope:     scope,
	}
	if f.signer == nil {
		a.AccessToken = random()
	} else {
		var err error
		if a.AccessToken, err = f.sign(t); err != nil {
			fail(w, http.StatusInternalServerError, "server_error")
			return
		}
	}
	sum := sha256.Sum256([]byte(a.AccessToken))
	var kept *floorToken
	var rsum digest
	if refresh {
		a.RefreshToken = random()
		rsum = sha256.Sum256([]byte(a.RefreshToken))
		kept = &floorToken{
			client:  c,
			subject: subject,
			scope:   scope,
			issued:  now.Unix(),
			expires: now.Add(720 * lifetime).Unix(),
			refresh: true,
		}
	}
	f.mu.Lock()
	f.tokens[sum] = t
	if kept != nil {
		f.tokens[rsum] = kept
	}
	f.mu.Unlock()
	writeJSON(w, http.StatusOK, a)
}

// authorize is the authorization endpoint. The user is always the same and approves.
func (f *floor) authorize(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	f.mu.RLock()
	c := f.clients[q.Get("client_id")]
	f.mu.RUnlock()
	if err != nil || c == nil || q.Get("redirect_uri") != c.redirect {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	scope := q.Get("scope")
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" ||
		len(q.Get("code_challenge")) != 43 ||
		!c.allows(scope) {
		http.Redirect(
			w,
			r,
			c.redirect+"?error=invalid_request&state="+url.QueryEscape(q.Get("state")),
			http.StatusFound,
		)
		return
	}
	code := random()
	sum := sha256.Sum256([]byte(code))
	f.mu.Lock()
	f.codes[sum] = &floorCode{
		client:    c,
		subject:   user,
		scope:     scope,
		challenge: q.Get("code_challenge"),
		redirect:  c.redirect,
		expires:   time.Now().Add(time.Minute).Unix(),
	}
	f.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", c.redirect+"?code="+code+"&state="+url.QueryEscape(q.Get("state")))
	w.WriteHeader(http.StatusFound)
}

// code redeems an authorization code once, with its verifier.
func (f *floor) code(w http.ResponseWriter, c *floorClient, form url.Values, now time.Time) {
	sum := sha256.Sum256([]byte(form.Get("code")))
	f.mu.Lock()
	code := f.codes[sum]
	ok := code != nil && !code.used
	if ok {
		code.used = true
	}
	f.mu.Unlock()
	if !ok || code.client != c || now.Unix() >= code.expires ||
		form.Get("redirect_uri") != code.redirect {
		fail(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	v := sha256.Sum256([]byte(form.Get("code_verifier")))
	if subtle.ConstantTimeCompare(
		[]byte(base64.RawURLEncoding.EncodeToString(v[:])),
		[]byte(code.challenge),
	) != 1 {
		fail(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	f.issue(w, now, c, code.subject, code.scope, true)
}

// refresh redeems a refresh token once.
func (f *floor) refresh(w http.ResponseWriter, c *floorClient, form url.Values, now time.Time) {
	sum := sha256.Sum256([]byte(form.Get("refresh_token")))
	f.mu.Lock()
	t := f.tokens[sum]
	ok := t != nil && t.refresh && !t.used && t.client == c && now.Unix() < t.expires
	if ok {
		t.used = true
	}
	f.mu.Unlock()
	if !ok {
		fail(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	f.issue(w, now, c, t.subject, t.scope, true)
}

// introspectAnswer is the answer of the introspection endpoint.
type introspectAnswer struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Subject   string `json:"sub,omitempty"`
	Issuer    string `json:"iss,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	ExpiresAt int64  `json:"exp,omitempty"`
	IssuedAt  int64  `json:"iat,omitempty"`
}

// introspect is the introspection endpoint.
func (f *floor) introspect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		fail(w, http.StatusBadRequest, "invalid_request")
		return
	}
	c := f.client(w, r)
	if c == nil {
		return
	}
	sum := sha256.Sum256([]byte(r.PostForm.Get("token")))
	f.mu.RLock()
	t := f.tokens[sum]
	live := t != nil && !t.used && t.client == c && time.Now().Unix() < t.expires
	f.mu.RUnlock()
	if !live {
		writeJSON(w, http.StatusOK, introspectAnswer{})
		return
	}
	writeJSON(w, http.StatusOK, introspectAnswer{
		Active:    true,
		Scope:     t.scope,
		ClientID:  t.client.id,
		Subject:   t.subject,
		Issuer:    issuer,
		TokenType: "Bearer",
		ExpiresAt: t.expires,
		IssuedAt:  t.issued,
	})
}

// revoke is the revocation endpoint.
func (f *floor) revoke(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		fail(w, http.StatusBadRequest, "invalid_request")
		return
	}
	c := f.client(w, r)
	if c == nil {
		return
	}
	sum := sha256.Sum256([]byte(r.PostForm.Get("token")))
	f.mu.Lock()
	if t := f.tokens[sum]; t != nil && t.client == c {
		t.used = true
	}
	f.mu.Unlock()
	w.WriteHeader(http.StatusOK)
}
