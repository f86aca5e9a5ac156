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

// FormPost writes a form that posts itself (OAuth 2.0 Form Post Response Mode). The
// action is escaped as text and otherwise stays byte for byte, because it is a
// redirect URI that was verified byte for byte. The headers that every page carries
// are set already.
func FormPost(w http.ResponseWriter, l Language, action string, each func(field func(name, value string))) {
	var b strings.Builder
	b.WriteString("<h1>" + l.escaped("Returning to the application") + "</h1>\n<p>")
	b.WriteString(l.escaped("If this page does not go on by itself, press the button."))
	b.WriteString("</p>\n" + `<form method="post" action="`)
	b.WriteString(html.EscapeString(action))
	b.WriteString("\">\n")
	each(func(name, value string) {
		b.WriteString(`<input type="hidden" name="`)
		b.WriteString(html.EscapeString(name))
		b.WriteString(`" value="`)
		b.WriteString(html.EscapeString(value))
		b.WriteString("\">\n")
	})
	b.WriteString(`<div class="row go"><button>` + l.escaped("Continue") + "</button></div>\n</form>\n")
	b.WriteString("<script>" + formScript + "</script>")
	write(w, l, http.StatusOK, "Continue", b.String(), formHash)
}
