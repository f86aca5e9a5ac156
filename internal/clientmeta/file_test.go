package clientmeta_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

func readFile(text string) ([]storage.Client, error) {
	return clientmeta.ReadFile(strings.NewReader(text), clientmeta.FileOptions{})
}

// one returns a file of one machine client with these members.
func one(members string) string {
	return `[{"client_id":"m","grant_types":["client_credentials"],` + members + `}]`
}

// Every member of a client is read, in the types of RFC 7591.
func TestReadFile_ObeysEveryMember(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Millisecond)
	clients, err := readFile(`[{
		"client_id": "web",
		"client_secret": "` + secret + `",
		"redirect_uris": ["https://app.example/cb"],
		"scope": "read write",
		"default_scope": "read",
		"access_token_lifetime": 600,
		"code_lifetime": 30.5,
		"metadata": {"K": "1", "k": "2"}
	}, {
		"client_id": "resource",
		"client_secret": "` + secret + `",
		"grant_types": []
	}, {
		"client_id": "signer",
		"token_endpoint_auth_method": "private_key_jwt",
		"token_endpoint_auth_signing_alg": "RS256",
		"jwks": {"keys": []},
		"lenient_assertions": true,
		"grant_types": ["client_credentials"],
		"created_at": "2020-01-01T00:00:00Z"
	}]`)
	require.NoError(t, err)
	require.Len(t, clients, 3)

	web := clients[0]
	require.Equal(t, []storage.Secret{chosen(secret)}, web.Secrets)
	require.Equal(t, []string{"read", "write"}, web.Scope)
	require.Equal(t, 10*time.Minute, web.AccessTokenLifetime)
	require.Equal(t, 30500*time.Millisecond, web.CodeLifetime)
	require.Equal(t, map[string]string{"K": "1", "k": "2"}, web.Metadata)
	require.False(t, web.CreatedAt.Before(before))
	require.True(t, web.AllowsGrant("authorization_code"))

	require.False(t, clients[1].AllowsGrant("authorization_code"))
	require.Equal(t, "RS256", clients[2].AuthSigningAlg)
	require.True(t, clients[2].LenientAssertions)
	require.Equal(t, 2020, clients[2].CreatedAt.Year())
}

// chosen is what is stored of a secret that a person may have chosen.
func chosen(secret string) storage.Secret {
	stored := storage.HashSecret(secret)
	stored.Chosen = true

	return stored
}

// A plain secret is stored in the form that the method needs: a hash of what
// the client sends, and the key of what it signs with.
func TestReadFile_StoresSecretsByMethod(t *testing.T) {
	t.Parallel()
	hash := storage.HashSecret(secret).Hash
	random, _ := clientmeta.NewSecret()
	for members, want := range map[string]storage.Client{
		`"client_secret":"` + secret + `"`:                                                                {Secrets: []storage.Secret{chosen(secret)}},
		`"client_secret":"` + random + `"`:                                                                {Secrets: []storage.Secret{storage.HashSecret(random)}},
		`"client_secret":"` + strings.Repeat("ab", 30) + `"`:                                              {Secrets: []storage.Secret{chosen(strings.Repeat("ab", 30))}},
		`"client_secret":"` + random[:40] + `"`:                                                           {Secrets: []storage.Secret{chosen(random[:40])}},
		`"client_secret":"` + secret + `","token_endpoint_auth_method":"client_secret_post"`:              {Secrets: []storage.Secret{chosen(secret)}},
		`"client_secret_hash":"` + hash + `"`:                                                             {Secrets: []storage.Secret{{Hash: hash}}},
		`"secrets":[{"hash":"` + hash + `"}]`:                                                             {Secrets: []storage.Secret{{Hash: hash}}},
		`"client_secret":"` + secret + `","token_endpoint_auth_method":"client_secret_jwt"`:               {SharedKey: []byte(secret)},
		`"token_endpoint_auth_method":"private_key_jwt","jwks":{},"client_secret":""`:                     {},
		`"token_endpoint_auth_method":"tls_client_auth","client_secret":null`:                             {},
		`"token_endpoint_auth_method":"client_secret_jwt","shared_key":"` + strings.Repeat("A", 44) + `"`: {SharedKey: make([]byte, 33)},
	} {
		clients, err := readFile(one(members))
		require.NoError(t, err, members)
		require.Equal(t, want.Secrets, clients[0].Secrets, members)
		require.Equal(t, want.SharedKey, clients[0].SharedKey, members)
	}
}

