package backchannel

import (
	"fmt"
	"net/url"
	"strings"
)

// CheckOrigins refuses origins that no browser sends (RFC 6454 section 6.1), such as
// "*": they are compared byte for byte and would never match.
func CheckOrigins(origins []string) error {
	for i, origin := range origins {
		u, err := url.Parse(origin)
		plain := err == nil && u.Scheme != "" && u.Host != "" && origin == u.Scheme+"://"+u.Host
		if !plain || strings.Contains(origin, "*") || origin != strings.ToLower(origin) {
			return fmt.Errorf("Origins[%d]: %q is not scheme://host[:port] in lower case", i, origin)
		}
	}

	return nil
}
