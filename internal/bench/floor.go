package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"sync"
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

// floorCode is an authorization code. Times are Unix seconds.
type floorCode struct {
	client    *floorClient
	subject   string
	scope     string
	challenge string
	redirect  string
	expires   int64
	used      bool
}

// floorToken is an access token or a refresh token. Times are Unix seconds.
type floorToken struct {
	client  *floorClient
	subject string
	scope   string
	issued  int64
	expires int64
	refresh bool
	used    bool
}

// floor is a server that does only what the workloads need.
type floor struct {
	// signer signs access tokens with the algorithm alg. If nil, they are opaque.
	signer crypto.Signer
	alg    string

	// cert is the certificate of the identity provider.
	cert *x509.Certificate

	// mu protects the maps and what they point to.
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
		_, _ = io.WriteString(w, constantAnswer)
	})
	return mux, nil
}

// constantAnswer has the length of an answer with an opaque token.
const constantAnswer = `{"access_token":"mZ0pX1fGv3q8nYtK5cJrW7uLhB2dEsQ9aN4oT6iRkVx",` +
	`"token_type":"Bearer","expires_in":3600}`

// client authenticates the client by the Basic header. It answers a failure itself, and
// returns nil.
func (f *floor) client(w http.ResponseWriter, r *http.Request) *floorClient {
	id, pass, _ := r.BasicAuth()
	f.mu.RLock()
	c := f.clients[id]
	f.mu.RUnlock()

	// The digest of a generated secret needs no slow hash.
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
