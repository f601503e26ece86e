import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { passwords, projectScope, startIdentity, type TestIdentity } from '../../../../test/support/identity.ts'
import { baseString } from '../logic/oauth-signatures.ts'

interface Keys {
  consumer: { id: string; secret: string }
  token?: { id: string; secret: string }
  verifier?: string
}

/** An Authorization header as a client signs it. */
function signed(cloud: TestIdentity, url: string, { consumer, token, verifier }: Keys): { authorization: string } {
  const params: Record<string, string> = {
    oauth_consumer_key: consumer.id,
    oauth_nonce: String(Math.random()),
    oauth_timestamp: String(Math.floor(cloud.ground.clock.nowMs() / 1000)),
    oauth_signature_method: 'HMAC-SHA1',
    oauth_version: '1.0',
    ...(token ? { oauth_token: token.id } : {}),
    ...(verifier ? { oauth_verifier: verifier } : {}),
  }
  const text = baseString({ method: 'POST', url: `http://localhost:80${url}` }, params)
  const key = `${consumer.secret}&${token?.secret ?? ''}`
  params.oauth_signature = createHmac('sha1', key).update(text).digest('base64')
  const pairs = Object.entries(params).map(([name, value]) => `${name}="${encodeURIComponent(value)}"`)
  return { authorization: `OAuth ${pairs.join(', ')}` }
}

/** As `call`, for answers that are forms. */
async function send(cloud: TestIdentity, url: string, headers: object) {
  const reply = await cloud.identity.app!.inject({ method: 'POST', url, headers: { ...headers } })
  const form = new URLSearchParams(reply.body)
  return {
    status: reply.statusCode,
    token: { id: form.get('oauth_token') ?? '', secret: form.get('oauth_token_secret') ?? '' },
  }
}

const requestUrl = '/v3/OS-OAUTH1/request_token'
const accessUrl = '/v3/OS-OAUTH1/access_token'

async function begun(t: Parameters<typeof startIdentity>[0]) {
  const cloud = await startIdentity(t)
  const { call, admin } = cloud
  const made = await call('POST', '/v3/OS-OAUTH1/consumers', { token: admin, body: { consumer: { description: 'd' } } })
  assert.equal(made.status, 201)
  const consumer: { id: string; secret: string } = made.body.consumer
  const project: string = (await call('GET', '/v3/projects?name=admin', { token: admin })).body.projects[0].id
  const roles = (await call('GET', '/v3/roles', { token: admin })).body.roles as { id: string; name: string }[]
  const role = roles.find(({ name }) => name === 'member')!.id
  return { cloud, consumer, project, role }
}

test('consumers: create, show without the secret, change, delete', async (t) => {
  const { cloud, consumer } = await begun(t)
  const { call, admin: token } = cloud
  const url = `/v3/OS-OAUTH1/consumers/${consumer.id}`
  const shown = (await call('GET', url, { token })).body.consumer
  assert.deepEqual([shown.description, shown.secret], ['d', undefined])
  assert.ok(consumer.secret.length >= 32)
  const changed = await call('PATCH', url, { token, body: { consumer: { description: 'e' } } })
  assert.equal(changed.body.consumer.description, 'e')
  assert.equal((await call('PATCH', url, { token, body: { consumer: { secret: 'x' } } })).status, 400)
  assert.equal((await call('GET', '/v3/OS-OAUTH1/consumers', { token })).body.consumers.length, 1)
  assert.equal((await call('DELETE', url, { token })).status, 204)
  assert.equal((await call('GET', url, { token })).status, 404)
})

