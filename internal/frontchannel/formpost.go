package frontchannel

import (
	"bytes"
	"html/template"
	"net/http"
)

// The script is part of the page and the policy allows just this one, by its hash; a test compares the two.
// Without scripts the button is there.
const (
	formScript = `document.forms[0].submit()`
	formHash   = "sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE="
)

// formPolicy has no form-action: browsers apply it to the redirects that the client answers with as well,
// and where those lead is the client's business. default-src does not cover it.
const formPolicy = "default-src 'none'; script-src '" + formHash + "'; frame-ancestors 'none'; base-uri 'none'"

var formPage = template.Must(template.New("form_post").Parse(`<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Continue</title></head>
<body>
<form method="post" {{.Action}}>
{{range .Params}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<button>Continue</button>
</form>
<script>` + formScript + `</script>
</body>
</html>
`))

func writeForm(w http.ResponseWriter, redirectURI string, params Params) (status int) {
	// As a URL, html/template would normalise it, and the client would be sent to something that is not byte
	// for byte what was verified. It is escaped as any other text, and its scheme is http or https.
	action := template.HTMLAttr(`action="` + template.HTMLEscapeString(redirectURI) + `"`)
	var page bytes.Buffer
	err := formPage.Execute(&page, struct {
		Action template.HTMLAttr
		Params Params
	}{action, params})
	if err != nil {
		http.Error(w, "the authorization response could not be written", http.StatusInternalServerError)
		return http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", formPolicy)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(page.Bytes()) // the browser is gone if this fails
	return http.StatusOK
}
