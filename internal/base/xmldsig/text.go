package xmldsig

import (
	"bytes"
	"errors"
	"regexp"
	"unicode/utf8"
)

// byteOrderMark is U+FEFF in UTF-8. It may stand at the beginning of a document and
// is not a part of it (XML 1.0 section 4.3.3).
var byteOrderMark = []byte("\xef\xbb\xbf")

// maxDeclaration is the size of an XML declaration in octets.
const maxDeclaration = 512

// xmlDeclaration matches an XML declaration of version 1.0 in UTF-8 (XML 1.0 section
// 2.8). A document with another one is refused.
var xmlDeclaration = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"(?i:utf-8)"|'(?i:utf-8)'))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"yes"|"no"|'yes'|'no'))?[ \t\r\n]*\?>`)

// checkText returns the document without its byte order mark and its XML
// declaration. It refuses other encodings than UTF-8, and everything that begins
// with "<!" or "<?".
func checkText(doc []byte) ([]byte, error) {
	// UTF-16 is looked for first, because its byte order mark is not UTF-8.
	for _, mark := range []string{"\xff\xfe", "\xfe\xff", "<\x00", "\x00<"} {
		if bytes.HasPrefix(doc, []byte(mark)) {
			return nil, errors.New("xmldsig: the document is in UTF-16 or UTF-32, and only UTF-8 is read")
		}
	}
	// Invalid UTF-8 would be replaced by the decoder, and by each one differently.
	if !utf8.Valid(doc) {
		return nil, errors.New("xmldsig: not UTF-8")
	}
	doc = bytes.TrimPrefix(doc, byteOrderMark)
	if bytes.HasPrefix(doc, byteOrderMark) {
		return nil, errors.New("xmldsig: two byte order marks")
	}
	// An XML declaration is short, and the expression is slow on a long one.
	if declaration := xmlDeclaration.Find(doc[:min(len(doc), maxDeclaration)]); declaration != nil {
		doc = doc[len(declaration):]
	}
	return doc, checkMarkup(doc)
}

// checkMarkup names the first construct that is refused. Neither "<!" nor "<?"
// occurs in well-formed XML that has no comment, CDATA section, document type or
// processing instruction.
func checkMarkup(doc []byte) error {
	if i := bytes.Index(doc, []byte("<!")); i >= 0 {
		switch rest := doc[i:]; {
		case bytes.HasPrefix(rest, []byte("<!--")):
			return errors.New("xmldsig: a comment")
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			return errors.New("xmldsig: a CDATA section")
		case bytes.HasPrefix(rest, []byte("<!DOCTYPE")):
			return errors.New("xmldsig: a document type")
		default:
			return errors.New("xmldsig: a markup declaration")
		}
	}

	i := bytes.Index(doc, []byte("<?"))
	if i < 0 {
		return nil
	}
	rest := doc[i:]
	// A target such as xml-stylesheet is no XML declaration.
	if !bytes.HasPrefix(rest, []byte("<?xml")) || len(rest) <= 5 || bytes.IndexByte([]byte(" \t\r\n"), rest[5]) < 0 {
		return errors.New("xmldsig: a processing instruction, for example a style sheet")
	}
	if i > 0 {
		return errors.New("xmldsig: an XML declaration that is not at the beginning of the document")
	}
	return errors.New("xmldsig: an XML declaration other than version 1.0 in UTF-8")
}

// normalizeAttributes replaces each literal tab and line end inside an attribute
// value by a blank (XML 1.0 sections 2.11 and 3.3.3). Go's decoder keeps them, but
// signers have read the value with blanks. Character references such as &#10; stay:
// they stand for the character itself.
//
// The document has passed checkMarkup, so that each "<" begins a tag. One that does
// not is not well-formed, and is refused later. Whatever is changed here, the
// scanner and the tree read the result and nothing else.
func normalizeAttributes(doc []byte) []byte {
	// Most documents have no such value, and are returned as they are.
	if !bytes.ContainsAny(doc, "\t\r\n") {
		return doc
	}

	out := make([]byte, 0, len(doc))
	var inTag bool
	var quote byte // the quote that ends the current value, or 0
	for i, c := range doc {
		switch {
		case quote == 0:
			switch {
			case !inTag:
				inTag = c == '<'
			case c == '>':
				inTag = false
			case c == '"' || c == '\'':
				quote = c
			}
		case c == quote:
			quote = 0
		case c == '\n' && doc[i-1] == '\r':
			// Both characters are one line end, which became a blank already.
			continue
		case c == '\t' || c == '\n' || c == '\r':
			c = ' '
		}
		out = append(out, c)
	}
	return out
}
