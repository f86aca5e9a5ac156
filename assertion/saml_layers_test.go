package assertion

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// without returns a verifier without one layer.
func without(s *SAMLVerifier, name string) *SAMLVerifier {
	left := slices.DeleteFunc(slices.Clone(s.layers), func(l samlLayer) bool { return l.name == name })
	return &SAMLVerifier{config: s.config, layers: left}
}

// All layers are there, in the order in which each bounds what the next one reads.
func TestSAML_LayersStandInOrder(t *testing.T) {
	t.Parallel()
	var names []string
	for _, layer := range newTestSAML(t, nil).layers {
		names = append(names, layer.name)
	}
	require.Equal(t, []string{
		layerParameter, layerLexical, layerRoundTrip, layerTree, layerDecryption,
		layerStructure, layerAlgorithms, layerSignature, layerContent, layerReplay,
	}, names)
}

// For each layer that is alone in stopping an attack, there is a document that
// gets further without it.
//
// Holds: RFC 7522 section 3; house: XML bounds.
func TestSAML_NoLayerIsSpare(t *testing.T) {
	t.Parallel()
	s := newTestSAML(t, nil)
	stop := func(s *SAMLVerifier, doc string) string {
		name, _ := firstStop(s, Request{Assertion: encoded(doc)})
		return name
	}
	relative := edit("<saml:Subject>", `<saml:Subject xmlns:p="../x">`)(t)
	require.Equal(t, layerLexical, stop(s, relative))
	require.Empty(t, stop(without(s, layerLexical), relative))

	// The layer for the signature reads the algorithms again from the signed octets.
	sha1 := signing{digest: nsDSig + "sha1"}.sign(t, newDraft())
	require.Equal(t, layerAlgorithms, stop(s, sha1))
	require.Equal(t, layerSignature, stop(without(s, layerAlgorithms), sha1))

	doc := honest(t)
	require.Equal(t, layerReplay, stop(s, doc), "the first use was above")
	require.Empty(t, stop(without(s, layerReplay), doc))

	// Without a verified tree nothing is accepted, even if a layer is missing.
	for _, name := range []string{layerSignature, layerContent} {
		got, err := verifyDoc(without(newTestSAML(t, nil), name), strings.Replace(doc, testName, "admin@example.com", 1))
		require.Nil(t, got)
		require.Error(t, err)
	}
}
