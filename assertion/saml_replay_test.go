package assertion

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// Holds: RFC 7521 section 4.1; RFC 7522 section 3.
func TestSAML_SecondUseIsRefused(t *testing.T) {
	t.Parallel()
	s := newTestSAML(t, nil)
	doc := honest(t)
	_, err := verifyDoc(s, doc)
	require.NoError(t, err)
	_, err = verifyDoc(s, doc)
	requireReason(t, ReasonReplay, err)
	// Another encoding of the same assertion is the same assertion.
	_, err = verifyDoc(s, "\n"+strings.Replace(doc, "<ds:SignatureValue>", "<ds:SignatureValue>\n", 1))
	requireReason(t, ReasonReplay, err)
}

// Holds: RFC 7522 section 3.
func TestSAML_OfManyConcurrentUsesOneWins(t *testing.T) {
	t.Parallel()
	s := newTestSAML(t, nil)
	doc := honest(t)
	var wins sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, err := verifyDoc(s, doc); err == nil {
				wins.Store(i, true)
			}
		})
	}
	all.Wait()
	n := 0
	wins.Range(func(any, any) bool { n++; return true })
	require.Equal(t, 1, n)
}

// The entry lives as long as any confirmation could still hold.
//
// Holds: RFC 7522 section 3.
func TestSAML_ReplayEntryOutlivesEveryConfirmation(t *testing.T) {
	t.Parallel()
	memory := &replayMemory{}
	s := newTestSAML(t, func(c *SAMLConfig) { c.Replay = memory })
	doc := drafted(func(d *draft) {
		d.subject = `<saml:Subject>` + nameID + bearer(testRecipient, `NotOnOrAfter="2026-03-01T12:01:00Z"`) +
			bearer("https://other.example", `NotOnOrAfter="2026-03-01T12:30:00Z"`) + `</saml:Subject>`
		d.conditions = strings.Replace(d.conditions, "12:05:00Z", "12:40:00Z", 1)
	})(t)
	got, err := verifyDoc(s, doc)
	require.NoError(t, err)
	require.Equal(t, testNow.Add(time.Minute), got.Expires)
	require.Equal(t, testNow.Add(31*time.Minute), memory.used[testIssuer+"\x00_a1"])
}

// Holds: RFC 7521 section 4.1; SAML Core section 2.5.1.5.
func TestSAML_AllowReuseNeverOverridesOneTimeUse(t *testing.T) {
	t.Parallel()
	once := drafted(replace(inConditions, audience(testAudience), audience(testAudience)+"<saml:OneTimeUse/>"))(t)
	reuse := newTestSAML(t, func(c *SAMLConfig) { c.AllowReuse = true })
	for range 2 {
		_, err := verifyDoc(reuse, honest(t))
		require.NoError(t, err)
	}
	_, err := verifyDoc(reuse, once)
	require.NoError(t, err)
	_, err = verifyDoc(reuse, once)
	requireReason(t, ReasonReplay, err)

	none := newTestSAML(t, func(c *SAMLConfig) { c.AllowReuse, c.Replay = true, nil })
	_, err = verifyDoc(none, once)
	requireReason(t, ReasonReplay, err)
}

// Reuse can be allowed to one issuer, for grants that have no OneTimeUse.
//
// Holds: RFC 7521 section 4.1; SAML Core section 2.5.1.5.
func TestSAML_ReuseOfOneIssuer(t *testing.T) {
	t.Parallel()
	once := drafted(replace(inConditions, audience(testAudience), audience(testAudience)+"<saml:OneTimeUse/>"))(t)
	for name, c := range map[string]struct {
		allow bool
		use   Use
		doc   string
		want  Reason
	}{
		"allowed":      {true, Grant, honest(t), ""},
		"not allowed":  {false, Grant, honest(t), ReasonReplay},
		"one time use": {true, Grant, once, ReasonReplay},
		"client":       {true, ClientAuth, honest(t), ReasonReplay},
	} {
		issuer := Issuer{ID: testIssuer, Keys: []crypto.PublicKey{&samlKeys().rsa.PublicKey}, AllowReuse: c.allow, Clients: []string{testName, "c"}}
		s := newTestSAML(t, func(config *SAMLConfig) {
			config.Issuers = Issuers(issuer)
			config.AllowClientAuth = true
		})
		r := Request{Use: c.use, Assertion: encoded(c.doc), ClientID: "c"}
		if c.use == ClientAuth {
			r.ClientID = testName
		}
		_, err := s.Verify(t.Context(), r)
		require.NoError(t, err, name)
		_, err = s.Verify(t.Context(), r)
		if c.want == "" {
			require.NoError(t, err, name)
		} else {
			requireReason(t, c.want, err)
		}
	}
}

