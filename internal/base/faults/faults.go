// Package faults collects why a configuration is wrong.
package faults

import (
	"errors"
	"fmt"
	"time"
)

// List is a list of faults. Each begins with the name of a field. The zero value is
// empty.
type List []error

// Add adds a fault.
func (l *List) Add(format string, args ...any) { *l = append(*l, fmt.Errorf(format, args...)) }

// Duration gives a duration its preset if it is zero, and adds a fault if it is negative
// or above most.
func (l *List) Duration(name string, d *time.Duration, preset, most time.Duration) {
	if *d == 0 {
		*d = preset
	}
	if *d < 0 || *d > most {
		l.Add("%s: must be between 0s and %v", name, most)
	}
}

// Err returns the faults as one error, or nil if there are none.
func (l List) Err() error { return errors.Join(l...) }

// Named joins errors, which may be joined themselves, and puts a prefix before each
// fault. It returns nil if there are none.
func Named(prefix string, errs ...error) error {
	var out []error
	for _, err := range errs {
		for _, fault := range flat(err) {
			out = append(out, fmt.Errorf("%s%w", prefix, fault))
		}
	}

	return errors.Join(out...)
}

// flat returns the errors that are joined in err.
func flat(err error) []error {
	if err == nil {
		return nil
	}

	// Only the outermost value is a list, so errors.As would find too much.
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}

	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, flat(e)...)
	}

	return out
}
