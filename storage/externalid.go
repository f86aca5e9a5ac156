package storage

import "strings"

// externalPrefix begins the ID of every entry for a client of another
// authorization server.
const externalPrefix = "external:"

// ExternalID returns the ID of the entry for a client of another authorization
// server: "external:", the server's issuer identifier (RFC 8414 section 2), a
// space, and the ID that the client has there.
//
// It returns the empty string if that makes no valid ID: one of the two is
// empty, the issuer has a space, or the whole is not 1 to 255 printable ASCII
// characters.
func ExternalID(issuer, clientID string) string {
	id := externalPrefix + issuer + " " + clientID
	if issuer == "" || clientID == "" || strings.Contains(issuer, " ") {
		return ""
	}
	if len(id) > 255 || !printable(id) {
		return ""
	}
	return id
}

// checkAlias reports what an entry for a client of another server must not
// have.
func checkAlias(c *Client, fault report) {
	if c.AliasOf == "" {
		return
	}
	if c.AliasOf == c.ID {
		fault("alias_of", "is the client itself")
	}
	if !strings.HasPrefix(c.ID, externalPrefix) {
		fault("client_id", "needs to be %sISSUER CLIENT_ID with alias_of", externalPrefix)
	}
	if c.AuthMethod != AuthExternal {
		fault("token_endpoint_auth_method", "needs to be %s with alias_of", AuthExternal)
	}

	// The fields that an alias may have are named, so that a field which is
	// added to Client later is refused until it is added here too.
	allowed := Client{
		ID:              c.ID,
		Disabled:        c.Disabled,
		AliasOf:         c.AliasOf,
		AuthMethod:      c.AuthMethod,
		Name:            c.Name,
		Description:     c.Description,
		Contacts:        c.Contacts,
		Owner:           c.Owner,
		CreatedBy:       c.CreatedBy,
		CreatedAt:       c.CreatedAt,
		TokensNotBefore: c.TokensNotBefore,
		Metadata:        c.Metadata,
	}
	if !c.Equal(&allowed) {
		fault("alias_of", "leaves nothing but name, description, contacts, owner and metadata to the client")
	}
}
