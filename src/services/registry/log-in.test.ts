import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startCloud } from '../../../test/support/cloud.ts'
import { digestOf } from '../../../test/support/push.ts'
import { urlOf } from '../../platform/config.ts'
import { parseUser } from './logic/log-in.ts'

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

async function registry(t: TestContext) {
  const cloud = await startCloud(t, { hosts: [] })
  const url = urlOf(cloud.config, 'registry')
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect
  const answer = async (reply: Response): Promise<{ status: number; headers: Headers; body: any }> => {
    const text = await reply.text()
    const body = text.startsWith('{') ? JSON.parse(text) : text
    return { status: reply.status, headers: reply.headers, body }
  }
  const logIn = async (user: string, password: string, query = '') =>
    answer(await fetch(`${url}/token?service=registry${query}`, { headers: { authorization: basic(user, password) } }))
  const post = async (form: Record<string, string>) =>
    answer(await fetch(`${url}/token`, { method: 'POST', body: new URLSearchParams(form) }))
  /** As Skopeo and Podman send it: without a length. */
  const postChunked = async (form: Record<string, string>) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = new Blob([new URLSearchParams(form).toString()]).stream()
    return answer(await fetch(`${url}/token`, { method: 'POST', headers, body, duplex: 'half' }))
  }
  const call = async (method: string, path: string, token: string, body?: string) =>
    answer(
      await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/octet-stream' } : {}) },
        ...(body ? { body } : {}),
      }),
    )
  return { ...cloud, logIn, post, postChunked, call }
}

const access = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).access

test('who logs in gets of what they ask for what they may have', async (t) => {
  const { logIn, call } = await registry(t)
  const scopes = '&scope=repository:demo/app:pull,push,delete&scope=repository:admin/x:pull,push&scope=nonsense'
  for (const user of ['demo', 'demo@Default', 'demo/demo', 'demo@default/demo@Default']) {
    const { status, body } = await logIn(user, 'demo-password', scopes)
    assert.equal(status, 200, user)
    assert.deepEqual(access(body.token), [
      { type: 'repository', name: 'demo/app', actions: ['pull', 'push', 'delete'] },
    ])
    assert.deepEqual([body.access_token === body.token, body.expires_in >= 60], [true, true])
  }
  const { body } = await logIn('demo', 'demo-password', '&scope=repository:demo/app:pull')
  const narrow = await call('POST', '/v2/demo/app/blobs/uploads/', body.token)
  assert.equal(narrow.status, 401)
  assert.match(
    narrow.headers.get('www-authenticate') ?? '',
    /scope="repository:demo\/app:pull,push",error="insufficient_scope"/,
  )
  const wide = await logIn('demo', 'demo-password', '&scope=repository:demo/app:pull,push')
  const url = `/v2/demo/app/blobs/uploads/?digest=${digestOf('x')}`
  assert.equal((await call('POST', url, wide.body.token, 'x')).status, 201)
  for (const wrong of ['demo@Nowhere', 'demo/admin', 'nobody', 'demo@a@b', 'a/b/c', 'applicationcredential-none']) {
    assert.equal((await logIn(wrong, 'demo-password')).status, 401, wrong)
  }
})

test('a refresh token stands for the password until that is changed', async (t) => {
  const { logIn, post, postChunked, call, as } = await registry(t)
  const { body } = await logIn('demo', 'demo-password', '&offline_token=true&client_id=docker')
  const { refresh_token: refresh } = body
  assert.equal(typeof refresh, 'string')
  assert.equal((await logIn('demo', 'demo-password')).body.refresh_token, undefined)
  const form = { grant_type: 'refresh_token', refresh_token: refresh, scope: 'repository:demo/app:push,pull' }
  const renewed = await post(form)
  assert.deepEqual([renewed.status, renewed.body.refresh_token], [200, refresh])
  assert.equal((await postChunked(form)).status, 200)
  assert.equal((await postChunked({ ...form, more: 'x'.repeat(70_000) })).status, 413)
  assert.equal((await call('POST', '/v2/demo/app/blobs/uploads/', renewed.body.token)).status, 202)
  assert.equal((await logIn('demo', refresh)).status, 200, 'for clients that know no refresh tokens')
  const { status, body: told } = await post({ ...form, refresh_token: `${refresh}x` })
  assert.deepEqual([status, told.errors[0].code], [401, 'UNAUTHORIZED'])

  const user = (await as('admin').get('identity', '/v3/users?name=demo')).body.users[0].id
  const changed = await as('admin').patch('identity', `/v3/users/${user}`, { user: { password: 'another-password' } })
  assert.equal(changed.status, 200)
  assert.equal((await call('POST', '/v2/demo/app/blobs/uploads/', renewed.body.token)).status, 401)
  assert.equal((await post(form)).status, 401)
  const direct = await post({ grant_type: 'password', username: 'demo', password: 'another-password' })
  assert.equal(direct.status, 200)
})

test('an Identity token is as good as a password, and so is an application credential', async (t) => {
  const { logIn, call, as } = await registry(t)
  const scope = '&scope=repository:demo/app:push'
  const made = await as('demo').post('identity', '/v3/auth/tokens', {
    auth: {
      identity: {
        methods: ['password'],
        password: { user: { name: 'demo', domain: { id: 'default' }, password: 'demo-password' } },
      },
      scope: { project: { name: 'demo', domain: { id: 'default' } } },
    },
  })
  const token = String(made.headers['x-subject-token'])
  const answer = await logIn('token', token, `${scope}&offline_token=true`)
  assert.deepEqual([answer.body.refresh_token, access(answer.body.token).length], [undefined, 1])
  const user = made.body.token.user.id
  const credentials = `/v3/users/${user}/application_credentials`
  const create = (attributes: object) =>
    as('demo').call('POST', 'identity', credentials, { application_credential: attributes }, { 'x-auth-token': token })
  const { body } = await create({ name: 'ci' })
  const { id, secret } = body.application_credential
  for (const name of [`applicationcredential-${id}`, 'applicationcredential-demo@Default-ci']) {
    const { body: given } = await logIn(name, secret, scope)
    assert.equal((await call('POST', '/v2/demo/app/blobs/uploads/', given.token)).status, 202, name)
  }
  const rules = [{ service: 'registry', method: 'GET', path: '/v2/**' }]
  const limited = (await create({ name: 'reader', access_rules: rules })).body.application_credential
  const { body: given } = await logIn(`applicationcredential-${limited.id}`, limited.secret, scope)
  assert.equal((await call('POST', '/v2/demo/app/blobs/uploads/', given.token)).status, 401)
  assert.equal((await call('GET', '/v2/', given.token)).status, 200)
})

test('guessing is slowed down', async (t) => {
  const { logIn } = await registry(t)
  let status = 401
  for (let i = 0; i < 12 && status === 401; i++) status = (await logIn('demo', 'wrong')).status
  assert.equal(status, 429)
})

for (const [text, parsed] of [
  ['u', { name: 'u', domain: null, project: null, projectDomain: null }],
  ['u@d/p', { name: 'u', domain: 'd', project: 'p', projectDomain: 'd' }],
  ['u@d/p@e', { name: 'u', domain: 'd', project: 'p', projectDomain: 'e' }],
  ['u/p', { name: 'u', domain: null, project: 'p', projectDomain: null }],
  ['', null],
  ['u/', null],
  ['/p', null],
] as const) {
  test(`the user ${JSON.stringify(text)}`, () => assert.deepEqual(parseUser(text), parsed))
}
