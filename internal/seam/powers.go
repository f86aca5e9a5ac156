package seam

import (
	"errors"
	"reflect"

	"github.com/grantwell/grantwell/grants"
)

// Powers are those of all specifications together.
type Powers struct {
	Parameters []string
	Resolvers  []Resolver
	Checkers   []Checker
	Responders []Responder
	Encoders   []Encoder
	Formatters []Formatter
	Endpoints  []Endpoint
	Describers []Describer
	Binders    []Binder
}

// Preparer is a specification with settings of its own. Prepare fills in their
// defaults and returns why they are wrong: each reason begins with the name of a field
// of the host's configuration.
type Preparer interface {
	Prepare() error
}

// Gather prepares specifications and finds their powers.
func Gather(specifications ...any) (Powers, error) {
	var p Powers
	var wrong []error
	for _, s := range specifications {
		if s, ok := s.(Preparer); ok {
			wrong = append(wrong, s.Prepare())
		}
		if s, ok := s.(Parameters); ok {
			p.Parameters = append(p.Parameters, s.Parameters()...)
		}
		if s, ok := s.(Endpoints); ok {
			p.Endpoints = append(p.Endpoints, s.Endpoints()...)
		}
		add(&p.Resolvers, s)
		add(&p.Checkers, s)
		add(&p.Responders, s)
		add(&p.Encoders, s)
		add(&p.Formatters, s)
		add(&p.Describers, s)
		add(&p.Binders, s)
	}

	return p, errors.Join(wrong...)
}

func add[P any](to *[]P, s any) {
	if power, ok := s.(P); ok {
		*to = append(*to, power)
	}
}

// maxWrappers bounds how many grants may wrap each other.
const maxWrappers = 16

// PowerOf returns a power that describes a grant: the grant's own or, if it wraps
// another one, that of the inner grant. A grant that embeds another has its methods
// anyway.
func PowerOf[P any](h grants.Handler) (power P, ok bool) {
	for range maxWrappers {
		if power, ok = h.(P); ok {
			return power, true
		}
		w, wraps := h.(grants.Wrapper)
		if !wraps {
			break
		}
		h = w.Unwrap()
	}

	return power, false
}

// Own reports whether the type of v is one of package grants. Its values only read
// the client that they see, which may share its memory with the store. Every other
// type, one that embeds a type of the package too, is the host's: it gets a copy.
func Own(v any) bool {
	t := reflect.TypeOf(v)
	if t == nil {
		return false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}

	return t.PkgPath() == reflect.TypeFor[grants.AuthorizationCode]().PkgPath()
}
