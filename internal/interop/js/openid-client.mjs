// Runs each flow with openid-client. Arguments: issuer, client ID, client secret.
import * as client from 'openid-client'
import assert from 'node:assert/strict'

const [issuer, id, secret] = process.argv.slice(2)

// Metadata.
const config = await client.discovery(
  new URL(issuer),
  id,
  undefined,
  client.ClientSecretBasic(secret),
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
)

// Authorization code with PKCE.
const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: 'https://app.example/cb',
  scope: 'read',
  state,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
})
const location = (await fetch(url, { redirect: 'manual' })).headers.get('location')
const tokens = await client.authorizationCodeGrant(config, new URL(location), {
  pkceCodeVerifier: verifier,
  expectedState: state,
})
assert.equal(tokens.expires_in, 3600)

// Refresh, introspection and revocation.
const next = await client.refreshTokenGrant(config, tokens.refresh_token)
assert.equal((await client.tokenIntrospection(config, next.access_token)).active, true)
await client.tokenRevocation(config, next.access_token)
assert.equal((await client.tokenIntrospection(config, next.access_token)).active, false)

// Client credentials.
await client.clientCredentialsGrant(config, { scope: 'read' })
console.log('ok')
