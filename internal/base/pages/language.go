package pages

import (
	"maps"
	"slices"
	"strings"
)

// Texts chooses the language of pages, and what surrounds them. The zero value has
// the languages that are built in. It is to be read only.
type Texts struct {
	// Added are catalogues of the host: by language tag, the translations of the
	// English texts. They are asked before the built-in ones.
	Added map[string]map[string]string
	// Layout writes the document around the content of a page; nil: the built-in one.
	Layout func(language, title, nonce, content string) string
}

// Language is what a page is written in. The zero value is English.
type Language struct {
	Tag    string
	texts  *Texts
	native map[string]string
}

// maxTags bounds the language tags of one request that are looked at, and maxLocales
// the text that has them, in bytes.
const (
	maxTags    = 16
	maxLocales = 512
)

// Catalogue returns a copy of a built-in catalogue: the translations by English text.
// Of a language that is not built in it returns English.
func Catalogue(language string) map[string]string {
	if native := builtIn[language]; native != nil {
		return maps.Clone(native)
	}

	english := make(map[string]string)
	for text := range german {
		english[text] = text
	}

	return english
}

var builtIn = map[string]map[string]string{"de": german}

// In returns the language that suits a user best: the first known one of ui_locales,
// which the client sent (OpenID Connect Core section 3.1.2.1), then of the browser's
// Accept-Language (RFC 9110 section 12.5.4), then English.
func (t *Texts) In(uiLocales, acceptLanguage string) Language {
	if len(uiLocales) <= maxLocales {
		if l, ok := t.first(strings.Fields(uiLocales)); ok {
			return l
		}
	}
	if acceptLanguage != "" && len(acceptLanguage) <= maxLocales {
		if l, ok := t.first(preferred(acceptLanguage)); ok {
			return l
		}
	}

	return Language{Tag: "en", texts: t, native: t.catalogue("en")}
}

// first returns the first of the languages that is known.
func (t *Texts) first(tags []string) (Language, bool) {
	for _, tag := range tags[:min(len(tags), maxTags)] {
		// "de-AT" is looked up as itself and then as "de" (RFC 4647 section 3.4).
		for tag != "" {
			if known, native := t.find(tag); known != "" {
				return Language{Tag: known, texts: t, native: native}, true
			}
			tag = tag[:max(0, strings.LastIndexByte(tag, '-'))]
		}
	}

	return Language{}, false
}

// find returns a catalogue and the tag under which it is known.
func (t *Texts) find(tag string) (string, map[string]string) {
	if t != nil {
		for known := range t.Added {
			if strings.EqualFold(known, tag) {
				return known, t.catalogue(known)
			}
		}
	}
	tag = strings.ToLower(tag)
	if tag == "en" || builtIn[tag] != nil {
		return tag, builtIn[tag]
	}

	return "", nil
}

// catalogue returns what the host added for a language, before what is built in.
func (t *Texts) catalogue(tag string) map[string]string {
	if t == nil || t.Added[tag] == nil {
		return builtIn[tag]
	}
	base := maps.Clone(builtIn[tag])
	if base == nil {
		return t.Added[tag]
	}
	maps.Copy(base, t.Added[tag])

	return base
}

// Text returns the translation of an English text, or the text itself.
func (l Language) Text(english string) string {
	if text := l.native[english]; text != "" {
		return text
	}

	return english
}

// preferred returns the tags of Accept-Language, the most wanted first. A weight is
// compared as text: it has at most three digits after "0." (RFC 9110 section 12.4.2).
func preferred(header string) []string {
	type wish struct{ tag, weight string }
	var wishes []wish
	for _, part := range strings.Split(header, ",") {
		tag, weight, given := strings.Cut(part, ";")
		weight = strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		if !given {
			weight = "1"
		}
		// Zeros at the end mean nothing: of two languages of one weight, the first is meant.
		if weight = strings.TrimRight(weight, "0."); weight != "" {
			wishes = append(wishes, wish{strings.TrimSpace(tag), weight})
		}
	}
	slices.SortStableFunc(wishes, func(a, b wish) int { return strings.Compare(b.weight, a.weight) })

	tags := make([]string, len(wishes))
	for i := range wishes {
		tags[i] = wishes[i].tag
	}

	return tags
}
