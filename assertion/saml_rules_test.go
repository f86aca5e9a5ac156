package assertion

import (
	"context"
	"crypto"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rule is one signed assertion, or one configuration, and the reason for which
// it must be refused. "" means that it must be accepted.
type rule struct {
	name   string
	want   Reason
	change func(*draft)
	config func(*SAMLConfig)
	req    Request
}

func runRules(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			d := newDraft()
			if r.change != nil {
				r.change(&d)
			}
			req := r.req
			req.Assertion = encoded(signing{}.sign(t, d))
			got, err := newTestSAML(t, r.config).Verify(t.Context(), req)
			if r.want == "" {
				require.NoError(t, err)
				require.NotNil(t, got)
				return
			}
			require.Nil(t, got)
			refusal := requireReason(t, r.want, err)
			if req.Use == ClientAuth {
				require.Equal(t, codeInvalidClient, refusal.Code)
			} else {
				require.Equal(t, codeInvalidGrant, refusal.Code)
			}
		})
	}
}

func replace(part func(*draft) *string, old, new string) func(*draft) {
	return func(d *draft) {
		p := part(d)
		if !strings.Contains(*p, old) {
			panic("nothing to replace: " + old)
		}
		*p = strings.ReplaceAll(*p, old, new)
	}
}

func inSubject(d *draft) *string    { return &d.subject }
func inConditions(d *draft) *string { return &d.conditions }
func inStatements(d *draft) *string { return &d.statements }
func inOpen(d *draft) *string       { return &d.open }

// Holds: RFC 7521 section 4.1; RFC 7522 section 3; SAML Core section 2.5.1.4;
// draft-ietf-oauth-rfc7523bis section 3; draft-ietf-oauth-rfc7523bis section 4.
func TestSAML_AudienceMustBeOursInEveryRestriction(t *testing.T) {
	t.Parallel()
	is := func(names ...string) func(*draft) {
		return replace(inConditions, audience(testAudience), audience(names...))
	}
	runRules(t, []rule{
		{name: "issuer identifier"},
		{name: "token endpoint", change: is("https://as.example/token")},
		{name: "entity ID", change: is("https://as.example/saml")},
		{name: "issuer's own list", change: is("urn:alias"), config: func(c *SAMLConfig) {
			c.Issuers = Issuers(Issuer{ID: testIssuer, Keys: []crypto.PublicKey{&samlKeys().rsa.PublicKey}, Audiences: []string{"urn:alias"}})
		}},
		{name: "ours last of several", change: is("urn:a", "urn:b", testAudience)},
		{name: "two restrictions, both ours", change: replace(inConditions, audience(testAudience), audience(testAudience)+audience("urn:x", testAudience))},
		{name: "two restrictions, one ours", want: ReasonAudience, change: replace(inConditions, audience(testAudience), audience("urn:x")+audience(testAudience))},
		{name: "none", want: ReasonAudience, change: replace(inConditions, audience(testAudience), "")},
		{name: "no Conditions", want: ReasonAudience, change: func(d *draft) { d.conditions = "" }},
		{name: "empty", want: ReasonAudience, change: is("")},
		{name: "no Audience", want: ReasonContent, change: replace(inConditions, audience(testAudience), "<saml:AudienceRestriction/>")},
		{name: "case", want: ReasonAudience, change: is("https://AS.example")},
		{name: "slash", want: ReasonAudience, change: is(testAudience + "/")},
		{name: "port", want: ReasonAudience, change: is(testAudience + ":443")},
		{name: "white space", want: ReasonAudience, change: is(" " + testAudience)},
		{name: "prefix", want: ReasonAudience, change: is(testAudience + ".evil.example")},
	})
}

