package visible

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxFold bounds the part of a name that is folded, in bytes. Compatible forms of a
// character can be 18 times as long.
const maxFold = 256

// Fold returns one text for all spellings of a name that a host may take for the same:
// composed and decomposed letters, full-width and other compatible forms (NFKC, Unicode
// Standard Annex 15), upper and lower case, with and without characters that cannot be
// seen, and with more or fewer blanks. Names that differ after 256 bytes are one.
func Fold(name string) string {
	name = strings.ToValidUTF8(name[:min(len(name), maxFold)], "")
	name = strings.Map(unseen, norm.NFKC.String(name))
	name = norm.NFKC.String(strings.Map(foldCase, name))

	return strings.Join(strings.Fields(name), " ")
}

// unseen removes what cannot be seen, variation selectors of pictures too, and keeps
// white space.
func unseen(r rune) rune {
	if unicode.IsSpace(r) {
		return ' '
	}
	if hidden(r) || r == 0xfe0f {
		return -1
	}

	return r
}

// foldCase returns one and the same character for all cases of a letter.
func foldCase(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}

	return least
}
