package storage

// ClientPAR is what a client registers about pushed authorization requests (RFC 9126).
type ClientPAR struct {
	// RequirePushed refuses authorization requests of the client that were not pushed
	// (RFC 9126 section 6).
	RequirePushed bool `json:"require_pushed_authorization_requests,omitempty"`
}
