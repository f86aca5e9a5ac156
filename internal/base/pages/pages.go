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

// BeforeForm changes the headers for a page whose form is posted to the same origin.
// Under no-referrer a browser says that the origin of such a form is "null", and the
// protection against forgery that hosts use refuses it.
func BeforeForm(h http.Header) { h["Referrer-Policy"] = sameOrigin }

var sameOrigin = []string{"same-origin"}

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

// Error writes the error page with this status. Back, if it is not empty, is a verified
// URL of the client to which a link leads. The name of the request joins the page with
// the operator's log; "" shows none.
func Error(w http.ResponseWriter, l Language, status int, code, description, back, request string) {
	if description == "" {
		description = "The request cannot be answered."
	}
	content := "<h1>" + l.escaped("An error occurred") + "</h1>\n<p>" + l.escaped(description) + "</p>\n"
	if back != "" {
		content += `<p><a id="back" href="` + html.EscapeString(back) + `" rel="noreferrer">` +
			l.escaped("Back to the application") + "</a></p>\n"
	}
	if request != "" {
		request = `, request <bdi id="request-id">` + html.EscapeString(request) + `</bdi>`
	}
	content += `<p class="foot">` +
		l.escaped("Close this page and go back to the application. If it happens again, tell its makers:") +
		" error " + html.EscapeString(code) + request + ".</p>"
	write(w, l, status, "Error", content, "")
}

// Code writes the page that shows an authorization code to the user.
func Code(w http.ResponseWriter, l Language, code string) {
	write(w, l, http.StatusOK, "Your code", "<h1>"+l.escaped("Copy this code into the application")+"</h1>\n<p>"+
		l.escaped("It works once, and for a short time.")+"</p>\n"+
		`<code id="authorization-code">`+html.EscapeString(code)+"</code>\n"+`<p class="foot">`+
		l.escaped("Never give it to a person who asks you for it by mail or telephone.")+"</p>", "")
}

// Denied writes the page that a user sees whose application shows no page of its own,
// after access was denied. It is no failure, so it does not say so.
func Denied(w http.ResponseWriter, l Language, status int, code string) {
	write(w, l, status, "Access was not given", "<h1>"+l.escaped("Access was not given")+"</h1>\n<p>"+
		l.escaped("The application was not given access. You can close this page.")+"</p>\n"+
		`<p class="foot"><small>error: `+html.EscapeString(code)+"</small></p>", "")
}

// escaped returns the translation of an English text as HTML.
func (l Language) escaped(english string) string { return html.EscapeString(l.Text(english)) }

// write writes a page around content, which is HTML. Script is the source of a script
// that the content has; "": none.
func write(w http.ResponseWriter, l Language, status int, title, content, script string) {
	nonce := ids.New()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", Policy(nonce, script))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(l.document(title, nonce, content))) // it fails if the browser is gone
}

// document puts content into the host's layout or the built-in one.
func (l Language) document(title, nonce, content string) string {
	tag := l.Tag
	if tag == "" {
		tag = "en"
	}
	title = l.Text(title)
	if l.texts != nil && l.texts.Layout != nil {
		return l.texts.Layout(tag, title, nonce, content)
	}

	var b strings.Builder
	b.Grow(len(style) + len(content) + 512)
	b.WriteString("<!doctype html>\n<html lang=\"" + html.EscapeString(tag) + `"><head><meta charset="utf-8">`)
	b.WriteString(`<meta name="viewport" content="width=device-width, initial-scale=1"><title>`)
	b.WriteString(html.EscapeString(title))
	b.WriteString(`</title><style nonce="` + nonce + `">`)
	b.WriteString(style)
	b.WriteString("</style></head>\n<body><main>\n")
	b.WriteString(content)
	b.WriteString("\n</main></body></html>\n")

	return b.String()
}

// Policy returns the Content-Security-Policy of a page whose style sheet has the nonce.
// Script is the source of a script that it may run, "": none.
//
// It has no form-action. Browsers apply that to each redirect that follows a form's
// answer as well, and the client decides where the last of them lead. default-src does
// not cover it.
func Policy(nonce, script string) string {
	policy := "default-src 'none'; style-src 'nonce-" + nonce + "'; img-src https: data:; "
	if script != "" {
		policy += "script-src '" + script + "'; "
	}

	return policy + "frame-ancestors 'none'; base-uri 'none'"
}
