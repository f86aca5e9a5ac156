package pages_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/pages"
)

// The language is the first known one of ui_locales, then the most wanted one of
// Accept-Language, then English (OpenID Connect Core section 3.1.2.1, RFC 9110 section
// 12.5.4). Long lists are not read.
//
// Holds: house: texts of the host.
func TestLanguage_SuitsTheUser(t *testing.T) {
	t.Parallel()
	texts := &pages.Texts{Added: map[string]map[string]string{"fr": {"Error": "Erreur"}, "de": {"Error": "Panne"}}}
	pad := func(s string, n int) string { return s + strings.Repeat(" ", n-len(s)) }
	for _, c := range []struct{ locales, accept, tag, text string }{
		{"", "", "en", "Error"},
		{"fr", "de", "fr", "Erreur"},
		{"xx fr de", "", "fr", "Erreur"},
		{"FR-ca", "", "fr", "Erreur"},
		{"xx", "de-AT", "de", "Panne"},
		{"en", "de", "en", "Error"},
		{"", "xx, yy", "en", "Error"},
		{"", "en;q=0.1, de;q=0.9", "de", "Panne"},
		{"", "en; q=0.5, fr; q=0.51", "fr", "Erreur"},
		{"", "de;q=0, fr;q=0.001", "fr", "Erreur"},
		{"", "de;q=0.000, en", "en", "Error"},
		{"", "fr, de;q=1.0", "fr", "Erreur"},
		{"", "fr;q=0.8, de;q=0.80", "fr", "Erreur"},
		{"", "fr;q=0.5, de", "de", "Panne"},
		{pad("fr", 512), "", "fr", "Erreur"},
		{pad("fr", 513), "de", "de", "Panne"},
		{"", pad("fr", 512), "fr", "Erreur"},
		{"", pad("fr", 513), "en", "Error"},
		{strings.Repeat("xx ", 15) + "fr", "", "fr", "Erreur"},
		{strings.Repeat("xx ", 16) + "fr", "", "en", "Error"},
	} {
		l := texts.In(c.locales, c.accept)
		require.Equal(t, c.tag, l.Tag, "%+v", c)
		require.Equal(t, c.text, l.Text("Error"), "%+v", c)
	}

	// What the host leaves out is built in, also for English.
	require.Equal(t, "Weiter", texts.In("de", "").Text("Continue"))
	texts.Added["en"] = map[string]string{"Continue": "Go on"}
	require.Equal(t, "Go on", texts.In("", "").Text("Continue"))
	texts.Layout = func(language, title, _, _ string) string { return language + " " + title }
	w := httptest.NewRecorder()
	pages.Code(w, texts.In("", ""), "x")
	require.Equal(t, "en Your code", w.Body.String(), "the layout is that of every language")
	require.Equal(t, "de", (*pages.Texts)(nil).In("de", "").Tag)
}

// A host translates by a copy of a built-in catalogue: of another language it gets the
// English texts.
//
// Holds: house: texts of the host.
func TestCatalogue_IsACopy(t *testing.T) {
	t.Parallel()
	german := pages.Catalogue("de")
	require.Equal(t, "Weiter", german["Continue"])
	german["Continue"] = "x"
	require.Equal(t, "Weiter", pages.Catalogue("de")["Continue"])
	english := pages.Catalogue("fr")
	require.Equal(t, "Continue", english["Continue"])
	require.Len(t, english, len(german))
}

// The page that posts an answer has a button, for a browser without scripts.
func TestFormPost_HasAButton(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	pages.FormPost(w, pages.Language{}, "https://app.example/cb?a=1&b=2", func(field func(name, value string)) { field("code", `"x`) })
	body := w.Body.String()
	require.Contains(t, body, `<form method="post" action="https://app.example/cb?a=1&amp;b=2">`)
	require.Contains(t, body, `<input type="hidden" name="code" value="&#34;x">`)
	require.Contains(t, body, "<button>Continue</button>")
	require.Contains(t, body, "press the button")
	require.Equal(t, 1, strings.Count(body, "<script>"))
}
