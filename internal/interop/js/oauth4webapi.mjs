// Runs each flow with oauth4webapi. Arguments: issuer, client ID, client secret.
import * as oauth from 'oauth4webapi'
import assert from 'node:assert/strict'

const [issuer, id, secret] = process.argv.slice(2)
const http = { [oauth.allowInsecureRequests]: true }
const client = { client_id: id }
const auth = oauth.ClientSecretBasic(secret)
const redirect = 'https://app.example/cb'

// Metadata.
const discovery = await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...http })
const as = await oauth.processDiscoveryResponse(new URL(issuer), discovery)

// Client credentials.
const clientCredentials = async (credentials, parameters) =>
  oauth.processClientCredentialsResponse(
    as,
    client,
    await oauth.clientCredentialsGrantRequest(as, client, credentials, parameters, http),
  )
const own = await clientCredentials(auth, new URLSearchParams({ scope: 'read' }))
assert.equal(own.token_type, 'bearer')
assert.equal(own.scope, 'read')

// Authorization code with PKCE. validateAuthResponse also checks iss.
const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const url = new URL(as.authorization_endpoint)
url.search = new URLSearchParams({
  client_id: id,
  redirect_uri: redirect,
  response_type: 'code',
  scope: 'read write',
  state,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
})
const location = (await fetch(url, { redirect: 'manual' })).headers.get('location')
const params = oauth.validateAuthResponse(as, client, new URL(location), state)
const redeem = async () =>
  oauth.processAuthorizationCodeResponse(
    as,
    client,
    await oauth.authorizationCodeGrantRequest(as, client, auth, params, redirect, verifier, http),
  )
const tokens = await redeem()
assert.equal(tokens.scope, 'read write')

// Refresh.
const next = await oauth.processRefreshTokenResponse(
  as,
  client,
  await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, http),
)
assert.notEqual(next.refresh_token, tokens.refresh_token)

// Introspection and revocation.
const introspect = async (token) =>
  oauth.processIntrospectionResponse(
    as,
    client,
    await oauth.introspectionRequest(as, client, auth, token, http),
  )
assert.equal((await introspect(next.access_token)).active, true)
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, auth, next.refresh_token, http),
)
assert.equal((await introspect(next.access_token)).active, false)

// Errors.
await assert.rejects(redeem, (e) => e.error === 'invalid_grant' && e.status === 400)
await assert.rejects(
  () => clientCredentials(oauth.ClientSecretBasic('wrong'), new URLSearchParams()),
  (e) => e.status === 401,
)
console.log('ok')
