package grantwell

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/clientmeta"
	"github.com/grantwell/grantwell/storage"
)

// rotateSecret gives the client a new secret. The old one works until the overlap ends, but never longer than it
// would have. It does not end another one early that was promised its own overlap: then somebody has to say so.
func rotateSecret(ctx context.Context, c *act) error {
	overlap, told, err := c.overlap()
	if err != nil {
		return err
	}
	return c.change(ctx, func(client storage.Client) (storage.Client, string, error) {
		if client.Method() == storage.AuthClientSecretJWT {
			if !told || overlap > 0 {
				return client, "", grants.InvalidRequest("This client has one shared key, which can only be replaced at once: overlap_seconds 0.")
			}
			client.SharedKey = nil
			return client, clientmeta.FillCredentials(&client), nil
		}
		if !clientmeta.UsesSecret(client.Method()) {
			return client, "", conflict("The client authenticates without a secret.")
		}
		now := nowUTC()
		end := now.Add(overlap).Truncate(time.Second)
		old := slices.DeleteFunc(client.Secrets, func(s storage.Secret) bool { return overlap == 0 || !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt) })
		if len(old) > 1 {
			return client, "", conflict("Two secrets work now. End one of them first, or both with overlap_seconds 0.")
		}
		for i := range old {
			if old[i].ExpiresAt.IsZero() || end.Before(old[i].ExpiresAt) {
				old[i].ExpiresAt = end
			}
		}
		plain, stored := clientmeta.NewSecret()
		client.Secrets = append([]storage.Secret{stored}, old...)
		return client, plain, nil
	})
}

// overlap reads how long the old secret is to work, and whether the request said so.
func (c *act) overlap() (d time.Duration, told bool, err error) {
	members, err := c.object(c.s.cfg.MaxBody, true)
	if err != nil {
		return 0, false, err
	}
	text, told := members["overlap_seconds"]
	if !told {
		if len(members) > 0 {
			return 0, false, grants.InvalidRequest("The one member is overlap_seconds.")
		}
		return c.api.overlap, false, nil
	}
	var seconds *int64
	if err := json.Unmarshal(text, &seconds); err != nil || seconds == nil || len(members) > 1 || *seconds < 0 || *seconds > int64(maxOverlap/time.Second) {
		return 0, false, grants.InvalidRequest("overlap_seconds is a whole number from 0 to 7776000, and the only member.")
	}
	return time.Duration(*seconds) * time.Second, true, nil
}

// endSecret ends one of several secrets. The last one is no secret to end: the client is to be disabled.
func endSecret(ctx context.Context, c *act) error {
	return c.change(ctx, func(client storage.Client) (storage.Client, string, error) {
		left := slices.DeleteFunc(slices.Clone(client.Secrets), func(s storage.Secret) bool { return clientmeta.SecretID(s) == c.below })
		switch {
		case len(left) == len(client.Secrets):
			return client, "", notFound("The client has no such secret.")
		case len(left) == 0 && clientmeta.UsesSecret(client.Method()):
			return client, "", conflict("This is the last secret. Disable the client, or replace the secret with overlap_seconds 0.")
		}
		client.Secrets = left
		return client, "", nil
	})
}
