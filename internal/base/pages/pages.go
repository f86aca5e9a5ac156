// Package pages writes the server's own pages: the error page, the page that shows a
// code, and the form that posts an answer to the client. The consent page is in
// package consentpage.
//
// The pages are fixed text into which escaped values are put. html/template would
// make the linker keep every exported method of a program, about 3 MB of each host's
// binary. No page has a script but the form, no page may be framed or cached, and
// none sends a Referer.
package pages

import (
	_ "embed"
	"html"
	"net/http"
	"strings"

	"github.com/grantwell/grantwell/internal/base/ids"
)

//go:embed style.css
var style string

// Style returns the style sheet that the pages share.
func Style() string { return style }

// Headers sets what every page and every redirect of a browser carries. The policy
// leaves styles and scripts alone, because a page of the host may follow; the
// server's own pages have a stricter one.
func Headers(h http.Header) {
	for _, f := range headers {
		h[f.name] = f.value
	}
}

// headers are shared by all answers. A caller that wants another value sets another
// slice, as [http.Header.Set] does.
var headers = [...]struct {
	name  string
	value []string
}{
	{"Cache-Control", []string{"no-store"}},
	{"Referrer-Policy", []string{"no-referrer"}},
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"DENY"}},
	{"Content-Security-Policy", []string{"frame-ancestors 'none'; base-uri 'none'"}},
}

// Error writes the error page with this status. The name of the request joins the page
// with the operator's log; "" shows none.
func Error(w http.ResponseWriter, status int, code, description, request string) {
	if request != "" {
		request = `, request <bdi id="request-id">` + html.EscapeString(request) + `</bdi>`
	}
	if description == "" {
		description = "The request cannot be answered."
	}
	Write(w, status, "Error", `<h1>An error occurred</h1>
<p>`+html.EscapeString(description)+`</p>
<p class="foot">Close this page and go back to the application. If it happens again, tell its makers: error `+
		html.EscapeString(code)+request+`.</p>`, "'none'")
}

// Code writes the page that shows an authorization code to the user.
func Code(w http.ResponseWriter, code string) {
	Write(w, http.StatusOK, "Your code", `<h1>Copy this code into the application</h1>
<p>It works once, and for a short time.</p>
<code id="authorization-code">`+html.EscapeString(code)+`</code>
<p class="foot">Never give it to a person who asks you for it by mail or telephone.</p>`, "'none'")
}

// Write writes a page around content, which is HTML. FormAction is the source of the
// policy's form-action; it is not escaped.
func Write(w http.ResponseWriter, status int, title, content, formAction string) {
	nonce := ids.New()
	var b strings.Builder
	b.Grow(len(style) + len(content) + 512)
	b.WriteString(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>`)
	b.WriteString(html.EscapeString(title))
	b.WriteString(`</title><style nonce="` + nonce + `">`)
	b.WriteString(style)
	b.WriteString("</style></head>\n<body><main>\n")
	b.WriteString(content)
	b.WriteString("\n</main></body></html>\n")

	h := w.Header()
	Headers(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", Policy(nonce, formAction))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String())) // it fails if the browser is gone
}

// Policy returns the Content-Security-Policy of a page whose style sheet has the
// nonce.
func Policy(nonce, formAction string) string {
	return "default-src 'none'; style-src 'nonce-" + nonce + "'; img-src https: data:; form-action " +
		formAction + "; frame-ancestors 'none'; base-uri 'none'"
}
