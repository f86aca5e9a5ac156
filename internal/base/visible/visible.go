// Package visible judges texts that a client chose and a user reads.
package visible

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Check reports whether every character of a text can be seen, and none changes the
// direction or the line of what stands around it (Unicode Standard Annex 9).
func Check(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, hidden) < 0
}

// Only returns a text without what [Check] refuses. Of a line break a space is left.
func Only(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case hidden(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}

// hidden reports whether a character shows nothing of its own: controls, format
// characters such as bidirectional overrides, separators of lines and paragraphs, and
// letters and marks that are blank by definition.
func hidden(r rune) bool {
	switch r {
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0:
		return true
	}

	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) ||
		0xfe00 <= r && r <= 0xfe0e || 0xe0100 <= r && r <= 0xe01ef || 0x180b <= r && r <= 0x180d
}
