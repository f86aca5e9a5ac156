// The flows with simple-oauth2, unmodified. Arguments: issuer, client id, secret.
import { AuthorizationCode, ClientCredentials, ResourceOwnerPassword } from 'simple-oauth2'
import assert from 'node:assert/strict'

const [issuer, id, secret] = process.argv.slice(2)
const auth = { tokenHost: issuer, tokenPath: '/token', revokePath: '/revoke' }
const config = { client: { id, secret }, auth }
const cc = await new ClientCredentials(config).getToken({ scope: 'read' })
assert.equal(cc.token.token_type, 'Bearer')
const pw = await new ResourceOwnerPassword(config).getToken({ username: 'johndoe', password: 'A3ddj3w', scope: 'read' })
assert.ok(pw.token.refresh_token)
await assert.rejects(new ResourceOwnerPassword(config).getToken({ username: 'johndoe', password: 'wrong' }))
const code = new AuthorizationCode({ ...config, auth: { ...auth, authorizePath: '/authorize' } })
const back = new URL((await fetch(code.authorizeURL({ redirect_uri: 'https://app.example/cb', scope: 'read', state: 'xyz12345' }), { redirect: 'manual' })).headers.get('location'))
assert.equal(back.searchParams.get('state'), 'xyz12345')
let token = await code.getToken({ code: back.searchParams.get('code'), redirect_uri: 'https://app.example/cb' })
assert.equal(token.expired(), false)
token = await token.refresh()
await token.revokeAll()
await assert.rejects(token.refresh())
console.log('ok')
