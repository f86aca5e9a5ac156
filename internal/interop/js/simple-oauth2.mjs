// Runs each flow with simple-oauth2. Arguments: issuer, client ID, client secret.
import { AuthorizationCode, ClientCredentials, ResourceOwnerPassword } from 'simple-oauth2'
import assert from 'node:assert/strict'

const [issuer, id, secret] = process.argv.slice(2)
const auth = { tokenHost: issuer, tokenPath: '/token', revokePath: '/revoke' }
// The answer to a revocation has no content (RFC 7009 section 2.2), and so no type. By
// default this library takes every answer that is not JSON for a failure.
const config = { client: { id, secret }, auth, http: { json: true } }
const redirect = 'https://app.example/cb'

// Client credentials.
const own = await new ClientCredentials(config).getToken({ scope: 'read' })
assert.equal(own.token.token_type, 'Bearer')

// Password.
const password = new ResourceOwnerPassword(config)
const user = { username: 'johndoe', password: 'A3ddj3w', scope: 'read' }
assert.ok((await password.getToken(user)).token.refresh_token)
await assert.rejects(password.getToken({ username: 'johndoe', password: 'wrong' }))

// Authorization code.
const code = new AuthorizationCode({ ...config, auth: { ...auth, authorizePath: '/authorize' } })
const url = code.authorizeURL({ redirect_uri: redirect, scope: 'read', state: 'xyz12345' })
const location = (await fetch(url, { redirect: 'manual' })).headers.get('location')
const back = new URL(location).searchParams
assert.equal(back.get('state'), 'xyz12345')
let token = await code.getToken({ code: back.get('code'), redirect_uri: redirect })
assert.equal(token.expired(), false)

// Refresh and revocation.
token = await token.refresh()
await token.revokeAll()
await assert.rejects(token.refresh())
console.log('ok')
