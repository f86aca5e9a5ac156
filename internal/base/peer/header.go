package peer

import (
	"net/netip"
	"strings"
)

// maxLine bounds a line of a forwarding header that is parsed, in bytes. A proxy adds
// less than 100 to what the sender wrote.
const maxLine = 4 << 10

// sender reads an address as net/http writes it, or in another spelling that a
// middleware may have written.
func sender(remote string) netip.Addr {
	if usual, err := netip.ParseAddrPort(remote); err == nil {
		return usual.Addr().Unmap()
	}

	return host(remote)
}

// host reads an address in the spellings that servers and proxies write: with or
// without a port, in brackets or not, in quotes or not. It returns the zero address
// for any other text.
func host(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	switch {
	case strings.HasPrefix(s, "["):
		inner, rest, ok := strings.Cut(s[1:], "]")
		if !ok || rest != "" && rest[0] != ':' {
			return netip.Addr{}
		}
		s = inner
	case strings.Count(s, ":") == 1: // an IPv6 address has two or more
		s, _, _ = strings.Cut(s, ":")
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}

	return addr.Unmap()
}

// listed splits a line of X-Forwarded-For or X-Forwarded-Proto. Of a line that is too
// long, the end is read: the sender wrote its beginning.
func listed(line string) ([]string, bool) {
	if len(line) > maxLine {
		_, line, _ = strings.Cut(line[len(line)-maxLine:], ",")
	}
	var names []string
	for name := range strings.SplitSeq(line, ",") {
		// Empty elements of a list are ignored (RFC 9110 section 5.6.1).
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}

	return names, true
}

// forwardedFor returns the senders that a line of Forwarded names, "" for an element
// that names none.
func forwardedFor(line string) ([]string, bool) {
	var out []string
	ok := forwarded(line, func(pairs map[string]string) { out = append(out, pairs["for"]) })

	return out, ok
}

// forwardedProto returns the protocols that a line of Forwarded names.
func forwardedProto(line string) ([]string, bool) {
	var out []string
	ok := forwarded(line, func(pairs map[string]string) {
		if proto, named := pairs["proto"]; named {
			out = append(out, proto)
		}
	})

	return out, ok
}

// forwarded parses a line of Forwarded (RFC 7239 section 4) and calls yield for each
// element. It reports whether the line is well formed: after a quote that is not
// closed, what a proxy added would be taken for the sender's text.
func forwarded(line string, yield func(pairs map[string]string)) bool {
	if len(line) > maxLine {
		return false
	}
	elements, ok := split(line, ',')
	if !ok {
		return false
	}
	for _, element := range elements {
		fields, ok := split(element, ';')
		if !ok {
			return false
		}
		pairs := make(map[string]string, len(fields))
		for _, field := range fields {
			name, value, _ := strings.Cut(field, "=")
			name = strings.ToLower(strings.TrimSpace(name))
			if _, twice := pairs[name]; twice {
				return false
			}
			if name != "" {
				pairs[name] = strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
		yield(pairs)
	}

	return true
}

// split splits at a separator outside of quoted strings (RFC 9110 section 5.6.4).
func split(s string, separator byte) (parts []string, ok bool) {
	quoted := false
	from := 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}

	return append(parts, s[from:]), !quoted
}
