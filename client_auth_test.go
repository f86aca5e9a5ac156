package grantwell_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/grantwell/grantwell"
	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/grants/limit"
	"github.com/grantwell/grantwell/internal/servertest"
	"github.com/grantwell/grantwell/storage"
)

// cc is the body of a client credentials request.
const cc = "grant_type=client_credentials"

// A client authenticates by its registered method only, with one set of
// credentials, in the place that the method names.
//
// Holds: RFC 6749 section 2.1; RFC 6749 section 2.3; RFC 6749 section 2.3.1;
// RFC 6749 section 3.2.1; RFC 6749 section 4.4; RFC 6749 section 5.2;
// RFC 6749 section 6; RFC 7591 section 2; RFC 9700 section 2.4.
func TestClientAuth_OnlyTheRegisteredMethod(t *testing.T) {
	t.Parallel()
	const body = "&client_secret=" + servertest.Secret
	for _, tt := range []struct {
		name, as, body string
		status         int
		code           string
	}{
		{"basic", servertest.Conf, cc, 200, ""},
		{"basic and its own client_id", servertest.Conf, cc + "&client_id=conf", 200, ""},
		{"body", "", cc + "&client_id=post" + body, 200, ""},
		{"both", servertest.Conf, cc + "&client_id=conf" + body, 400, "invalid_request"},
		{"both, for the client by body", "post:" + servertest.Secret, cc + "&client_id=post" + body,
			400, "invalid_request"},
		{"both, the second wrong", servertest.Conf, cc + "&client_id=other&client_secret=wrong",
			400, "invalid_request"},
		{"another client_id", servertest.Conf, cc + "&client_id=other", 400, "invalid_request"},
		{"basic, registered for body", "post:" + servertest.Secret, cc, 401, "invalid_client"},
		{"body, registered for basic", "", cc + "&client_id=conf" + body, 401, "invalid_client"},
		{"body without client_id", "", cc + body, 401, "invalid_client"},
		{"wrong by body", "", cc + "&client_id=post&client_secret=wrong", 401, "invalid_client"},
		{"no secret", "", cc + "&client_id=conf", 401, "invalid_client"},
		{"no secret by body", "", cc + "&client_id=post", 401, "invalid_client"},
		{"empty secret by body", "", cc + "&client_id=post&client_secret=", 401, "invalid_client"},
		{"empty Basic secret", "conf:", cc, 401, "invalid_client"},
		{"empty Basic secret and client_id", "conf:", cc + "&client_id=conf", 401,
			"invalid_client"},
		{"a public client by empty Basic secret", "public:",
			"grant_type=password&username=johndoe&password=A3ddj3w", 401, "invalid_client"},
		{"a public client with a secret", "public:" + servertest.Secret,
			"grant_type=password&username=johndoe&password=A3ddj3w", 401, "invalid_client"},
		{"a public client with a secret by body", "",
			"grant_type=password&username=johndoe&password=A3ddj3w&client_id=public" + body, 401,
			"invalid_client"},
		{"a public client",
			"", "grant_type=password&username=johndoe&password=A3ddj3w&client_id=public", 200, ""},
		{"a public client for itself", "", cc + "&client_id=public", 400, "unauthorized_client"},
		{"a stored hash as secret", "conf:" + storage.HashSecret(servertest.Secret).Hash, cc, 401,
			"invalid_client"},
		{"case of the ID", "CONF:" + servertest.Secret, cc, 401, "invalid_client"},
		{"a longer secret", servertest.Conf + "x", cc, 401, "invalid_client"},
		{"a shorter secret", servertest.Conf[:len(servertest.Conf)-1], cc, 401, "invalid_client"},
		{"disabled", "off:" + servertest.Secret, cc, 401, "invalid_client"},
		{"not registered for the grant", "codes:" + servertest.Secret, cc, 400,
			"unauthorized_client"},
		{"not registered for password", "codes:" + servertest.Secret,
			"grant_type=password&username=johndoe&password=A3ddj3w", 400, "unauthorized_client"},
		{"not registered for refresh", "codes:" + servertest.Secret,
			"grant_type=refresh_token&refresh_token=x", 400, "unauthorized_client"},
		{"refresh without a secret", "", "grant_type=refresh_token&refresh_token=x&client_id=conf",
			401, "invalid_client"},
		{"code without a secret", "", "grant_type=authorization_code&code=x&client_id=conf", 401,
			"invalid_client"},
		{"code without anything", "", "grant_type=authorization_code&code=x", 401,
			"invalid_client"},
		{"assertion without type", "", cc + "&client_id=conf&client_assertion=a.b.c", 401,
			"invalid_client"},
		{"assertion of unknown type", "",
			cc + "&client_id=conf&client_assertion=a.b.c&client_assertion_type=magic", 401,
			"invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := servertest.New(t, nil)
			l.AddClient("conf", func(c *storage.Client) { c.ID, c.Disabled = "off", true })
			l.AddClient("conf", func(c *storage.Client) { c.ID, c.GrantTypes = "codes", nil })
			res := l.Do(servertest.Request("/token", tt.as, tt.body))
			if tt.status == 200 {
				require.Equal(t, 200, res.Status, res.Body)
				return
			}
			res.Fails(t, tt.status, tt.code)
			require.Empty(t, l.Records(storage.Query{}))
		})
	}
}

