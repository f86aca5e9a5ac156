package assertion

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostileTokens returns tokens that must be refused for every use. Most have a
// valid signature, and another fault.
func hostileTokens(t testing.TB, claims jwtMap, jku string) map[string]string {
	t.Helper()
	keys := jwtTestKeys()
	body := toJSON(claims)
	p256, attacker := keys["p256"], keys["p256b"]
	good := signRaw(t, "ES256", p256, `{"alg":"ES256","kid":"k"}`, body)
	head, rest, _ := strings.Cut(good, ".")
	payload, sig, _ := strings.Cut(rest, ".")
	rawSig := must(base64.RawURLEncoding.DecodeString(sig))
	header := func(h string) string { return signRaw(t, "ES256", p256, h, body) }
	none := func(h string) string { return b64([]byte(h)) + "." + payload + "." }
	withSig := func(s []byte) string { return head + "." + payload + "." + b64(s) }
	return map[string]string{
		"nothing but dots":               "..",
		"two segments":                   head + "." + payload,
		"four segments":                  good + "." + sig,
		"five segments, as a JWE":        b64([]byte(`{"alg":"dir","enc":"A128GCM"}`)) + "..AAAA.AAAA.AAAA",
		"JSON serialization":             `{"payload":"` + payload + `","protected":"` + head + `","signature":"` + sig + `"}`,
		"JSON serialization, general":    `{"payload":"` + payload + `","signatures":[{"protected":"` + head + `","signature":"` + sig + `"}]}`,
		"white space before":             " " + good,
		"line break after":               good + "\n",
		"line break inside":              head + "." + payload[:8] + "\n" + payload[8:] + "." + sig,
		"carriage return in signature":   head + "." + payload + "." + sig[:8] + "\r" + sig[8:],
		"padding":                        good + "==",
		"wrong padding":                  head + "=." + payload + "." + sig,
		"standard alphabet":              head + "." + payload + "." + strings.NewReplacer("-", "+", "_", "/").Replace(strings.Repeat("-", 86)),
		"trailing bits in the signature": nonCanonical(good),
		"alg none":                       none(`{"alg":"none"}`),
		"alg None":                       none(`{"alg":"None"}`),
		"alg nOnE with a signature":      header(`{"alg":"nOnE"}`),
		"alg empty":                      header(`{"alg":""}`),
		"no alg":                         header(`{"kid":"k"}`),
		"alg a number":                   header(`{"alg":1}`),
		"alg an array":                   header(`{"alg":["ES256"]}`),
		"alg unknown":                    header(`{"alg":"ES256X"}`),
		"alg in small letters":           header(`{"alg":"es256"}`),
		"alg ES256K":                     header(`{"alg":"ES256K"}`),
		"alg dir":                        header(`{"alg":"dir"}`),
		"alg PBES2":                      header(`{"alg":"PBES2-HS256+A128KW","p2c":2147483647,"p2s":"AAAA"}`),
		"alg RSA1_5":                     header(`{"alg":"RSA1_5","enc":"A128CBC-HS256"}`),
		"HS256 with the public key":      signRaw(t, "HS256", must(p256.Public().(interface{ Bytes() ([]byte, error) }).Bytes()), `{"alg":"HS256"}`, body),
		"HS256 with the key set":         signRaw(t, "HS256", jwksOf(jwkOf("k", p256.Public())), `{"alg":"HS256","kid":"k"}`, body),
		"HS256 with nothing":             signRaw(t, "HS256", []byte{}, `{"alg":"HS256"}`, body),
		"another key":                    signRaw(t, "ES256", attacker, `{"alg":"ES256","kid":"k"}`, body),
		"another kid":                    header(`{"alg":"ES256","kid":"other"}`),
		"kid a path":                     signRaw(t, "ES256", attacker, `{"alg":"ES256","kid":"../../dev/null"}`, body),
		"kid a statement":                signRaw(t, "ES256", attacker, `{"alg":"ES256","kid":"' OR 1=1 --"}`, body),
		"kid an object":                  header(`{"alg":"ES256","kid":{"k":1}}`),
		"jwk in the header":              signRaw(t, "ES256", attacker, toJSON(jwtMap{"alg": "ES256", "jwk": jwkOf("", attacker.Public())}), body),
		"jwk in the header, own kid":     signRaw(t, "ES256", attacker, toJSON(jwtMap{"alg": "ES256", "kid": "x", "jwk": jwkOf("x", attacker.Public())}), body),
		"jku in the header":              signRaw(t, "ES256", attacker, toJSON(jwtMap{"alg": "ES256", "jku": jku}), body),
		"x5u in the header":              signRaw(t, "ES256", attacker, toJSON(jwtMap{"alg": "ES256", "x5u": jku}), body),
		"x5c in the header": signRaw(t, "ES256", attacker, toJSON(jwtMap{"alg": "ES256",
			"x5c": []string{base64.StdEncoding.EncodeToString(certificateFor(t, attacker, jwtNow.AddDate(1, 0, 0)).Raw)}}), body),
		"crit unknown":            header(`{"alg":"ES256","crit":["x"],"x":1}`),
		"crit empty":              header(`{"alg":"ES256","crit":[]}`),
		"crit names alg":          header(`{"alg":"ES256","crit":["alg"]}`),
		"crit null":               header(`{"alg":"ES256","crit":null}`),
		"b64 false":               header(`{"alg":"ES256","b64":false,"crit":["b64"]}`),
		"b64 false without crit":  header(`{"alg":"ES256","b64":false}`),
		"zip":                     header(`{"alg":"ES256","zip":"DEF"}`),
		"enc":                     header(`{"alg":"ES256","enc":"A128GCM"}`),
		"nested":                  header(`{"alg":"ES256","cty":"JWT"}`),
		"nested, long form":       header(`{"alg":"ES256","cty":"application/jwt"}`),
		"alg twice":               header(`{"alg":"none","alg":"ES256"}`),
		"alg twice, escaped":      header(`{"alg":"ES256","\u0061lg":"ES256"}`),
		"kid twice":               header(`{"alg":"ES256","kid":"k","kid":"k"}`),
		"header an array":         header(`[{"alg":"ES256"}]`),
		"header null":             header(`null`),
		"header empty":            header(``),
		"header and more":         header(`{"alg":"ES256"} {}`),
		"header not UTF-8":        header("{\"alg\":\"ES256\",\"x\":\"\xff\"}"),
		"typ an object":           header(`{"alg":"ES256","typ":{}}`),
		"iss twice":               signRaw(t, "ES256", p256, `{"alg":"ES256"}`, strings.Replace(body, "{", `{"iss":"x",`, 1)),
		"sub twice, escaped":      signRaw(t, "ES256", p256, `{"alg":"ES256"}`, strings.Replace(body, "{", `{"s\u0075b":"root",`, 1)),
		"a member twice, inside":  signRaw(t, "ES256", p256, `{"alg":"ES256"}`, strings.Replace(body, "{", `{"act":{"sub":"a","sub":"b"},`, 1)),
		"claims an array":         signRaw(t, "ES256", p256, `{"alg":"ES256"}`, `[`+body+`]`),
		"claims a string":         signRaw(t, "ES256", p256, `{"alg":"ES256"}`, `"x"`),
		"claims nested deep":      signRaw(t, "ES256", p256, `{"alg":"ES256"}`, strings.Replace(body, "{", `{"x":`+strings.Repeat("[", 3000)+strings.Repeat("]", 3000)+`,`, 1)),
		"claims and more":         signRaw(t, "ES256", p256, `{"alg":"ES256"}`, body+"x"),
		"claims not UTF-8":        signRaw(t, "ES256", p256, `{"alg":"ES256"}`, strings.Replace(body, "{", "{\"x\":\"\xc3\x28\",", 1)),
		"claims under other case": signRaw(t, "ES256", p256, `{"alg":"ES256"}`, strings.NewReplacer(`"iss"`, `"ISS"`, `"sub"`, `"SUB"`).Replace(body)),
		"no signature":            head + "." + payload + ".",
		"r and s zero":            withSig(make([]byte, 64)),
		"r and s of the order":    withSig(append(p256Order().Bytes(), p256Order().Bytes()...)),
		"s plus the order":        withSig(append(rawSig[:32:32], new(big.Int).Add(new(big.Int).SetBytes(rawSig[32:]), p256Order()).Bytes()...)),
		"signature as ASN.1":      withSig(must(p256.Sign(rand.Reader, crypto.SHA256.New().Sum(nil), crypto.SHA256))),
		"signature too long":      withSig(append(rawSig, 0)),
		"a zero between r and s":  withSig(append(append(append([]byte{}, rawSig[:32]...), 0), rawSig[32:]...)),
		"signature too short":     withSig(rawSig[:63]),
		"ES256 by P-384":          signRaw(t, "ES256", keys["p384"], `{"alg":"ES256","kid":"k"}`, body),
		"ES384 by P-256":          signRaw(t, "ES384", p256, `{"alg":"ES384","kid":"k"}`, body),
		"RS256 by P-256":          header(`{"alg":"RS256","kid":"k"}`),
		"PS256 by PKCS 1":         signRaw(t, "RS256", keys["rsa"], `{"alg":"PS256","kid":"k"}`, body),
		"RS256 by PSS":            signRaw(t, "PS256", keys["rsa"], `{"alg":"RS256","kid":"k"}`, body),
		"RSA of 1024 bits":        signRaw(t, "RS256", weakRSA(), `{"alg":"RS256","kid":"weak"}`, body),
		"a key for encryption":    signRaw(t, "ES256", keys["p256b"], `{"alg":"ES256","kid":"enc"}`, body),
		"a key that only signs":   signRaw(t, "ES256", keys["p256b"], `{"alg":"ES256","kid":"ops"}`, body),
		"a key of another alg":    signRaw(t, "RS256", keys["rsa2"], `{"alg":"RS256","kid":"ps-only"}`, body),
		"expired and unsigned":    none(`{"alg":"ES256"}`),
		"claims changed":          head + "." + b64([]byte(strings.Replace(body, "one", "two", 1))) + "." + sig,
		"a megabyte of dots":      strings.Repeat(".", 1<<20),
		"a megabyte of A":         strings.Repeat("A", 1<<20),
		"just over the size":      strings.Repeat("A", 16<<10+1),
	}
}