// Holds: RFC 7521 section 4.1; RFC 7522 section 3; SAML Core section 1.3.3.
func TestSAML_TimesAreHeldToTheSecond(t *testing.T) {
	t.Parallel()
	const both = "2026-03-01T12:05:00Z"
	until := func(value string) func(*draft) {
		return func(d *draft) { replace(inSubject, both, value)(d); replace(inConditions, both, value)(d) }
	}
	from := func(value string) func(*draft) { return replace(inConditions, "2026-03-01T11:59:00Z", value) }
	runRules(t, []rule{
		{name: "one second left of the skew", change: until("2026-03-01T11:59:01Z"), config: nil},
		{name: "exactly skew ago", want: ReasonExpired, change: until("2026-03-01T11:59:00.000Z")},
		{name: "no skew", want: ReasonExpired, change: until("2026-03-01T12:00:00Z"), config: func(c *SAMLConfig) { c.ClockSkew = -1 }},
		{name: "Conditions expired alone", want: ReasonExpired, change: func(d *draft) {
			replace(inConditions, both, "2026-03-01T11:59:00Z")(d)
			from("2026-03-01T11:00:00Z")(d)
		}},
		{name: "not before, within skew", change: from("2026-03-01T12:01:00Z")},
		{name: "not before, beyond skew", want: ReasonNotYetValid, change: from("2026-03-01T12:01:01Z")},
		{name: "issued in the future", want: ReasonNotYetValid, change: replace(inOpen, "2026-03-01T11:59:50Z", "2026-03-01T12:01:01Z")},
		{name: "an hour and the skew", change: until("2026-03-01T13:01:00Z")},
		{name: "longer than an hour", want: ReasonLifetime, change: until("2026-03-01T13:01:01Z")},
		{name: "issuer's lifetime is shorter", want: ReasonLifetime, config: func(c *SAMLConfig) {
			c.Issuers = Issuers(Issuer{ID: testIssuer, Keys: []crypto.PublicKey{&samlKeys().rsa.PublicKey}, MaxLifetime: time.Minute})
		}},
		{name: "no expiry at all", want: ReasonLifetime, change: func(d *draft) {
			replace(inSubject, `NotOnOrAfter="`+both+`"`, "")(d)
			replace(inConditions, `NotOnOrAfter="`+both+`"`, "")(d)
		}},
		{name: "window turned round", want: ReasonContent, change: func(d *draft) {
			from("2026-03-01T12:00:30Z")(d)
			replace(inConditions, both, "2026-03-01T12:00:20Z")(d)
		}},
		{name: "fraction", change: until("2026-03-01T12:05:00.123456789012Z")},
		{name: "offset", want: ReasonContent, change: until("2026-03-01T12:05:00+00:00")},
		{name: "no zone", want: ReasonContent, change: until("2026-03-01T12:05:00")},
		{name: "comma", want: ReasonContent, change: until("2026-03-01T12:05:00,5Z")},
		{name: "white space", want: ReasonContent, change: until(" 2026-03-01T12:05:00Z")},
		{name: "no such day", want: ReasonContent, change: until("2026-02-30T12:05:00Z")},
		{name: "short hour", want: ReasonContent, change: until("2026-03-01T1:05:00Z")},
		{name: "empty fraction", want: ReasonContent, change: until("2026-03-01T12:05:00.Z")},
		{name: "IssueInstant missing", want: ReasonContent, change: replace(inOpen, ` IssueInstant="2026-03-01T11:59:50Z"`, "")},
	})
}

