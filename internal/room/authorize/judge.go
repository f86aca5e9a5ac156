package authorize

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grantwell/grantwell/grants"
	"github.com/grantwell/grantwell/internal/room/scope"
	"github.com/grantwell/grantwell/internal/seam"
	"github.com/grantwell/grantwell/storage"
)

// judgement is a request that is being judged.
type judgement struct {
	*Room
	*seam.Authorization

	badMode error // reported after the response type was checked
}

// step is one step of a judgement.
type step struct {
	name string
	do   func(j *judgement, ctx context.Context) error
}

// certain returns the steps that find out where an answer may go. Their errors are
// pages.
func certain() [3]step {
	return [...]step{
		{"service", (*judgement).checkService},
		{"client", (*judgement).findClient},
		{"redirect URI", (*judgement).findRedirectURI},
	}
}

// steps returns the steps after that. Their errors go back to the client. How the
// answer travels is settled first, so that every error finds its way.
func steps() [12]step {
	return [...]step{
		{"state", (*judgement).readState},
		{"response mode", (*judgement).chooseMode},
		{"repetition", (*judgement).checkRepeated},
		{"response type", (*judgement).checkType},
		{"mode fits", (*judgement).checkMode},
		{"objects", (*judgement).refuseObjects},
		{"audience", (*judgement).readAudience},
		{"challenge", (*judgement).checkChallenge},
		{"prompt", (*judgement).readPrompt},
		{"scope", (*judgement).decideScope},
		{"size", (*judgement).checkSize},
		{"specifications", (*judgement).askSpecifications},
	}
}

// judge judges a request and fills in what it learns.
func (r *Room) judge(ctx context.Context, a *seam.Authorization) error {
	j := &judgement{Room: r, Authorization: a}
	for _, s := range certain() {
		if err := s.do(j, ctx); err != nil {
			return err
		}
	}
	for _, s := range steps() {
		if err := s.do(j, ctx); err != nil {
			return &seam.Redirected{Err: err, To: a}
		}
	}

	return nil
}

func (j *judgement) checkService(context.Context) error {
	if len(j.Room.Types) == 0 {
		return grants.InvalidRequest("This server has no grant that begins here.").For(grants.ReasonResponseType)
	}

	return nil
}

// findClient looks the client up. A client that is unknown, disabled or malformed
// looks the same from outside.
func (j *judgement) findClient(ctx context.Context) error {
	sent := j.Params["client_id"]
	switch {
	case len(sent) == 0 || len(sent) == 1 && sent[0] == "":
		return grants.InvalidRequest("The parameter client_id is missing.")
	case len(sent) > 1:
		return grants.InvalidRequest("The parameter client_id is sent more than once.").For(grants.ReasonMalformed)
	case !validClientID(sent[0]):
		return unknownClient(sent[0], grants.ReasonClientUnknown, "client_id is malformed")
	}

	c, err := j.Live.Clients.Client(ctx, sent[0])
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return unknownClient(sent[0], grants.ReasonClientUnknown, "the client is not registered")
	case err != nil:
		return grants.Unavailable(err)
	case c.ID != sent[0]:
		// A database that compares without regard to case finds more than was asked.
		return unknownClient(sent[0], grants.ReasonClientUnknown, "the store returned another client")
	case c.Disabled:
		return unknownClient(sent[0], grants.ReasonClientDisabled, "the client is disabled")
	}
	j.Client = c

	return nil
}

func unknownClient(sent string, reason grants.Reason, cause string) error {
	return &grants.Error{
		Code:        "invalid_client",
		Description: "The client is not known here.",
		Status:      400, // a page for the user, not a challenge for a machine
		Reason:      reason,
		Details:     map[string]string{"sent_client_id": sent},
		Err:         errors.New("grantwell: " + cause),
	}
}

// validClientID holds the bounds of registration: no other ID can be in a store.
func validClientID(id string) bool {
	if len(id) > 255 {
		return false
	}
	for i := range len(id) {
		if id[i] < 0x20 || id[i] > 0x7e {
			return false
		}
	}

	return true
}

// readState keeps the state as it was sent. One that is too long is not sent back.
func (j *judgement) readState(context.Context) error {
	if state := j.once("state"); storedSize(state) <= maxKept {
		j.State = state
		j.StateGiven = state != ""
	}

	return nil
}

// maxKept bounds what the parameters of a request that waits for the user take in the
// store, in bytes. Any caller can send such requests.
const maxKept = 8 << 10

// checkSize refuses a request that would take too much in the store.
func (j *judgement) checkSize(context.Context) error {
	size := 0
	for name, values := range j.Params {
		if !j.keeps(name) {
			continue
		}
		for _, value := range values {
			size += len(name) + storedSize(value)
		}
	}
	if size > maxKept {
		return grants.InvalidRequest("The request has more than 8 KiB of parameters.").For(grants.ReasonTooLarge)
	}

	return nil
}

// storedSize returns how many bytes a value takes in JSON, in which one character can
// take six.
func storedSize(value string) int {
	size := len(value)
	for i := range len(value) {
		if c := value[i]; c < 0x20 || c == '<' || c == '>' || c == '&' {
			size += 5
		}
	}

	return size
}