// The ID and the secret of HTTP Basic are form-decoded once, each by itself
// (RFC 6749 section 2.3.1).
//
// Holds: RFC 6749 section 2.3.1.
func TestClientAuth_BasicIsDecodedOnce(t *testing.T) {
	t.Parallel()
	const id, pass = "a:b c+d%41&=", "p:w +%25&=ü€\U0001F511"
	l := servertest.New(t, nil)
	l.AddClient("conf", func(c *storage.Client) {
		c.ID = id
		c.Secrets = []storage.Secret{storage.HashSecret(pass)}
	})
	for header, status := range map[string]int{
		"a%3Ab+c%2Bd%2541%26%3D:p%3Aw+%2B%2525%26%3D%C3%BC%E2%82%AC%F0%9F%94%91":    200,
		"a%3ab%20c%2bd%2541%26%3d:p:w%20%2b%2525&=%c3%bc%e2%82%ac%f0%9f%94%91":      200,
		"a%253Ab+c%252Bd%252541%2526%253D:p%253Aw+%252B%252525%2526%253D%25C3%25BC": 401,
		"a%3Ab+c%2Bd%2541%26%3D:p%3Aw+%2B%25%26%3D%C3%BC%E2%82%AC%F0%9F%94%91":      401,
		"a:b+c%2Bd%2541%26%3D:p%3Aw+%2B%2525%26%3D%C3%BC%E2%82%AC%F0%9F%94%91":      401,
	} {
		req := servertest.Request("/token", "", cc)
		req.Header.Set("Authorization", "bAsIc "+base64.StdEncoding.EncodeToString([]byte(header)))
		require.Equal(t, status, l.Do(req).Status, header)
	}
}

// A malformed Authorization header is refused like wrong credentials.
//
// Holds: house: malformed header.
func TestClientAuth_MalformedHeaderIsRefused(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	good := base64.StdEncoding.EncodeToString([]byte(servertest.Conf))
	b64 := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, h := range []string{"", " ", "Basic", "Basic ", "Basic\t" + good, "Basic  " + good,
		" Basic " + good, "Basic " + good + " ", "Basic " + good + "\n", "Basic " + good + "\r",
		"Basic " + good[:4] + "\r" + good[4:],
		"Basic " + strings.TrimRight(good, "=")[:len(good)-3], "Basic =", "Basic " + good + "=",
		"Basic !!!!", "Basic " + good + "," + good, "Basic realm=x", "Bearer " + good,
		"Digest username=conf", "DPoP x", "BasicBasic " + good, "Basic" + good, b64(""), b64(":"),
		b64(":" + servertest.Secret), b64("conf"), b64("conf\x00:" + servertest.Secret),
		b64("conf:" + servertest.Secret + "\x00"), b64("conf:%"), b64("conf:%zz"),
		b64("conf:a+b%c"), b64("\xff\xfe:" + servertest.Secret), b64("%ff:" + servertest.Secret),
		b64("conf:" + strings.Repeat("a", 5000)),
		"Basic " + strings.Repeat("A", 64<<10), strings.Repeat("B", 64<<10),
		"Basic " + strings.Repeat("=", 4096), "Ｂａｓｉｃ " + good, "Basic " + good + "\x00"} {
		req := servertest.Request("/token", "", cc)
		req.Header["Authorization"] = []string{h}
		res := l.Do(req)
		res.Fails(t, 401, "invalid_client")
		require.Contains(t, res.Header.Get("WWW-Authenticate"), `Basic realm="`,
			h[:min(len(h), 30)])
		res.IsOnlyAnError(t)
	}
	req := servertest.Request("/token", "", cc)
	req.Header["Authorization"] = []string{"Basic " + good, "Basic " + good}
	l.Do(req).Fails(t, 400, "invalid_request")
}

