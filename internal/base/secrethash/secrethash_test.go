package secrethash_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/grantwell/grantwell/internal/base/secrethash"
)

const secret = "correct horse battery staple"

var salt = []byte("salt of 16 bytes")

func bcryptOf(t testing.TB, secret string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	require.NoError(t, err)
	return string(hash)
}

func argon2Of(secret string, memory, passes uint32, lanes uint8, size uint32) string {
	key := argon2.IDKey([]byte(secret), salt, passes, memory, lanes, size)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, passes, lanes, b64(salt), b64(key))
}

func pbkdf2Of(t testing.TB, name string, digest func() hash.Hash, rounds, size int) string {
	t.Helper()
	key, err := pbkdf2.Key(digest, secret, salt, rounds, size)
	require.NoError(t, err)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$pbkdf2-%s$i=%d,l=%d$%s$%s", name, rounds, size, b64(salt), b64(key))
}

// A secret has its own hash and no other secret's.
func TestCompare_TakesTheSecretOnly(t *testing.T) {
	t.Parallel()
	crypted := bcryptOf(t, secret)
	for name, hash := range map[string]string{
		"bcrypt 2a":      crypted,
		"bcrypt 2b":      strings.Replace(crypted, "$2a$", "$2b$", 1),
		"bcrypt 2y":      strings.Replace(crypted, "$2a$", "$2y$", 1),
		"argon2id":       argon2Of(secret, 64, 1, 1, 32),
		"argon2id, wide": argon2Of(secret, 64, 2, 4, 64),
		"PBKDF2 SHA-256": pbkdf2Of(t, "sha256", sha256.New, 1000, 32),
		"PBKDF2 SHA-512": pbkdf2Of(t, "sha512", sha512.New, 1000, 64),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, secrethash.Check(hash))

			ok, err := secrethash.Compare(hash, secret)
			require.NoError(t, err)
			require.True(t, ok)
			for _, wrong := range []string{"", secret + "x", strings.ToUpper(secret), hash} {
				ok, err := secrethash.Compare(hash, wrong)
				require.NoError(t, err)
				require.False(t, ok, wrong)
			}
		})
	}
}

// bcrypt reads 72 bytes: a longer secret would be equal to another one.
func TestCompare_BcryptRefusesWhatItWouldCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 72)
	hash := bcryptOf(t, long)
	ok, err := secrethash.Compare(hash, long)
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = secrethash.Compare(hash, long+"y")
	require.NoError(t, err)
	require.False(t, ok)
}

// A hash that is malformed or too expensive is an error, is never computed, and
// is not in the error.
func TestCheck_BoundsTheCost(t *testing.T) {
	t.Parallel()
	argon := argon2Of(secret, 64, 1, 1, 32)
	pb := pbkdf2Of(t, "sha256", sha256.New, 1000, 32)
	for name, hash := range map[string]string{
		"none":             "",
		"plain":            secret,
		"SHA-256":          "sha256:" + strings.Repeat("A", 43),
		"MD5":              "$1$salt$" + strings.Repeat("A", 22),
		"bcrypt, short":    "$2a$",
		"bcrypt, cost":     strings.Replace(bcryptOf(t, secret), "$04$", "$17$", 1),
		"argon2i":          strings.Replace(argon, "argon2id", "argon2i", 1),
		"argon2id, parts":  argon + "$",
		"argon2id, short":  "$argon2id$x",
		"argon2id, older":  strings.Replace(argon, "v=19", "v=16", 1),
		"argon2id, memory": strings.Replace(argon, "m=64", "m=262145", 1),
		"argon2id, passes": strings.Replace(argon, "t=1", "t=17", 1),
		"argon2id, none":   strings.Replace(argon, "t=1", "t=0", 1),
		"argon2id, lanes":  strings.Replace(argon, "p=1", "p=0", 1),
		"argon2id, salt":   strings.Replace(argon, "$c2Fs", "$!", 1),
		"argon2id, key":    argon2Of(secret, 64, 1, 1, 8),
		"PBKDF2, SHA-1":    strings.Replace(pb, "sha256", "sha1", 1),
		"PBKDF2, parts":    pb + "$",
		"PBKDF2, short":    "$pbkdf2-sha256$",
		"PBKDF2, rounds":   strings.Replace(pb, "i=1000", "i=1048577", 1),
		"PBKDF2, none":     strings.Replace(pb, "i=1000", "i=0", 1),
		"PBKDF2, length":   strings.Replace(pb, "l=32", "l=33", 1),
		"PBKDF2, salt":     strings.Replace(pb, "$c2Fs", "$!", 1),
		"PBKDF2, key":      pbkdf2Of(t, "sha256", sha256.New, 1000, 8),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := secrethash.Check(hash)
			require.Error(t, err)
			require.Contains(t, err.Error(), "secrethash: ")
			if len(hash) > 20 {
				require.NotContains(t, err.Error(), hash[len(hash)-10:])
			}
			if strings.HasPrefix(name, "bcrypt") {
				return // compared by golang.org/x/crypto, at its own bounds
			}
			ok, err := secrethash.Compare(hash, secret)
			require.Error(t, err)
			require.False(t, ok)
		})
	}
}

// No text makes the readers panic.
func FuzzCheck(f *testing.F) {
	f.Add(argon2Of(secret, 64, 1, 1, 32))
	f.Add(pbkdf2Of(f, "sha512", sha512.New, 1000, 64))
	f.Add(bcryptOf(f, secret))
	f.Fuzz(func(t *testing.T, hash string) {
		if err := secrethash.Check(hash); err != nil {
			require.Contains(t, err.Error(), "secrethash: ")
		}
	})
}