test('a consumer asks, a user says yes, the consumer logs in with what it was given and no more', async (t) => {
  const { cloud, consumer, project, role } = await begun(t)
  const { call, admin } = cloud
  const wish = (keys: Keys) =>
    send(cloud, requestUrl, { 'requested-project-id': project, ...signed(cloud, requestUrl, keys) })
  assert.equal((await wish({ consumer: { ...consumer, secret: 'wrong' } })).status, 401)
  assert.equal((await send(cloud, requestUrl, signed(cloud, requestUrl, { consumer }))).status, 400)
  assert.equal((await send(cloud, requestUrl, {})).status, 401)
  const asked = await wish({ consumer })
  assert.equal(asked.status, 201)

  const yes = (roles: object[]) =>
    call('PUT', `/v3/OS-OAUTH1/authorize/${asked.token.id}`, { token: admin, body: { roles } })
  const other = (await call('POST', '/v3/roles', { token: admin, body: { role: { name: 'other' } } })).body.role.id
  assert.equal((await yes([{ id: other }])).status, 401, 'a role that the user does not have')
  const said = await yes([{ id: role }])
  assert.equal(said.status, 200, JSON.stringify(said.body))
  const verifier: string = said.body.token.oauth_verifier
  const fetch = (keys: Keys) => send(cloud, accessUrl, signed(cloud, accessUrl, keys))
  assert.equal((await fetch({ consumer, token: asked.token, verifier: 'guess' })).status, 401)
  assert.equal((await fetch({ consumer, token: { ...asked.token, secret: 'x' }, verifier })).status, 401)
  const given = await fetch({ consumer, token: asked.token, verifier })
  assert.equal(given.status, 201)
  assert.equal((await fetch({ consumer, token: asked.token, verifier })).status, 404, 'once only')

  const logIn = (keys: Keys) =>
    call('POST', '/v3/auth/tokens', {
      headers: signed(cloud, '/v3/auth/tokens', keys),
      body: { auth: { identity: { methods: ['oauth1'], oauth1: {} } } },
    })
  assert.equal((await logIn({ consumer, token: { ...given.token, secret: 'x' } })).status, 401)
  const inside = await logIn({ consumer, token: given.token })
  assert.equal(inside.status, 201, JSON.stringify(inside.body))
  const { body } = inside
  assert.deepEqual(body.token.methods, ['oauth1'])
  assert.deepEqual(body.token['OS-OAUTH1'], { access_token_id: given.token.id, consumer_id: consumer.id })
  assert.equal(body.token.project.id, project)
  assert.deepEqual(body.token.roles.map((each: { name: string }) => each.name).sort(), ['member', 'reader'])

  const token = String(inside.headers['x-subject-token'])
  assert.equal((await call('GET', '/v3/auth/catalog', { token })).status, 200)
  const exchange = { identity: { methods: ['token'], token: { id: token } }, scope: projectScope('admin') }
  assert.equal((await call('POST', '/v3/auth/tokens', { body: { auth: exchange } })).status, 403)

  const me = body.token.user.id
  const mine = `/v3/users/${me}/OS-OAUTH1/access_tokens`
  const list = await call('GET', mine, { token: admin })
  assert.deepEqual(
    list.body.access_tokens.map((each: { id: string }) => each.id),
    [given.token.id],
  )
  const roles = await call('GET', `${mine}/${given.token.id}/roles`, { token: admin })
  assert.deepEqual(
    roles.body.roles.map((each: { id: string }) => each.id),
    [role],
  )
  assert.equal((await call('GET', `${mine}/${given.token.id}/roles/${role}`, { token: admin })).status, 200)
  assert.equal((await call('GET', `${mine}/${given.token.id}/roles/${other}`, { token: admin })).status, 404)
  assert.equal((await call('DELETE', `${mine}/${given.token.id}`, { token: admin })).status, 204)
  assert.equal((await call('GET', '/v3/auth/catalog', { token })).status, 401, 'its tokens die with it')
  assert.equal((await logIn({ consumer, token: given.token })).status, 401)
})

test('nobody without the right says yes, and no request waits for ever', async (t) => {
  const { cloud, consumer, project, role } = await begun(t)
  const asked = await send(cloud, requestUrl, {
    'requested-project-id': project,
    ...signed(cloud, requestUrl, { consumer }),
  })
  const url = `/v3/OS-OAUTH1/authorize/${asked.token.id}`
  const body = { roles: [{ id: role }] }
  const demo = await cloud.tokenOf('demo', passwords.demoPassword, projectScope('demo'))
  assert.equal((await cloud.call('PUT', url, { token: demo, body })).status, 403)
  cloud.ground.clock.advanceMs(8 * 3_600_000)
  assert.equal((await cloud.call('PUT', url, { token: cloud.admin, body })).status, 401)
})
