package frontchannel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"

	"github.com/grantwell/grantwell/storage"
)

// No code of fosite's own reaches a client, and none of its texts.
func TestTranslate_OnlyRegisteredCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		code   string
		status int
	}{
		{errTarget, "invalid_target", http.StatusBadRequest},
		{fosite.ErrInvalidRequest, "invalid_request", http.StatusBadRequest},
		{fosite.ErrInvalidState, "invalid_request", http.StatusBadRequest},
		{fosite.ErrInvalidScope, "invalid_scope", http.StatusBadRequest},
		{fosite.ErrUnsupportedResponseType, "unauthorized_client", http.StatusBadRequest},
		{fosite.ErrUnsupportedResponseMode, "invalid_request", http.StatusBadRequest},
		{fosite.ErrRegistrationNotSupported, "registration_not_supported", http.StatusBadRequest},
		{fosite.ErrJTIKnown, "server_error", http.StatusInternalServerError},
		{fosite.ErrScopeNotGranted, "server_error", http.StatusInternalServerError},
		{fosite.ErrMisconfiguration, "server_error", http.StatusInternalServerError},
		{fosite.ErrInvalidClient, "server_error", http.StatusInternalServerError},
		{errors.New("dial tcp 10.0.0.7"), "server_error", http.StatusInternalServerError},
	} {
		e := translate(fmt.Errorf("wrapped: %w", c.err))
		require.Equal(t, c.code, e.Code, "%v", c.err)
		require.Equal(t, c.status, e.Status)
		require.ErrorIs(t, e, c.err)
		require.ErrorContains(t, e, c.err.Error(), "for the log")
		require.NotContains(t, e.Description, c.err.Error(), "not for the client")
	}
}

// A URI that fosite does not take is not redirected to, even after our own rules took it.
func TestAsk_NothingGoesWhereFositeWouldNot(t *testing.T) {
	t.Parallel()
	f := &FrontChannel{engine: newEngine(false), engineModes: []fosite.ResponseModeType{modeQuery}}
	e := f.ask(t.Context(), &Request{
		Client: storage.Client{ID: "c"}, RedirectURI: "https://app.example/cb#f", ResponseType: typeCode, ResponseMode: modeQuery,
	})
	require.NotNil(t, e)
	require.True(t, e.page)
}

// noStore makes fosite fail before it gets to the redirect URI.
type noStore struct{ lookup }

func (noStore) GetClient(context.Context, string) (fosite.Client, error) {
	return nil, errors.New("no such table")
}

func (noStore) Client(context.Context, string) (storage.Client, error) {
	return storage.Client{ID: "c", RedirectURIs: []string{"https://app.example/cb"}}, nil
}

func TestParse_FailureBeforeTheRedirectURIIsAPage(t *testing.T) {
	t.Parallel()
	f, err := New(Config{Clients: noStore{}, ResponseTypes: []string{typeCode}})
	require.NoError(t, err)
	f.engine.Store = noStore{}
	r, e := f.Parse(t.Context(), url.Values{"client_id": {"c"}, "response_type": {"code"}})
	require.Nil(t, r)
	require.Equal(t, http.StatusInternalServerError, e.Status)
	require.Nil(t, e.Request)
	require.NotContains(t, e.Description, "table")
	require.ErrorContains(t, e, "frontchannel: server_error: ")
}

// fosite never learns of a client that Parse has not found, and authenticates none.
func TestLookup_KnowsOneClientAndNoSecrets(t *testing.T) {
	t.Parallel()
	_, err := lookup{}.GetClient(t.Context(), "c")
	require.ErrorIs(t, err, storage.ErrNotFound)
	require.Error(t, lookup{}.ClientAssertionJWTValid(t.Context(), "jti"))
	require.Error(t, noSecrets{}.Compare(t.Context(), nil, nil))
}
