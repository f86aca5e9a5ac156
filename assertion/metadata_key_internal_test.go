package assertion

import (
	"bytes"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"
)

// SAML metadata carries keys in certificates and trusts the keys (SAML metadata
// section 2.4.1.1), so a negative serial number drops none.
func TestCertifiedKey_ANegativeSerialNumberDropsNoKey(t *testing.T) {
	t.Parallel()
	key := samlKeys().rsa
	cert := testCertificate(t, key, testNow, testNow.AddDate(1, 0, 0))
	serial := append([]byte{2, byte(len(cert.SerialNumber.Bytes()))}, cert.SerialNumber.Bytes()...)
	negative := bytes.Clone(serial)
	negative[2] |= 0x80
	der := bytes.Replace(cert.Raw, serial, negative, 1)
	_, err := x509.ParseCertificate(der)
	require.Error(t, err)

	got, err := certifiedKey(der)
	require.NoError(t, err)
	require.True(t, key.PublicKey.Equal(got))
	_, err = certifiedKey(der[:40])
	require.Error(t, err)
}
