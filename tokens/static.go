package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// StaticKeys returns Keys that do not change: signing signs, and the others are published beside it, for example the
// keys of before a rotation by hand. It returns an error if signing cannot sign, if a key is not valid (see
// [Key.Validate]) or if two have the same ID. [Rotation] changes keys by itself.
func StaticKeys(signing Key, others ...Key) (Keys, error) {
	if err := signing.signs(); err != nil {
		return nil, err
	}
	all := append([]Key{signing}, others...)
	if err := checkKeys(all); err != nil {
		return nil, err
	}
	return &staticKeys{all: all}, nil
}

type staticKeys struct{ all []Key } // the first signs

func (s *staticKeys) Signing(context.Context) (Key, error)     { return s.all[0], nil }
func (s *staticKeys) Published(context.Context) ([]Key, error) { return s.all, nil }

// Format keeps fmt from walking into the private keys.
func (s *staticKeys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "tokens.StaticKeys") }

// checkKeys returns an error for every key that is not valid and every ID that is there twice.
func checkKeys(keys []Key) error {
	var errs []error
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if err := k.Validate(); err != nil {
			errs = append(errs, err)
		}
		if seen[k.ID] {
			errs = append(errs, fmt.Errorf("tokens: two keys have the ID %q", k.ID))
		}
		seen[k.ID] = true
	}
	return errors.Join(errs...)
}
