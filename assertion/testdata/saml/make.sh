#!/bin/sh
# Makes the signed and encrypted SAML vectors of this folder with xmlsec1, which
# shares no code with this package. The keys are made here, for tests only, and
# protect nothing. Needs xmlsec1 with OpenSSL, and openssl. The tests fix their
# clock at 2026-03-01T12:00:00Z, so the vectors do not expire.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

key() { # name, genpkey options
	name=$1
	shift
	openssl genpkey "$@" -out "$name.test-only.key.pem" 2>/dev/null
	openssl pkey -in "$name.test-only.key.pem" -pubout -out "$name.pub.pem"
	openssl req -new -x509 -key "$name.test-only.key.pem" -subj "/CN=test only" -days 36500 -out "$tmp/$name.cert.pem"
}
key rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve
key p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -pkeyopt ec_param_enc:named_curve
key p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -pkeyopt ec_param_enc:named_curve
key enc -algorithm RSA -pkeyopt rsa_keygen_bits:2048
openssl req -new -x509 -key rsa.test-only.key.pem -subj "/CN=renewed" -days 1 -set_serial 7 -out "$tmp/renewed.cert.pem"

more=http://www.w3.org/2001/04/xmldsig-more#
enc=http://www.w3.org/2001/04/xmlenc#
exc=http://www.w3.org/2001/10/xml-exc-c14n#

# template: signature algorithm, digest, KeyInfo, PrefixList element, attributes of
# the root, inside of the Attribute's start tag
template() {
	cat <<XML
<?xml version="1.0" encoding="UTF-8"?>
<saml2:Assertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion" ID="_x1" IssueInstant="2026-03-01T11:59:50.123Z" Version="2.0" $5>
  <saml2:Issuer>https://idp.example/metadata</saml2:Issuer>
  <Signature xmlns="http://www.w3.org/2000/09/xmldsig#">
    <SignedInfo>
      <CanonicalizationMethod Algorithm="$exc">$4</CanonicalizationMethod>
      <SignatureMethod Algorithm="$1"/>
      <Reference URI="#_x1">
        <Transforms>
          <Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
          <Transform Algorithm="$exc">$4</Transform>
        </Transforms>
        <DigestMethod Algorithm="$2"/>
        <DigestValue/>
      </Reference>
    </SignedInfo>
    <SignatureValue/>$3
  </Signature>
  <saml2:Subject>
    <saml2:NameID>alice@example.com</saml2:NameID>
    <saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
      <saml2:SubjectConfirmationData NotOnOrAfter="2026-03-01T12:05:00Z" Recipient="https://as.example/token"/>
    </saml2:SubjectConfirmation>
  </saml2:Subject>
  <saml2:Conditions NotBefore="2026-03-01T11:59:00Z" NotOnOrAfter="2026-03-01T12:05:00Z">
    <saml2:AudienceRestriction><saml2:Audience>https://as.example</saml2:Audience></saml2:AudienceRestriction>
  </saml2:Conditions>
  <saml2:AttributeStatement>
    <saml2:Attribute Name="a &lt;&amp;&quot; &#x9;b" $6>
      <saml2:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">Zo&#xEB; &lt;&amp;&gt; "&#xD;" ‰</saml2:AttributeValue>
      <AttributeValue xmlns="urn:oasis:names:tc:SAML:2.0:assertion"><plain xmlns="">structured</plain></AttributeValue>
    </saml2:Attribute>
  </saml2:AttributeStatement>
</saml2:Assertion>
XML
}
sign() { # file, key[,certificate]
	xmlsec1 --sign --privkey-pem "$2" --id-attr:ID "urn:oasis:names:tc:SAML:2.0:assertion:Assertion" --output "$1" "$tmp/t.xml"
	xmlsec1 --verify --pubkey-pem "$(echo "$2" | sed 's/\.test-only.*/.pub.pem/')" --enabled-key-data key-name,rsa,ecdsa \
		--id-attr:ID "urn:oasis:names:tc:SAML:2.0:assertion:Assertion" "$1" 2>/dev/null
}
x509='<KeyInfo><X509Data/></KeyInfo>'
rsa=rsa.test-only.key.pem
for hash in 256 384 512; do
	digest=${enc}sha$hash
	[ $hash = 384 ] && digest=${more}sha384
	template "${more}rsa-sha$hash" "$digest" "" "" "" "" >"$tmp/t.xml"
	sign "rsa-sha$hash.xml" $rsa
done
template "${more}rsa-sha256" "${enc}sha256" "$x509" "" "" "" >"$tmp/t.xml"
sign rsa-keyinfo.xml "$rsa,$tmp/rsa.cert.pem"
sign rsa-renewed.xml "$rsa,$tmp/renewed.cert.pem"
template "${more}ecdsa-sha256" "${enc}sha256" "" "" "" "" >"$tmp/t.xml"
sign ecdsa-p256.xml p256.test-only.key.pem
template "${more}ecdsa-sha256" "${enc}sha256" "$x509" "" "" "" >"$tmp/t.xml"
sign ecdsa-p256-keyinfo.xml "p256.test-only.key.pem,$tmp/p256.cert.pem"
template "${more}ecdsa-sha384" "${more}sha384" "" "" "" "" >"$tmp/t.xml"
sign ecdsa-p384.xml p384.test-only.key.pem
template "${more}ecdsa-sha512" "${enc}sha512" "" "" "" "" >"$tmp/t.xml"
sign ecdsa-p521.xml p521.test-only.key.pem
template "${more}rsa-sha256" "${enc}sha256" "" "<ec:InclusiveNamespaces xmlns:ec=\"$exc\" PrefixList=\"xs u #default\"/>" \
	'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:u="urn:unused" xmlns:v="urn:dropped"' "" >"$tmp/t.xml"
sign inclusive-namespaces.xml $rsa
template "${more}rsa-sha256" "${enc}sha256" "" "" "" \
	'xmlns:b="urn:a" xmlns:a="urn:b" xmlns:c="urn:a:b" a:z="1" b:z="2" b:a="3" c:a="4" a:a="5" xml:lang="en" FriendlyName="f"' >"$tmp/t.xml"
sign attribute-order.xml $rsa
template "http://www.w3.org/2000/09/xmldsig#rsa-sha1" "${enc}sha256" "" "" "" "" >"$tmp/t.xml"
sign refused-sha1.xml $rsa

encrypt() { # output, input, content algorithm, session key, inside of the key's EncryptionMethod
	cat >"$tmp/e.xml" <<XML
<xenc:EncryptedData xmlns:xenc="$enc" Type="${enc}Element"><xenc:EncryptionMethod Algorithm="$3"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="$5">$6</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>
XML
	xmlsec1 --encrypt --pubkey-pem enc.pub.pem --session-key "$4" --xml-data "$2" --output "$tmp/o.xml" "$tmp/e.xml"
	{
		printf '<saml2:EncryptedAssertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion">'
		sed '/^<?xml/d' "$tmp/o.xml"
		printf '</saml2:EncryptedAssertion>\n'
	} >"$1"
}
enc11=http://www.w3.org/2009/xmlenc11#
for bits in 128 192 256; do
	encrypt "encrypted-aes$bits-gcm.xml" rsa-sha256.xml "${enc11}aes$bits-gcm" aes-$bits "${enc}rsa-oaep-mgf1p" ""
done
encrypt refused-aes256-cbc.xml rsa-sha256.xml "${enc}aes256-cbc" aes-256 "${enc}rsa-oaep-mgf1p" ""
encrypt refused-rsa-1_5.xml rsa-sha256.xml "${enc11}aes256-gcm" aes-256 "${enc}rsa-1_5" ""
