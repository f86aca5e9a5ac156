package peer

import "errors"

// Check refuses proxies that are no network, and those that are every address: any
// caller could then write the address that limits count by.
func (p *Proxies) Check() error {
	for _, network := range p.Networks {
		switch {
		case !network.IsValid():
			return errors.New("TrustedProxies: has an invalid prefix")
		case network.Bits() == 0:
			return errors.New("TrustedProxies: trusts every address, so that any caller may claim to be another")
		case network.Addr().Is4In6():
			return errors.New("TrustedProxies: has an IPv4 network in the form of IPv6, which no address is in; write it as IPv4")
		}
	}

	return nil
}