// checkRepeated refuses a parameter that occurs twice (RFC 6749 section 3.1).
// resource (RFC 8707 section 2) and audience (RFC 8693 section 2.1) may.
func (j *judgement) checkRepeated(context.Context) error {
	for name, values := range j.Params {
		if len(values) > 1 && !mayRepeat(name) {
			return grants.InvalidRequest("A parameter is sent more than once.").
				For(grants.ReasonMalformed).Because("grantwell: %q", name)
		}
	}

	return nil
}

func mayRepeat(name string) bool { return name == "resource" || name == "audience" }

// once returns the value of a parameter that was sent once. Of two values, neither is
// certainly the client's.
func (j *judgement) once(name string) string {
	if len(j.Params[name]) != 1 {
		return ""
	}

	return j.Params.Get(name)
}

// refuseObjects refuses parameters that carry another request or the metadata of a
// client. A specification that serves one has resolved it before. They are not
// ignored: the client would believe that they were obeyed.
func (j *judgement) refuseObjects(context.Context) error {
	for _, name := range []string{"request", "request_uri", "registration"} {
		if j.Params.Get(name) != "" {
			return &grants.Error{
				Code:        name + "_not_supported",
				Description: "The parameter " + name + " is not accepted here.",
				Reason:      grants.ReasonRequestObject,
			}
		}
	}

	return nil
}

// maxAudience bounds the audience values of one request.
const maxAudience = 100

// readAudience reads resource, an absolute URI each (RFC 8707 section 2), and
// audience. Each value must be registered for the client: otherwise a client could
// choose any resource server as the one that accepts its token.
func (j *judgement) readAudience(context.Context) error {
	resource, audience := j.Params["resource"], j.Params["audience"]
	if len(resource)+len(audience) > maxAudience {
		return grants.InvalidTarget("Too many resources are requested.")
	}
	for _, uri := range resource {
		if uri == "" {
			continue
		}
		u, err := url.Parse(uri)
		if err != nil || !u.IsAbs() || strings.ContainsAny(uri, "# ") {
			return grants.InvalidTarget("A resource is not an absolute URI without fragment.")
		}
		if err := j.addAudience(uri); err != nil {
			return err
		}
	}
	for _, value := range audience {
		for _, name := range words(value) {
			if err := j.addAudience(name); err != nil {
				return err
			}
		}
	}

	return nil
}

func (j *judgement) addAudience(name string) error {
	switch {
	case !slices.Contains(j.Client.Audience, name):
		return grants.InvalidTarget("A requested resource is not registered for this client.")
	case slices.Contains(j.Audience, name):
		return nil
	case len(j.Audience) == maxAudience:
		return grants.InvalidTarget("Too many resources are requested.")
	}
	j.Audience = append(j.Audience, name)

	return nil
}

// checkChallenge lets the grant that has codes judge the challenge (RFC 7636).
func (j *judgement) checkChallenge(context.Context) error {
	if j.PKCE == nil {
		return nil
	}

	challenge := j.Params.Get("code_challenge")
	code := slices.Contains(j.Authorization.Types, "code")
	method, err := j.PKCE.CheckChallenge(j.Client, challenge, j.Params.Get("code_challenge_method"), code)
	if err == nil && code {
		j.Challenge = challenge
		j.ChallengeMethod = method
	}

	return err
}

// readPrompt reads the parameters of OpenID Connect Core section 3.1.2.1 that are of
// use without it too.
func (j *judgement) readPrompt(context.Context) error {
	j.LoginHint = j.Params.Get("login_hint")
	if age := j.Params.Get("max_age"); age != "" {
		n, err := strconv.ParseUint(age, 10, 31)
		if err != nil {
			return grants.InvalidRequest("max_age is not a number of seconds.")
		}
		j.MaxAge = time.Duration(n) * time.Second
		j.HasMaxAge = true
	}
	j.Prompt = words(j.Params.Get("prompt"))
	if len(j.Prompt) > 1 && slices.Contains(j.Prompt, "none") {
		return grants.InvalidRequest("prompt none stands alone.")
	}

	return nil
}

// decideScope decides what may be granted (RFC 6749 section 3.3).
func (j *judgement) decideScope(ctx context.Context) error {
	requested, err := j.Scopes.Parse(j.Params.Get("scope"))
	if err != nil {
		// RFC 6749 section 4.1.2.1 has one code for every scope that is malformed. The
		// token endpoint calls too many values a malformed request.
		return grants.InvalidScope(grants.ErrorOf(err).Description).Because("%w", err)
	}
	j.Scope, err = j.Scopes.Decide(ctx, scope.Request{
		GrantType: j.grantType(j.Authorization.Types),
		Client:    j.Client,
		Requested: requested,
	}, nil)

	return err
}

func (j *judgement) askSpecifications(ctx context.Context) error {
	for _, c := range j.Checkers {
		if err := c.Check(ctx, j.Authorization); err != nil {
			return err
		}
	}

	return nil
}

// words splits at spaces, of which there may be several (RFC 6749 sections 3.1.1 and
// 3.3 allow one). Other white space is part of a word.
func words(s string) []string {
	if s == "" {
		return nil
	}

	return strings.FieldsFunc(s, func(c rune) bool { return c == ' ' })
}
