package peer

import "errors"

// Check refuses proxies that are no network, and those that are every address: any
// caller could then write the address that limits count by.
func (p Proxies) Check() error {
	for _, network := range p {
		switch {
		case !network.IsValid():
			return errors.New("TrustedProxies: has an invalid prefix")
		case network.Bits() == 0:
			return errors.New("TrustedProxies: trusts every address, so that any caller may claim to be another")
		}
	}

	return nil
}
