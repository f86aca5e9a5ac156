package secrethash_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/secrethash"
)

// argon2 returns the text of an argon2id hash that is not computed.
func argon2Text(version, memory, passes, lanes, size int) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", version, memory, passes, lanes,
		b64(salt), b64(make([]byte, size)))
}

// pbkdf2 returns the text of a PBKDF2 hash that is not computed.
func pbkdf2Text(rounds, length, saltSize, size int) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$pbkdf2-sha256$i=%d,l=%d$%s$%s", rounds, length,
		b64(make([]byte, saltSize)), b64(make([]byte, size)))
}

// The bounds of a stored hash, inclusive.
//
// Holds: house: hash formats; house: bounded work.
func TestCheck_BoundsAreInclusive(t *testing.T) {
	t.Parallel()
	for _, hash := range []string{
		argon2Text(19, 64, 1, 1, 32),
		argon2Text(19, 256<<10, 16, 255, 64),
		argon2Text(19, 1, 1, 1, 16),
		pbkdf2Text(1, 16, 0, 16),
		pbkdf2Text(1<<20, 64, 128, 64),
	} {
		require.NoError(t, secrethash.Check(hash), hash)
	}
	for _, hash := range []string{
		argon2Text(16, 64, 1, 1, 32),
		argon2Text(20, 64, 1, 1, 32),
		argon2Text(19, 256<<10+1, 1, 1, 32),
		argon2Text(19, 64, 17, 1, 32),
		argon2Text(19, 64, 0, 1, 32),
		argon2Text(19, 64, 1, 0, 32),
		argon2Text(19, 64, 1, 256, 32),
		argon2Text(19, 64, 1, 1, 15),
		argon2Text(19, 64, 1, 1, 65),
		pbkdf2Text(0, 32, 16, 32),
		pbkdf2Text(-1, 32, 16, 32),
		pbkdf2Text(1<<20+1, 32, 16, 32),
		pbkdf2Text(1000, 15, 16, 15),
		pbkdf2Text(1000, 65, 16, 65),
		pbkdf2Text(1000, 32, 129, 32),
		pbkdf2Text(1000, 33, 16, 32),
	} {
		require.Error(t, secrethash.Check(hash), hash)
	}
}

// A text that has the prefix of a hash and not its form is an error, and matches no
// secret.
//
// Holds: house: hash formats.
func TestCompare_MalformedMatchesNothing(t *testing.T) {
	t.Parallel()
	pb := pbkdf2Of(t, "sha256", sha256.New, 1000, 32)
	argon := argon2Of(secret, 64, 1, 1, 32)
	fields := strings.Split(pb, "$")
	key := fields[len(fields)-1]
	for name, hash := range map[string]string{
		"PBKDF2, no numbers":      strings.Replace(pb, "i=1000,l=32", "", 1),
		"PBKDF2, no length":       strings.Replace(pb, ",l=32", "", 1),
		"PBKDF2, rounds":          strings.Replace(pb, "i=1000", "i=x", 1),
		"PBKDF2, length":          strings.Replace(pb, "l=32", "l=x", 1),
		"PBKDF2, key":             strings.Replace(pb, key, "!"+key[1:], 1),
		"PBKDF2, no key":          strings.Replace(pb, key, "", 1),
		"PBKDF2, padded":          pb + "=",
		"PBKDF2, a part more":     pb + "$",
		"PBKDF2, a part less":     strings.Join(fields[:4], "$"),
		"PBKDF2, another digest":  strings.Replace(pb, "sha256", "sha3", 1),
		"argon2id, a part more":   argon + "$x",
		"argon2id, no version":    strings.Replace(argon, "v=19", "", 1),
		"argon2id, no parameters": strings.Replace(argon, "m=64,t=1,p=1", "", 1),
		"argon2id, padded":        argon + "=",
	} {
		require.Error(t, secrethash.Check(hash), name)
		ok, err := secrethash.Compare(hash, secret)
		require.Error(t, err, name)
		require.False(t, ok, name)
	}
}