// A store that fails refuses with server_error, and tells the client nothing.
//
// Holds: RFC 7522 section 3.
func TestSAML_ReplayStoreFailureRefuses(t *testing.T) {
	t.Parallel()
	s := newTestSAML(t, func(c *SAMLConfig) { c.Replay = &replayMemory{err: errors.New("dial 10.0.0.1: refused")} })
	_, err := verifyDoc(s, honest(t))
	refusal := requireReason(t, ReasonUnavailable, err)
	require.Equal(t, codeServerError, refusal.Code)
	require.NotContains(t, refusal.Description(), "10.0.0.1")
}

// Holds: RFC 7521 section 4.1; RFC 7522 section 2.1.
func TestSAML_ParameterIsStrictBase64URL(t *testing.T) {
	t.Parallel()
	doc := honest(t)
	// A document that needs both of the letters that differ, and padding.
	for len(doc)%3 != 1 {
		doc += " "
	}
	raw, std := encoded(doc), base64.StdEncoding.EncodeToString([]byte(doc))
	require.Contains(t, std, "=")
	for name, c := range map[string]struct {
		parameter     string
		strict, loose Reason
	}{
		"base64url":   {raw, "", ""},
		"padded":      {raw + "==", ReasonEncoding, ""},
		"plain":       {std, ReasonEncoding, ""},
		"line breaks": {raw[:76] + "\r\n" + raw[76:], ReasonEncoding, ""},
		"space":       {raw[:76] + " " + raw[76:], ReasonEncoding, ReasonEncoding},
		"raw XML":     {doc, ReasonEncoding, ReasonEncoding},
		"percent":     {"%3D" + raw, ReasonEncoding, ReasonEncoding},
		"not ASCII":   {"é" + raw, ReasonEncoding, ReasonEncoding},
		"loose bits":  {raw[:len(raw)-1] + "B", ReasonEncoding, ReasonEncoding},
		"empty":       {"", ReasonMissing, ReasonMissing},
		"too long":    {strings.Repeat("A", 65537), ReasonSize, ReasonSize},
		"deflated":    {"eJwDAAAAAAE", ReasonSyntax, ReasonSyntax},
	} {
		for mode, want := range map[bool]Reason{false: c.strict, true: c.loose} {
			s := newTestSAML(t, func(config *SAMLConfig) { config.LenientBase64 = mode })
			_, err := s.Verify(t.Context(), Request{Assertion: c.parameter})
			if want == "" {
				require.NoError(t, err, "%s, lenient %v", name, mode)
				continue
			}
			refusal := requireReason(t, want, err)
			if want == ReasonMissing {
				require.Equal(t, codeInvalidRequest, refusal.Code)
			}
		}
	}
}

// Long lists of groups are a matter of the limits.
//
// Holds: RFC 7522 section 2.1.
func TestSAML_LimitsAreOptions(t *testing.T) {
	t.Parallel()
	doc := drafted(replace(inStatements, "<saml:AttributeValue>staff</saml:AttributeValue>",
		strings.Repeat("<saml:AttributeValue>g</saml:AttributeValue>", 600)))(t)
	_, err := verifyDoc(newTestSAML(t, nil), doc)
	requireReason(t, ReasonSize, err)
	got, err := verifyDoc(newTestSAML(t, func(c *SAMLConfig) { c.Limits.Elements = 1000 }), doc)
	require.NoError(t, err)
	require.Len(t, got.Attribute("groups"), 601)
}

