package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// An origin is registered as browsers send it, and every other spelling is refused by
// name (RFC 6454 section 6.2).
func TestCheckOrigin_TakesWhatBrowsersSend(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://app.example", "http://localhost:3000", "https://app.example:8443", "http://127.0.0.1", "http://[::1]:8080",
		"capacitor://localhost", "tauri://localhost", "ionic://localhost", "http://tauri.localhost",
		"chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb", "moz-extension://1b2c3d4e-0000-4000-8000-000000000000",
		"https://xn--bcher-kva.example", "app://obsidian.md",
		"http://app.example:443", "https://app.example:80", "https://app.example:65535",
	} {
		require.NoError(t, storage.CheckOrigin(good), good)
	}
	for bad, why := range map[string]string{
		"https://App.Example": "upper case", "HTTPS://app.example": "upper case", "Capacitor://localhost": "upper case",
		"https://app.example:443": "default port", "http://app.example:80": "default port",
		"https://bücher.example": "xn--", "https://app.example/": "scheme://host", "https://app.example?x": "scheme://host",
		"https://u@app.example": "scheme://host", "app.example": "scheme://host", "https://": "scheme://host", "": "scheme://host",
		"ftp://app.example": "scheme", "wss://app.example": "scheme", "null": "null", "*": "wildcard", "file://x": "null", "https://*.app.example": "scheme://host",
		"https://app.example:": "port", "https://app.example:08443": "port", "https://[0:0:0:0:0:0:0:1]": "address",
		"https://app.example:100000": "port", "https://[fe80::1%25eth0]": "scheme://host",
		"capacitor://localhost/x": "scheme://host", "https://app.example#": "scheme://host",
	} {
		require.ErrorContains(t, storage.CheckOrigin(bad), why, bad)
	}
}