// Holds: RFC 7522 section 3.
func TestSAML_OneBearerConfirmationMustHold(t *testing.T) {
	t.Parallel()
	const good = `NotOnOrAfter="2026-03-01T12:05:00Z"`
	ours := bearer(testRecipient, good)
	is := func(s string) func(*draft) { return replace(inSubject, ours, s) }
	noData := `<saml:SubjectConfirmation Method="` + methodBearer + `"/>`
	addressed := is(bearer(testRecipient, good+` Address="192.0.2.1"`))
	check := func(c *SAMLConfig) { c.CheckAddress = true }
	runRules(t, []rule{
		{name: "none", want: ReasonConfirmation, change: is("")},
		{name: "holder of key", want: ReasonConfirmation, change: is(strings.Replace(ours, "bearer", "holder-of-key", 1))},
		{name: "method folded", want: ReasonConfirmation, change: is(strings.Replace(ours, "bearer", "Bearer", 1))},
		{name: "no method", want: ReasonContent, change: is("<saml:SubjectConfirmation/>")},
		{name: "no data", change: is(noData)},
		{name: "no data and no expiry", want: ReasonLifetime, change: func(d *draft) { is(noData)(d); replace(inConditions, good, "")(d) }},
		{name: "expiry on the confirmation only", change: replace(inConditions, good, "")},
		{name: "another recipient", want: ReasonRecipient, change: is(bearer("https://as.example/token/", good))},
		{name: "empty recipient", want: ReasonRecipient, change: is(bearer("", good))},
		{name: "the recipient that the request came to is not trusted", want: ReasonRecipient,
			change: is(bearer("https://forged.example/token", good)), req: Request{Recipient: "https://forged.example/token"}},
		{name: "issuer's own recipient", change: is(bearer("https://app.example/acs", good)), config: func(c *SAMLConfig) {
			c.Issuers = Issuers(Issuer{ID: testIssuer, Keys: []crypto.PublicKey{&samlKeys().rsa.PublicKey}, Recipients: []string{"https://app.example/acs"}})
		}},
		{name: "no expiry", want: ReasonLifetime, change: is(bearer(testRecipient, ""))},
		{name: "expired", want: ReasonExpired, change: is(bearer(testRecipient, `NotOnOrAfter="2026-03-01T11:59:00Z"`))},
		{name: "not yet", want: ReasonNotYetValid, change: is(bearer(testRecipient, good+` NotBefore="2026-03-01T12:02:00Z"`))},
		{name: "first fails, second holds", change: is(bearer("https://wrong.example", good) + ours)},
		{name: "first holds, second fails", change: is(ours + bearer(testRecipient, `NotOnOrAfter="2026-03-01T11:00:00Z"`))},
		{name: "InResponseTo", change: is(bearer(testRecipient, good+` InResponseTo="_q"`))},
		{name: "InResponseTo refused", want: ReasonInResponseTo, change: is(bearer(testRecipient, good+` InResponseTo="_q"`)),
			config: func(c *SAMLConfig) { c.RejectInResponseTo = true }},
		{name: "address not looked at", change: addressed},
		{name: "address right", change: addressed, config: check, req: Request{Remote: netip.MustParseAddr("::ffff:192.0.2.1")}},
		{name: "address wrong", want: ReasonAddress, change: addressed, config: check, req: Request{Remote: netip.MustParseAddr("192.0.2.2")}},
		{name: "address unknown", want: ReasonAddress, change: addressed, config: check},
		{name: "no Subject", want: ReasonSubject, change: func(d *draft) { d.subject = "" }},
		{name: "no identifier", want: ReasonSubject, change: replace(inSubject, nameID, "")},
		{name: "empty identifier", want: ReasonSubject, change: replace(inSubject, testName, " \n")},
		{name: "two identifiers", want: ReasonSubject, change: replace(inSubject, nameID, nameID+nameID)},
		{name: "BaseID", want: ReasonSubject, change: replace(inSubject, nameID, "<saml:BaseID/>")},
		{name: "NameID of another namespace", want: ReasonSubject, change: replace(inSubject, nameID, `<x:NameID xmlns:x="urn:x">admin</x:NameID>`)},
		{name: "element inside NameID", want: ReasonSubject, change: replace(inSubject, testName, "a<saml:x/>b")},
		{name: "EncryptedID without a key", want: ReasonDecryption, change: replace(inSubject, nameID, "<saml:EncryptedID/>")},
	})
}