// An answer does not show whether a client exists, is disabled or uses another
// method.
//
// Holds: RFC 6749 section 5.2.
func TestClientAuth_OneAnswerForAllFailures(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	l.AddClient("conf", func(c *storage.Client) { c.ID, c.Disabled = "off", true })
	want := l.ClientCredentials("conf:wrong")
	want.Fails(t, 401, "invalid_client")
	require.Equal(t, `Basic realm="https://as.example"`, want.Header.Get("WWW-Authenticate"))
	for _, as := range []string{"nobody:wrong", "off:wrong", "off:" + servertest.Secret,
		"post:wrong", "post:" + servertest.Secret, "public:wrong",
		"conf:" + strings.Repeat("x", 600), "conf:"} {
		got := l.ClientCredentials(as)
		require.Equal(t, want, got, as)
	}
	want = l.ClientCredentials("", "client_id", "post", "client_secret", "wrong")
	for _, id := range []string{"nobody", "off", "conf", "public"} {
		require.Equal(t, want, l.ClientCredentials("", "client_id", id, "client_secret", "wrong"),
			id)
	}
}

// argon2Hash encodes a secret as password libraries do, with parameters that
// cost little.
func argon2Hash(s string) string {
	salt := []byte("0123456789abcdef")
	return fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s",
		base64.RawStdEncoding.EncodeToString(salt),
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(s), salt, 1, 64, 1, 32)))
}

// Hashes that other systems made are accepted, and malformed ones accept no
// secret.
func TestClientSecret_ImportedHashes(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	long := strings.Repeat("x", 72)
	for name, tt := range map[string]struct {
		hash, secret string
		status       int
	}{
		"bcrypt":                   {servertest.BcryptHash(t, "hunter2"), "hunter2", 200},
		"bcrypt, wrong":            {servertest.BcryptHash(t, "hunter2"), "hunter3", 401},
		"bcrypt, behind its limit": {servertest.BcryptHash(t, long), long + "y", 401},
		"bcrypt, at its limit":     {servertest.BcryptHash(t, long), long, 200},
		"bcrypt 2y": {"$2y" + servertest.BcryptHash(t, "hunter2")[3:], "hunter2",
			200},
		"bcrypt, broken":       {"$2a$04$short", "hunter2", 401},
		"argon2id":             {argon2Hash("hunter2"), "hunter2", 200},
		"argon2id, wrong":      {argon2Hash("hunter2"), "hunter3", 401},
		"argon2id, empty hash": {"$argon2id$v=19$m=64,t=1,p=1$MDEyMw$", "hunter2", 503},
		"argon2id, no lanes":   {strings.Replace(argon2Hash("a"), "p=1", "p=0", 1), "a", 503},
		"argon2id, no passes":  {strings.Replace(argon2Hash("a"), "t=1", "t=0", 1), "a", 503},
		"argon2id, much memory": {strings.Replace(argon2Hash("a"), "m=64", "m=4000000000", 1), "a",
			503},
		"argon2id, short": {"$argon2id$", "a", 503},
	} {
		l.AddClient("conf", func(c *storage.Client) {
			c.ID = "imported"
			c.Secrets = []storage.Secret{{Hash: tt.hash}}
		})
		res := l.ClientCredentials("imported:" + tt.secret)
		require.Equal(t, tt.status, res.Status, name+res.Body)
	}
}

// Two secrets may be live at once, and an expired secret is refused.
//
// Holds: house: overlapping secrets.
func TestClientSecret_TwoAreLiveUntilOneExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := servertest.New(t, nil)
		l.AddClient("conf", func(c *storage.Client) {
			old := storage.HashSecret("old")
			slow := storage.Secret{Hash: servertest.BcryptHash(t, "slow")}
			old.ExpiresAt = time.Now().Add(time.Hour)
			c.ID, c.Secrets = "two", []storage.Secret{old, slow}
		})
		status := func(s string) int { return l.ClientCredentials("two:" + s).Status }
		require.Equal(t, []int{200, 200, 401}, []int{status("old"), status("slow"), status("new")})
		time.Sleep(time.Hour - time.Nanosecond)
		require.Equal(t, 200, status("old"))
		time.Sleep(time.Nanosecond)
		require.Equal(t, []int{401, 200}, []int{status("old"), status("slow")})
	})
}