// An error names the client and the member, and has no secret in it.
func TestReadFile_NamesClientAndMember(t *testing.T) {
	t.Parallel()
	method := `,"token_endpoint_auth_method":"`
	for members, want := range map[string]string{
		`"client_name":"no secret"`:                                             `"m": client_secret: is missing`,
		`"client_secret":"fifteen letters"`:                                     `"m": client_secret: has fewer than 16 characters`,
		`"client_secret":"` + strings.Repeat("x", 513) + `"`:                    `"m": client_secret: has more than 512 bytes`,
		`"client_secret":1`:                                                     `"m": client_secret: is not a string`,
		`"client_secret":"` + secret + `","client_secret_hash":"x"`:             `"m": client_secret_hash: is exclusive`,
		`"client_secret":"` + secret + `","secrets":[{"hash":"x"}]`:             `"m": client_secret: is exclusive`,
		`"client_secret_hash":"` + secret + `"`:                                 `"m": client_secret_hash: `,
		`"client_secret_hash":"$2a$04$abc"`:                                     `"m": client_secret_hash: secrethash: a bcrypt hash is malformed`,
		`"client_secret":"` + secret + `"` + method + `private_key_jwt"`:        `"m": client_secret: a client of the method private_key_jwt has none`,
		`"client_secret":"` + secret[:20] + `"` + method + `client_secret_jwt"`: `"m": client_secret: client_secret_jwt needs 32`,
		`"client_secret_hash":"` + secret + `"` + method + `client_secret_jwt"`: `"m": client_secret_hash: `,
		`"client_name":"no key"` + method + `client_secret_jwt"`:                `"m": client_secret: is missing`,
		`"client_secret":"` + secret + `","scope":["a"]`:                        `"m": scope: is array`,
		`"client_secret":"` + secret + `","redirect_uri":"x"`:                   `"m": "redirect_uri": there is no such member`,
		`"client_secret":"` + secret + `","Scope":"admin"`:                      `"m": "Scope"`,
		`"client_secret":"` + secret + `","origins":["*"]`:                      `"m": origins: `,
		`"client_secret":"` + secret + `"` + method + `magic"`:                  `"m": client_secret: a client of the method magic has none`,
	} {
		_, err := readFile(one(members))
		require.ErrorContains(t, err, want, members)
		require.NotContains(t, err.Error(), secret[:20])
	}

	_, err := readFile(`[{"client_secret":"` + secret + `"}]`)
	require.ErrorContains(t, err, "client 1 of the file: client_id: ")
	same := `{"client_id":"m","client_secret":"` + secret + `","grant_types":[]}`
	_, err = readFile(`[` + same + `,` + same + `]`)
	require.ErrorContains(t, err, `"m": the client is in the file twice`)
}

// A file that names settings of another server is read if the caller says so.
func TestReadFile_IgnoresUnknownMembersIfAsked(t *testing.T) {
	t.Parallel()
	text := one(`"client_secret":"` + secret + `","scope":"read","Scope":"admin","software_id":"x","future":{"a":[1]}`)
	_, err := readFile(text)
	require.Error(t, err)

	clients, err := clientmeta.ReadFile(strings.NewReader(text), clientmeta.FileOptions{IgnoreUnknown: true})
	require.NoError(t, err)
	require.Equal(t, []string{"read"}, clients[0].Scope)

	twice := one(`"client_secret":"` + secret + `","future":1,"future":2`)
	_, err = clientmeta.ReadFile(strings.NewReader(twice), clientmeta.FileOptions{IgnoreUnknown: true})
	require.Error(t, err, "readers differ about which of two members counts")
}

// A file is bounded, and is one JSON array.
func TestReadFile_IsBounded(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":        "",
		"null":         "null",
		"an object":    `{"client_id":"a"}`,
		"numbers":      `[1]`,
		"text behind":  `[] []`,
		"not UTF-8":    "[{\"client_id\":\"\xff\"}]",
		"deep":         strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		"too long":     "[" + strings.Repeat(" ", clientmeta.MaxFile) + "]",
		"too many":     "[" + strings.Repeat("{},", 10_000) + "{}]",
		"null inside":  "[null]",
		"a name twice": `[{"client_id":"a","client\u005fid":"b"}]`,
	} {
		_, err := readFile(text)
		require.Error(t, err, name)
	}
	clients, err := readFile(" [ ] ")
	require.NoError(t, err)
	require.Empty(t, clients)

	broken := errors.New("disk")
	_, err = clientmeta.ReadFile(iotest.ErrReader(broken), clientmeta.FileOptions{})
	require.ErrorIs(t, err, broken)
}

// Whatever a file holds, its clients can be stored or it is refused.
func FuzzReadFile(f *testing.F) {
	f.Add(one(`"client_secret":"`+secret+`","future":1`), true)
	f.Add(one(fmt.Sprintf(`"client_secret_hash":%q`, storage.HashSecret(secret).Hash)), false)
	f.Add(`[{"client_id":"a","grant_types":[],"token_endpoint_auth_method":"none"}]`, false)
	f.Fuzz(func(t *testing.T, text string, lenient bool) {
		clients, err := clientmeta.ReadFile(io.LimitReader(strings.NewReader(text), 1<<16), clientmeta.FileOptions{IgnoreUnknown: lenient})
		if err != nil {
			return
		}
		for i := range clients {
			require.NoError(t, clients[i].Validate())
		}
	})
}
