// The flows with openid-client, unmodified. Arguments: issuer, client id, secret.
import * as client from 'openid-client'
import assert from 'node:assert/strict'

const [issuer, id, secret] = process.argv.slice(2)
const config = await client.discovery(new URL(issuer), id, undefined, client.ClientSecretBasic(secret), { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })
const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const to = client.buildAuthorizationUrl(config, { redirect_uri: 'https://app.example/cb', scope: 'read', state,
  code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' })
const back = new URL((await fetch(to, { redirect: 'manual' })).headers.get('location'))
const tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state })
assert.equal(tokens.expires_in, 3600)
const next = await client.refreshTokenGrant(config, tokens.refresh_token)
const info = await client.tokenIntrospection(config, next.access_token)
assert.equal(info.active, true)
await client.tokenRevocation(config, next.access_token)
assert.equal((await client.tokenIntrospection(config, next.access_token)).active, false)
await client.clientCredentialsGrant(config, { scope: 'read' })
console.log('ok')