// Holds: RFC 7522 section 3; SAML Core section 1.3.3; SAML Core section 2.5.1.5.
func TestSAML_SchemaIsKept(t *testing.T) {
	t.Parallel()
	condition := func(s string) func(*draft) {
		return replace(inConditions, audience(testAudience), audience(testAudience)+s)
	}
	statement := func(s string) func(*draft) { return func(d *draft) { d.statements += s } }
	authn := `<saml:AuthnStatement AuthnInstant="2026-03-01T11:58:00Z"><saml:AuthnContext/></saml:AuthnStatement>`
	runRules(t, []rule{
		{name: "ProxyRestriction", change: condition(`<saml:ProxyRestriction Count="0"/>`)},
		{name: "two ProxyRestrictions", want: ReasonCondition, change: condition(`<saml:ProxyRestriction/><saml:ProxyRestriction/>`)},
		{name: "OneTimeUse", change: condition(`<saml:OneTimeUse/>`)},
		{name: "two OneTimeUse", want: ReasonCondition, change: condition(`<saml:OneTimeUse/><saml:OneTimeUse/>`)},
		{name: "Condition of some type", want: ReasonCondition,
			change: condition(`<saml:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="saml:OneTimeUseType"/>`)},
		{name: "foreign condition", want: ReasonCondition, change: condition(`<x:OneTimeUse xmlns:x="urn:x"/>`)},
		{name: "text in Conditions", want: ReasonContent, change: condition("x")},
		{name: "no statements", change: func(d *draft) { d.statements = "" }},
		{name: "several AuthnStatements", change: statement(authn)},
		{name: "AuthnStatement without context", want: ReasonContent, change: statement(`<saml:AuthnStatement AuthnInstant="2026-03-01T11:58:00Z"/>`)},
		{name: "AuthnStatement without instant", want: ReasonContent, change: statement(`<saml:AuthnStatement><saml:AuthnContext/></saml:AuthnStatement>`)},
		{name: "unknown statement", want: ReasonContent, change: statement(`<saml:Statement/>`)},
		{name: "second Subject", want: ReasonContent, change: statement("<saml:Subject>" + nameID + "</saml:Subject>")},
		{name: "second Conditions", want: ReasonContent, change: statement("<saml:Conditions/>")},
		{name: "Conditions before Subject", want: ReasonContent, change: func(d *draft) { d.subject, d.conditions = d.conditions, d.subject }},
		{name: "Advice", change: func(d *draft) { d.advice = `<saml:Advice><x:y xmlns:x="urn:x"/></saml:Advice>` }},
		{name: "unknown attribute", want: ReasonContent, change: replace(inOpen, " Version=", ` Wersion="1" Version=`)},
		{name: "attribute of a foreign namespace", change: replace(inOpen, " Version=", ` xmlns:x="urn:x" x:y="1" Version=`)},
		{name: "Attribute without Name", want: ReasonContent, change: replace(inStatements, ` Name="groups"`, "")},
		{name: "empty AttributeStatement", want: ReasonContent, change: statement("<saml:AttributeStatement/>")},
		{name: "EncryptedAttribute without a key", want: ReasonDecryption,
			change: statement("<saml:AttributeStatement><saml:EncryptedAttribute/></saml:AttributeStatement>")},
		{name: "Issuer of another format", want: ReasonIssuer, change: func(d *draft) {
			d.issuer = strings.Replace(d.issuer, "<saml:Issuer>", `<saml:Issuer Format="urn:x">`, 1)
		}},
	})
}

// Holds: RFC 7521 section 4.1; RFC 7521 section 5.2; RFC 7521 section 6.2;
// house: issuers apart; house: verified data only.
func TestSAML_AssertionsAreBoundToClients(t *testing.T) {
	t.Parallel()
	issuer := func(change func(*Issuer)) func(*SAMLConfig) {
		return func(c *SAMLConfig) {
			i := Issuer{ID: testIssuer, Keys: []crypto.PublicKey{&samlKeys().rsa.PublicKey}}
			change(&i)
			c.Issuers = Issuers(i)
		}
	}
	bind := func(b ClientBinding) func(*SAMLConfig) { return issuer(func(i *Issuer) { i.BindClient = b }) }
	app := Request{ClientID: "app"}
	presenter := func(d *draft) {
		d.subject = strings.Replace(d.subject, methodBearer+`">`, methodBearer+`"><saml:NameID>app</saml:NameID>`, 1)
	}
	runRules(t, []rule{
		{name: "any client", req: app},
		{name: "no client"},
		{name: "listed", config: issuer(func(i *Issuer) { i.Clients = []string{"app"} }), req: app},
		{name: "not listed", want: ReasonClient, config: issuer(func(i *Issuer) { i.Clients = []string{"other"} }), req: app},
		{name: "empty list", want: ReasonClient, config: issuer(func(i *Issuer) { i.Clients = []string{} }), req: app},
		{name: "list without a client", want: ReasonClient, config: issuer(func(i *Issuer) { i.Clients = []string{"app"} })},
		{name: "attribute", config: bind(ClientBinding{Attribute: "groups"}), req: Request{ClientID: "admins"}},
		{name: "attribute of another", want: ReasonClient, config: bind(ClientBinding{Attribute: "groups"}), req: app},
		{name: "presenter", change: presenter, config: bind(ClientBinding{Presenter: true}), req: app},
		{name: "another presenter", want: ReasonClient, change: presenter, config: bind(ClientBinding{Presenter: true}), req: Request{ClientID: "b"}},
		{name: "no presenter", want: ReasonClient, config: bind(ClientBinding{Presenter: true}), req: app},
		{name: "audience", change: replace(inConditions, audience(testAudience), audience(testAudience, "app")), config: bind(ClientBinding{Audience: true}), req: app},
		{name: "not in the audience", want: ReasonClient, config: bind(ClientBinding{Audience: true}), req: app},
		{name: "self-issued", config: bind(ClientBinding{Issuer: true}), req: Request{ClientID: testIssuer}},
		{name: "not self-issued", want: ReasonClient, config: bind(ClientBinding{Issuer: true}), req: app},
		{name: "for itself", config: bind(ClientBinding{Subject: true}), req: Request{ClientID: testName}},
		{name: "not for itself", want: ReasonClient, config: bind(ClientBinding{Subject: true}), req: app},
	})
}

