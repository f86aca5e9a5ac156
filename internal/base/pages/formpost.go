package pages

import (
	"html"
	"net/http"
	"strings"
)

// The script is part of the form's page, and the policy allows only this one, by its
// hash; a test compares the two. Without scripts the user presses the button.
const (
	formScript = `document.forms[0].submit()`
	formHash   = "sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE="
)

// formPolicy has no form-action. Browsers apply it to the redirects with which the
// client answers as well, and the client decides where those lead. default-src does
// not cover it.
const formPolicy = "default-src 'none'; script-src '" + formHash + "'; frame-ancestors 'none'; base-uri 'none'"

// FormPost writes a form that posts itself (OAuth 2.0 Form Post Response Mode). The
// action is escaped as text and otherwise stays byte for byte, because it is a
// redirect URI that was verified byte for byte.
func FormPost(w http.ResponseWriter, action string, each func(field func(name, value string))) {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Continue</title></head>
<body>
<form method="post" action="`)
	b.WriteString(html.EscapeString(action))
	b.WriteString("\">\n")
	each(func(name, value string) {
		b.WriteString(`<input type="hidden" name="`)
		b.WriteString(html.EscapeString(name))
		b.WriteString(`" value="`)
		b.WriteString(html.EscapeString(value))
		b.WriteString("\">\n")
	})
	b.WriteString("<button>Continue</button>\n</form>\n<script>" + formScript + "</script>\n</body>\n</html>\n")

	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", formPolicy)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(b.String())) // it fails if the browser is gone
}