// The 21st failure within a minute has to wait, at that address and for that
// client only. A right secret that the server generated is never locked out.
//
// Holds: RFC 6749 section 2.3.1; house: limit by user.
func TestClientAuth_FailuresAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := servertest.New(t, nil)
		l.AddClient("conf", func(c *storage.Client) {
			c.ID = "chosen"
			c.Secrets = []storage.Secret{{Hash: servertest.BcryptHash(t, "hunter2")}}
		})
		from := func(addr, as string) servertest.Reply {
			req := servertest.Request("/token", as, cc)
			req.RemoteAddr = addr
			return l.Do(req)
		}
		for i := range 20 {
			from(fmt.Sprintf("[2001:db8::%x]:1", i), "chosen:guess").Fails(t, 401, "invalid_client")
			from("192.0.2.1:1", "nobody:guess").Fails(t, 401, "invalid_client")
			from("192.0.2.1:1", "conf:").Fails(t, 401, "invalid_client")
			time.Sleep(time.Second)
		}
		for _, as := range []string{"chosen:guess", "chosen:hunter2"} {
			res := from("[2001:db8::ffff]:1", as)
			res.Fails(t, 429, "temporarily_unavailable")
			require.Equal(t, "40", res.Header.Get("Retry-After"))
		}
		from("192.0.2.1:1", "nobody:guess").Fails(t, 429, "temporarily_unavailable")
		require.Equal(t, 200, from("[2001:db8:0:1::1]:1", "chosen:hunter2").Status, "elsewhere")
		require.Equal(t, 200, from("192.0.2.1:1", servertest.Conf).Status,
			"no secret sent is no guess")
		time.Sleep(40 * time.Second)
		require.Equal(t, 200, from("[2001:db8::1]:1", "chosen:hunter2").Status)
	})
}

// counting is a limiter that counts the guesses by client that it let pass, and those
// that were wrong.
type counting struct {
	grants.Limiter
	passed, wrong atomic.Int32
}

func (c *counting) Attempt(ctx context.Context, key string) (func(bool), time.Duration, error) {
	done, wait, err := c.Limiter.Attempt(ctx, key)
	if done == nil || !strings.HasPrefix(key, "client:") {
		return done, wait, err
	}
	c.passed.Add(1)
	return func(ok bool) {
		if !ok {
			c.wrong.Add(1)
		}
		done(ok)
	}, wait, err
}

// Concurrent guesses do not pass the limit: each failure is counted before its
// slot is released.
//
// Holds: RFC 6749 section 4.3.2.
func TestClientAuth_ParallelGuessesAreLimited(t *testing.T) {
	t.Parallel()
	limiter := &counting{Limiter: limit.NewMemory(nil)}
	l := servertest.New(t, func(cfg *grantwell.Config) {
		servertest.LongTimeout(cfg)
		cfg.Limiter = limiter
	})
	l.AddClient("conf", func(c *storage.Client) {
		c.ID, c.Secrets = "chosen", []storage.Secret{{Hash: servertest.BcryptHash(t, "hunter2")}}
	})
	var wg sync.WaitGroup
	var refused atomic.Int32
	for range 64 {
		wg.Go(func() {
			if res := l.ClientCredentials("chosen:guess"); res.Status == 429 {
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 20, limiter.passed.Load())
	require.EqualValues(t, 20, limiter.wrong.Load())
	require.EqualValues(t, 44, refused.Load())
}

// The introspection endpoint reads the client from the credentials and never
// from the query.
//
// Holds: RFC 6749 section 2.3.1.
func TestClientAuth_NotFromTheQuery(t *testing.T) {
	t.Parallel()
	l := servertest.New(t, nil)
	for _, path := range []string{"/token", "/revoke", "/introspect"} {
		req := servertest.Request(path+"?client_id=post&client_secret="+servertest.Secret, "",
			cc+"&token=x")
		l.Do(req).Fails(t, 400, "invalid_request")
		req = httptest.NewRequest(http.MethodPost, path+"?client_id=public",
			strings.NewReader("token=x&grant_type=refresh_token&refresh_token=x"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		l.Do(req).Fails(t, 401, "invalid_client")
	}
}

// A header in which a proxy might pass a client certificate authenticates no
// client.
//
// Holds: RFC 9700 section 4.13.
func TestClientAuth_CertificateHeadersAreNotRead(t *testing.T) {
	t.Parallel()
	r := servertest.New(t, nil)
	req, err := http.NewRequest(http.MethodPost, servertest.Issuer+"/token",
		strings.NewReader("grant_type=client_credentials&client_id=conf"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, h := range []string{"X-Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Cert",
		"Client-Cert", "SSL-Client-Verify"} {
		req.Header.Set(h, "SUCCESS")
	}
	r.Do(req).Fails(t, 401, "invalid_client")
}