// nonCanonical changes bits of the last character that are not part of an octet
// of the signature.
func nonCanonical(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last^1])
}

func p256Order() *big.Int {
	n, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
	return n
}

// weakRSA makes a key of 1024 bits, which the standard library refuses to make.
func weakRSA() *rsa.PrivateKey {
	for {
		p, q := must(rand.Prime(rand.Reader, 512)), must(rand.Prime(rand.Reader, 512))
		one, e := big.NewInt(1), big.NewInt(65537)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(e, phi)
		n := new(big.Int).Mul(p, q)
		if d == nil || n.BitLen() != 1024 {
			continue
		}
		return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}, D: d, Primes: []*big.Int{p, q}}
	}
}

// Holds: RFC 7523 section 3; RFC 8725 section 3; RFC 8725 section 3.1;
// house: bounded body; house: hash formats; house: strict JOSE.
func TestJWT_HostileCorpusIsRefusedForBothUses(t *testing.T) {
	t.Parallel()
	keys := jwtTestKeys()
	var fetched atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		_, _ = w.Write(jwksOf(jwkOf("", keys["p256b"].Public())))
	}))
	defer server.Close()

	enc, ops, psOnly := jwkOf("enc", keys["p256b"].Public()), jwkOf("ops", keys["p256b"].Public()), jwkOf("ps-only", keys["rsa2"].Public())
	enc["use"], ops["key_ops"], psOnly["alg"] = "enc", []string{"sign"}, "PS256"
	set := jwksOf(jwkOf("k", keys["p256"].Public()), jwkOf("k", keys["rsa"].Public()), enc, ops, psOnly)

	j, replay := newJWT(t, func(c *JWTConfig) {
		c.Issuers = Issuers(Issuer{ID: jwtIdP, JWKS: set})
		c.Clients = jwtClients{jwtClient: {Method: methodPrivateKeyJWT, JWKS: set}}
	})
	for use, claims := range map[Use]jwtMap{Grant: grantClaims(), ClientAuth: clientClaims()} {
		for name, token := range hostileTokens(t, claims, server.URL) {
			a, err := j.Verify(t.Context(), Request{Use: use, Assertion: token})
			require.Nil(t, a, "%s: %s", use, name)
			var refusal *Error
			require.ErrorAs(t, err, &refusal, "%s: %s", use, name)
			require.Equal(t, map[Use]string{Grant: "invalid_grant", ClientAuth: "invalid_client"}[use], refusal.Code, "%s: %s: %v", use, name, err)
			require.Less(t, len(err.Error()), 2000, name)
		}
		require.Zero(t, replay.calls)
		_, err := j.Verify(t.Context(), Request{Use: use, Assertion: signJWT(t, "ES256", "k", keys["p256"], claims)})
		require.NoError(t, err, "the setting itself is good")
		replay.calls = 0
	}
	require.Zero(t, fetched.Load(), "nothing in a header is fetched")
}

// A valid token is refused too if it is longer than allowed.
//
// Holds: house: bounded body; house: bounded tokens.
func TestJWT_SizeIsBoundedBeforeAnythingIsRead(t *testing.T) {
	// It is not parallel, because it counts allocations.
	j, _ := newJWT(t, func(c *JWTConfig) { c.Clients = jwtClients{} })
	for _, token := range []string{strings.Repeat(".", 1<<20), strings.Repeat(".", 16<<10)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := j.Verify(t.Context(), clientOf(token))
		runtime.ReadMemStats(&after)
		require.Error(t, err)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10))
	}
	j, _ = clientVerifier(t, func(c *JWTConfig) { c.MaxSize = 300 }, privateKeyJWT(jwtTestKeys()["p256"].Public()))
	a, err := j.Verify(t.Context(), clientOf(signGrant(t, with(clientClaims(), "x", strings.Repeat("x", 300)))))
	requireRefused(t, "invalid_client", ReasonSize, a, err)
}
