package grants

import "slices"

// standardClaims returns the claims of a scope of OpenID Connect Core section 5.4.
func standardClaims(scope string) []string {
	switch scope {
	case "profile":
		return []string{
			"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
			"picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
		}
	case "email":
		return []string{"email", "email_verified"}
	case "address":
		return []string{"address"}
	case "phone":
		return []string{"phone_number", "phone_number_verified"}
	}

	return nil
}

// OfUser reports whether a scope speaks of a user: openid and offline_access, the
// scopes of OpenID Connect Core section 5.4, and those of Claims. The server grants
// them only if they are asked for or are the client's DefaultScope, and never for a
// token of a client's own.
func (r ScopeRules) OfUser(scope string) bool {
	return scope == "openid" || scope == "offline_access" ||
		standardClaims(scope) != nil || len(r.Claims[scope]) > 0
}

// Covers reports whether granted scopes let a claim about a user into a token. A
// claim that goes with no scope is always let in.
func (r ScopeRules) Covers(granted []string, claim string) bool {
	same := func(name string) bool { return name == claim }
	for _, scope := range granted {
		if slices.ContainsFunc(standardClaims(scope), same) || slices.ContainsFunc(r.Claims[scope], same) {
			return true
		}
	}

	for _, scope := range []string{"profile", "email", "address", "phone"} {
		if slices.ContainsFunc(standardClaims(scope), same) {
			return false
		}
	}
	for _, names := range r.Claims {
		if slices.ContainsFunc(names, same) {
			return false
		}
	}

	return true
}
