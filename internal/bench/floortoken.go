package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// token is the token endpoint.
func (f *floor) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		fail(w, http.StatusBadRequest, "invalid_request")
		return
	}
	now := time.Now()

	// The assertion authenticates the client, so that no Basic header is needed.
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
		f.password(w, c, r.PostForm, now)
	case grantSAML:
		f.samlBearer(w, c, r.PostForm, now)
	default:
		fail(w, http.StatusBadRequest, "unsupported_grant_type")
	}
}

// password issues tokens to the one user.
func (f *floor) password(w http.ResponseWriter, c *floorClient, form url.Values, now time.Time) {
	known := form.Get("username") == user && form.Get("password") == password
	if scope := form.Get("scope"); known && c.allows(scope) {
		f.issue(w, now, c, user, scope, true)
		return
	}
	fail(w, http.StatusBadRequest, "invalid_grant")
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
	// crypto/rand never fails.
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

	// The refresh token lives 30 days.
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

	// Only the writes to the map need the lock.
	f.mu.Lock()
	f.tokens[sum] = t
	if kept != nil {
		f.tokens[rsum] = kept
	}
	f.mu.Unlock()
	writeJSON(w, http.StatusOK, a)
}

// code redeems an authorization code once, with its verifier.
func (f *floor) code(w http.ResponseWriter, c *floorClient, form url.Values, now time.Time) {
	sum := sha256.Sum256([]byte(form.Get("code")))

	// A code is used up by each attempt, also by one that fails below.
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

	// The verifier must match the challenge (RFC 7636 section 4.6).
	v := sha256.Sum256([]byte(form.Get("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(v[:])
	if subtle.ConstantTimeCompare([]byte(challenge), []byte(code.challenge)) != 1 {
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
