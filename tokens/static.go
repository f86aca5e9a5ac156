package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// StaticKeys returns Keys that do not change. The key signing signs. The others
// are published beside it, for example those of before a rotation by hand. It
// returns an error if signing cannot sign, if a key is not valid (see
// [Key.Check]), or if two keys have the same ID. To change keys by a schedule,
// see [Rotation].
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

// staticKeys is a list whose first key signs.
type staticKeys struct{ all []Key }

func (s *staticKeys) Signing(context.Context) (Key, error)     { return s.all[0], nil }
func (s *staticKeys) Published(context.Context) ([]Key, error) { return s.all, nil }

// Format keeps package fmt from printing the private keys.
func (s *staticKeys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "tokens.StaticKeys") }

// checkKeys returns an error for each key that is not valid and each ID that
// occurs twice.
func checkKeys(keys []Key) error {
	var errs []error
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		if err := k.Check(); err != nil {
			errs = append(errs, err)
		}
		if seen[k.ID] {
			errs = append(errs, fmt.Errorf("tokens: two keys have the ID %q", k.ID))
		}
		seen[k.ID] = true
	}
	return errors.Join(errs...)
}
