package storage

import "strings"

// checkAlias finds what an entry may not have that is the ID of a client elsewhere.
func (c Client) checkAlias(bad func(field, format string, args ...any)) {
	if c.AliasOf == c.ID {
		bad("alias_of", "is the client itself")
	}
	if !strings.HasPrefix(c.ID, externalPrefix) {
		bad("client_id", "needs to be %sISSUER CLIENT_ID with alias_of", externalPrefix)
	}
	if c.AuthMethod != AuthExternal {
		bad("token_endpoint_auth_method", "needs to be %s with alias_of", AuthExternal)
	}
	if !c.Equal(Client{ID: c.ID, Disabled: c.Disabled, AliasOf: c.AliasOf, AuthMethod: c.AuthMethod, Name: c.Name, Description: c.Description,
		Contacts: c.Contacts, Owner: c.Owner, CreatedBy: c.CreatedBy, CreatedAt: c.CreatedAt, TokensNotBefore: c.TokensNotBefore, Metadata: c.Metadata}) {
		bad("alias_of", "leaves nothing but name, description, contacts, owner and metadata to the client")
	}
}

const externalPrefix = "external:"

// ExternalID is the ID of the entry for a client of another authorization server: "external:", the server's issuer identifier
// (RFC 8414 section 2), a space and the ID that the client has there. Empty if that makes no ID: one of the two is
// empty, the issuer has a space, or all of it is not 1 to 255 printable ASCII characters.
func ExternalID(issuer, clientID string) string {
	id := externalPrefix + issuer + " " + clientID
	if issuer == "" || clientID == "" || strings.Contains(issuer, " ") || len(id) > 255 || !printable(id) {
		return ""
	}
	return id
}