// Client authentication by SAML is off by default. If it is on, an issuer
// vouches only for the clients that are configured for it.
//
// Holds: RFC 7521 section 4.2; RFC 7521 section 4.2.1; RFC 7522 section 3.2;
// draft-ietf-oauth-rfc7523bis section 4.
func TestSAML_ClientAuthenticationIsOffByDefault(t *testing.T) {
	t.Parallel()
	on := func(clients ...string) func(*SAMLConfig) {
		return func(c *SAMLConfig) {
			c.AllowClientAuth = true
			c.Issuers = Issuers(Issuer{ID: testIssuer, Keys: []crypto.PublicKey{&samlKeys().rsa.PublicKey}, Clients: clients})
		}
	}
	runRules(t, []rule{
		{name: "off", want: ReasonDisabled, req: Request{Use: ClientAuth}},
		{name: "listed, no client_id", config: on(testName), req: Request{Use: ClientAuth}},
		{name: "listed, its client_id", config: on(testName), req: Request{Use: ClientAuth, ClientID: testName}},
		{name: "another client_id", want: ReasonSubject, config: on(testName), req: Request{Use: ClientAuth, ClientID: "app"}},
		{name: "not listed", want: ReasonClient, config: on(), req: Request{Use: ClientAuth}},
		{name: "self-issued", change: replace(inSubject, testName, testIssuer), config: on(), req: Request{Use: ClientAuth}},
		{name: "expired", want: ReasonExpired, change: replace(inSubject, "12:05", "11:50"), config: on(testName), req: Request{Use: ClientAuth}},
	})
}

// The issuer is looked up once, by the exact string. A source that fails, or
// returns another issuer, refuses the assertion.
//
// Holds: RFC 7522 section 3; house: issuers apart.
func TestSAML_IssuerSourceIsHeldToItsContract(t *testing.T) {
	t.Parallel()
	key := []crypto.PublicKey{&samlKeys().rsa.PublicKey}
	for name, c := range map[string]struct {
		source sourceFunc
		want   Reason
		code   string
	}{
		"unknown": {func(string) (*Issuer, error) { return nil, ErrUnknownIssuer }, ReasonIssuer, codeInvalidGrant},
		"failure": {func(string) (*Issuer, error) { return nil, errors.New("down") }, ReasonUnavailable, codeServerError},
		"nil":     {func(string) (*Issuer, error) { return nil, nil }, ReasonUnavailable, codeServerError},
		"folded":  {func(id string) (*Issuer, error) { return &Issuer{ID: strings.ToUpper(id), Keys: key}, nil }, ReasonIssuer, codeInvalidGrant},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSAML(t, func(config *SAMLConfig) { config.Issuers = c.source })
			_, err := verifyDoc(s, honest(t))
			require.Equal(t, c.code, requireReason(t, c.want, err).Code)
		})
	}
}

type sourceFunc func(string) (*Issuer, error)

func (f sourceFunc) Issuer(_ context.Context, id string) (*Issuer, error) { return f(id) }