// The result has everything that the assertion says, as signed.
//
// Holds: RFC 7522 section 3; house: verified data only.
func TestSAML_AssertionSaysWhatWasSigned(t *testing.T) {
	t.Parallel()
	var events []Event
	s := newTestSAML(t, func(c *SAMLConfig) { c.Observe = func(_ context.Context, e Event) { events = append(events, e) } })
	got, err := s.Verify(t.Context(), Request{Assertion: encoded(honest(t)), ClientID: "app"})
	require.NoError(t, err)
	require.Equal(t, testIssuer, got.Trust.ID)
	require.Equal(t, xmldsig.Thumbprint(&samlKeys().rsa.PublicKey), got.KeyID)
	got.Trust, got.KeyID = nil, ""
	require.Equal(t, &Assertion{
		Format: FormatSAML2, Issuer: testIssuer, ID: "_a1",
		Subject:   Subject{Value: testName, Format: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"},
		Audiences: []string{testAudience},
		IssuedAt:  testNow.Add(-10 * time.Second), NotBefore: testNow.Add(-time.Minute), Expires: testNow.Add(5 * time.Minute),
		Attributes: []Attribute{{Name: "groups", Values: []string{"staff", "admins"}}},
		Authn: []Authn{{Instant: testNow.Add(-2 * time.Minute), SessionIndex: "s1",
			ClassRef: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"}},
	}, got)
	_, err = verifyDoc(s, honest(t))
	require.Error(t, err)
	require.Len(t, events, 2)
	require.Equal(t, Event{Format: FormatSAML2, Issuer: testIssuer, ID: "_a1", ClientID: "app"}, events[0])
	require.Equal(t, ReasonReplay, events[1].Err.Reason)
}

// NewSAML refuses an unsafe configuration and names each wrong field.
//
// Holds: RFC 7522 section 3.
func TestNewSAML_NamesEveryWrongField(t *testing.T) {
	t.Parallel()
	_, err := NewSAML(SAMLConfig{
		ClockSkew: time.Hour, MaxLifetime: -1, Decrypters: make([]crypto.Decrypter, 5),
	})
	for _, field := range []string{"Issuers", "Audiences", "Recipients", "Replay", "ClockSkew", "MaxLifetime", "Decrypters has", "Decrypters[4]"} {
		require.ErrorContains(t, err, "SAMLConfig."+field)
	}
	c := testSAMLConfig()
	c.Issuers = Issuers(Issuer{ID: testIssuer, Keys: []crypto.PublicKey{"not a key"}})
	_, err = NewSAML(c)
	require.ErrorContains(t, err, "Keys[0]")
}

// Explain reports every broken rule, and does not use the assertion up.
func TestSAML_ExplainShowsAllAndUsesNothing(t *testing.T) {
	t.Parallel()
	s := newTestSAML(t, nil)
	req := Request{Assertion: encoded(honest(t))}
	report := s.Explain(t.Context(), req)
	require.Nil(t, report.Err, report.String())
	require.Equal(t, testName, report.Assertion.Subject.Value)
	require.Zero(t, s.config.Replay.(*replayMemory).calls)
	_, err := s.Verify(t.Context(), req)
	require.NoError(t, err)

	broken := drafted(func(d *draft) {
		replace(inConditions, ">"+testAudience, ">urn:other")(d)
		replace(inSubject, testRecipient, "urn:other")(d)
	})(t)
	report = s.Explain(t.Context(), Request{Assertion: encoded(broken)})
	require.Nil(t, report.Assertion)
	require.Equal(t, ReasonAudience, report.Err.Reason)
	var reasons []Reason
	for _, step := range report.Steps {
		if step.Err != nil {
			reasons = append(reasons, step.Err.Reason)
		}
	}
	require.Equal(t, []Reason{ReasonAudience, ReasonRecipient}, reasons)
	require.Contains(t, report.String(), "structure: ok (claims issuer")

	for _, a := range append(lexicalAttacks(), wrappingAttacks()...) {
		report := s.Explain(t.Context(), Request{Assertion: encoded(a.doc(t))})
		require.Equal(t, a.stop, report.Steps[len(report.Steps)-1].Name, a.name)
		require.Nil(t, report.Assertion)
	}
}
