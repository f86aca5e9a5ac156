package assertion

import (
	"context"
	"strings"

	"github.com/grantwell/grantwell/internal/base/xmldsig"
)

// Report describes how an assertion was judged, step by step. It may name subjects
// and issuers: show it to operators, and not to clients.
type Report struct {
	Format string
	Steps  []Step
	// Err is the first refusal, or nil if the assertion would be accepted. The
	// replay store is not asked.
	Err *Error
	// Assertion is the verified assertion. It is nil if Err is set.
	Assertion *Assertion
}

// Step is one check of a [Report].
type Step struct {
	Name string
	// Note says what the step has found. It may be "".
	Note string
	// Err is nil if the step was passed.
	Err *Error
}

// String returns one line for each step.
func (r *Report) String() string {
	var b strings.Builder
	for _, step := range r.Steps {
		outcome := "ok"
		if step.Err != nil {
			outcome = "REFUSED " + step.Err.Error()
		}
		if step.Note != "" {
			outcome += " (" + step.Note + ")"
		}
		b.WriteString(step.Name + ": " + outcome + "\n")
	}
	return b.String()
}

// Explain goes through the steps of Verify and reports each of them. If the
// signature is valid, it applies every rule, so that one report has all mistakes. It
// does not use the replay store and does not call Observe.
func (s *SAMLVerifier) Explain(ctx context.Context, r Request) *Report {
	run := s.newRun(ctx, r)
	report := &Report{Format: FormatSAML2}
	add := func(name, note string, err *Error) {
		report.Steps = append(report.Steps, Step{name, note, err})
		if report.Err == nil {
			report.Err = err
		}
	}
	for _, layer := range s.layers {
		switch layer.name {
		case layerReplay:
			add(layer.name, "not asked, so that the assertion is not used up", nil)
		case layerContent:
			refusal := run.load()
			add(layer.name, "", refusal)
			if refusal != nil {
				return report
			}
			for _, rule := range samlRules() {
				add(rule.name, "", rule.run(run))
			}
		default:
			refusal := layer.run(run)
			add(layer.name, run.note(layer.name), refusal)
			if refusal != nil {
				return report
			}
		}
	}
	if report.Err == nil {
		run.accepted.Trust = run.issuer
		report.Assertion = run.accepted
	}
	return report
}

// note returns what a layer that was passed has found.
func (r *samlRun) note(layer string) string {
	switch {
	case layer == layerDecryption && r.encrypted:
		return "it was encrypted"
	case layer == layerStructure:
		return "claims issuer " + shown(r.claimedIssuer) + " and ID " + shown(r.claimedID)
	case layer == layerSignature && r.keyID != "":
		return "verified by key " + r.keyID
	case layer == layerSignature && r.signature != nil && r.issuer != nil:
		return r.describeCertificate()
	}
	return ""
}

// describeCertificate says whether the certificate that the signer sends along is that
// of a configured key, which shows whether a change of keys was missed.
func (r *samlRun) describeCertificate() string {
	der := r.signature.ClaimedCertificate()
	if der == nil {
		return "its KeyInfo has no certificate"
	}
	key, err := certifiedKey(der)
	if err != nil {
		return "the certificate in its KeyInfo cannot be read"
	}
	claimed := xmldsig.Thumbprint(key)
	for _, configured := range r.issuer.Keys {
		if xmldsig.Thumbprint(configured) == claimed {
			return "the certificate in its KeyInfo is of a configured key, " + claimed
		}
	}
	return "the certificate in its KeyInfo is of key " + claimed + ", which is not configured"
}
