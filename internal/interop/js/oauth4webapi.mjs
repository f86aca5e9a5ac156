// The flows with oauth4webapi, unmodified. Arguments: issuer, client id, secret.
import * as oauth from 'oauth4webapi'
import assert from 'node:assert/strict'

const [issuer, id, secret] = process.argv.slice(2)
const http = { [oauth.allowInsecureRequests]: true }
const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...http }))
const client = { client_id: id }
const auth = oauth.ClientSecretBasic(secret)

const cc = await oauth.processClientCredentialsResponse(as, client, await oauth.clientCredentialsGrantRequest(as, client, auth, new URLSearchParams({ scope: 'read' }), http))
assert.equal(cc.token_type, 'bearer')
assert.equal(cc.scope, 'read')

const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const redirect = 'https://app.example/cb'
const url = new URL(as.authorization_endpoint)
url.search = new URLSearchParams({ client_id: id, redirect_uri: redirect, response_type: 'code', scope: 'read write', state,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' })
const back = new URL((await fetch(url, { redirect: 'manual' })).headers.get('location'))
const params = oauth.validateAuthResponse(as, client, back, state) // checks iss as well
const tokens = await oauth.processAuthorizationCodeResponse(as, client, await oauth.authorizationCodeGrantRequest(as, client, auth, params, redirect, verifier, http))
assert.equal(tokens.scope, 'read write')

const next = await oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, http))
assert.notEqual(next.refresh_token, tokens.refresh_token)

const info = await oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, auth, next.access_token, http))
assert.equal(info.active, true)
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, next.refresh_token, http))
const gone = await oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, auth, next.access_token, http))
assert.equal(gone.active, false)

await assert.rejects(async () => oauth.processAuthorizationCodeResponse(as, client, await oauth.authorizationCodeGrantRequest(as, client, auth, params, redirect, verifier, http)),
  (e) => e.error === 'invalid_grant' && e.status === 400)
await assert.rejects(async () => oauth.processClientCredentialsResponse(as, client, await oauth.clientCredentialsGrantRequest(as, client, oauth.ClientSecretBasic('wrong'), new URLSearchParams(), http)),
  (e) => e.status === 401)
console.log('ok')
