import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { systemContext } from '../auth/context.ts'
import { NotFound } from '../errors.ts'
import { newLogger } from '../log.ts'
import { type App, createApp } from './app.ts'
import { nextLinks } from './links.ts'

function anApp(): App {
  const app = createApp({
    service: 'compute',
    dialect: ({ status, message, kind, validation }) => ({ status, body: { kind, message, path: validation?.path } }),
    policy: {
      has: (rule) => rule !== 'nowhere',
      check: (rule, ctx) => rule !== 'admin' || ctx.isAdmin,
      explain: (text, ctx) => ({ text, allowed: text !== 'admin' || ctx.isAdmin, parts: [] }),
    },
    authenticate: (token, requestId) =>
      token === 'admin'
        ? systemContext(requestId)
        : token === 'user'
          ? { ...systemContext(requestId), roles: ['member'], isAdmin: false }
          : null,
    identityUrl: 'http://127.0.0.1:5000/v3',
    log: newLogger('silent'),
    microversions: {
      service: 'compute',
      legacyHeader: 'X-OpenStack-Nova-API-Version',
      min: '2.1',
      max: '2.50',
    },
    bodyLimit: 1000,
  })
  app.get('/', { config: { policy: 'public' } }, async () => ({ hello: 'all' }))
  app.get('/who', { config: { policy: 'authenticated' } }, async (request) => ({
    user: request.ctx.userId,
    version: request.microversion,
    links: nextLinks(request, 'm1'),
  }))
  app.get('/admin', { config: { policy: 'admin' } }, async () => ({}))
  app.get('/later', { config: { policy: 'authenticated', since: '2.10', until: '2.20' } }, async () => ({}))
  app.get('/careless', { config: { policy: 'admin', check: 'handler' } }, async () => ({ secret: 1 }))
  app.get('/gone', { config: { policy: 'authenticated' } }, async () => {
    throw new NotFound('Instance', 'x')
  })
  app.get('/defect', { config: { policy: 'authenticated' } }, async () => {
    throw new Error('the password is hunter2')
  })
  const body = Type.Object(
    { name: Type.String({ minLength: 1, maxLength: 8 }), count: Type.Optional(Type.Integer({ minimum: 0 })) },
    { additionalProperties: false },
  )
  app.post('/things', { config: { policy: 'authenticated' }, schema: { body } }, async (request) => request.body)
  return app
}

const user = { 'x-auth-token': 'user' }

test('a request without a valid token gets 401 and where to get one; a public route needs none', async () => {
  const app = anApp()
  for (const url of ['/who', '/nowhere-at-all']) {
    const reply = await app.inject({ url, headers: { 'x-auth-token': 'wrong' } })
    assert.equal(reply.statusCode, 401)
    assert.equal(reply.headers['www-authenticate'], 'Keystone uri="http://127.0.0.1:5000/v3"')
    assert.equal(reply.json().error.code, 401)
  }
  assert.equal((await app.inject('/')).statusCode, 200)
})

test('every answer names its request, and the microversion it speaks', async () => {
  const app = anApp()
  const reply = await app.inject({ url: '/who', headers: { ...user, 'openstack-api-version': 'compute 2.19' } })
  assert.match(String(reply.headers['x-openstack-request-id']), /^req-[0-9a-f-]{36}$/)
  assert.equal(reply.headers['openstack-api-version'], 'compute 2.19')
  assert.equal(reply.headers['x-openstack-nova-api-version'], '2.19')
  assert.equal(reply.json().version, 2019)
})

test('microversions: default, latest, legacy header, malformed, out of range', async () => {
  const app = anApp()
  const ask = (headers: Record<string, string>) => app.inject({ url: '/who', headers: { ...user, ...headers } })
  assert.equal((await ask({})).json().version, 2001)
  assert.equal((await ask({ 'openstack-api-version': 'volume 3.1, compute latest' })).json().version, 2050)
  assert.equal((await ask({ 'x-openstack-nova-api-version': '2.7' })).json().version, 2007)
  assert.equal((await ask({ 'openstack-api-version': 'compute 2.x' })).statusCode, 400)
  assert.equal((await ask({ 'openstack-api-version': 'compute 2.51' })).statusCode, 406)
})

test('a route outside its microversions does not exist', async () => {
  const app = anApp()
  const status = async (v: string) =>
    (await app.inject({ url: '/later', headers: { ...user, 'openstack-api-version': `compute ${v}` } })).statusCode
  assert.deepEqual(
    [await status('2.9'), await status('2.10'), await status('2.20'), await status('2.21')],
    [404, 200, 200, 404],
  )
})

test('policy decides before the handler, and a handler that forgot to ask it answers nothing', async () => {
  const app = anApp()
  assert.equal((await app.inject({ url: '/admin', headers: user })).statusCode, 403)
  assert.equal((await app.inject({ url: '/admin', headers: { 'x-auth-token': 'admin' } })).statusCode, 200)
  const careless = await app.inject({ url: '/careless', headers: { 'x-auth-token': 'admin' } })
  assert.equal(careless.statusCode, 500)
  assert.equal(careless.body, '')
})

test('a route without a policy, or with one that does not exist, is refused at start', () => {
  assert.throws(() => anApp().get('/open', async () => ({})), /names no policy/)
  assert.throws(() => anApp().get('/open', { config: { policy: 'nowhere' } }, async () => ({})), /does not exist/)
})

test('bodies are checked strictly and the fault names the field', async () => {
  const app = anApp()
  const send = (payload: string | object, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    app.inject({ method: 'POST', url: '/things', headers: { ...user, ...headers }, payload })
  assert.deepEqual((await send({ name: 'a', count: 2 })).json(), { name: 'a', count: 2 })
  const cases: [string | object, number, RegExp][] = [
    [{ name: 'a', extra: 1 }, 400, /'extra' was unexpected/],
    [{ name: 'far too long' }, 400, /name.*too long/],
    [{ name: 'a', count: -1 }, 400, /count.*less than the minimum of 0/],
    [{ name: 'a', count: '1' }, 400, /count.*not of type/],
    [{}, 400, /'name' is a required property/],
    ['{"name": ', 400, /Malformed request body/],
    ['{"__proto__": 1}', 400, /Malformed request body/],
    ['', 400, /body/],
    [{ name: 'x'.repeat(2000) }, 413, /too large/],
  ]
  for (const [payload, status, text] of cases) {
    const reply = await send(payload)
    assert.equal(reply.statusCode, status, reply.body)
    assert.match(reply.json().message, text)
  }
  assert.equal((await send('name=a', { 'content-type': 'text/plain' })).statusCode, 415)
})

test('faults speak the dialect; a defect of ours says nothing of its inside', async () => {
  const app = anApp()
  const gone = await app.inject({ url: '/gone', headers: user })
  assert.equal(gone.statusCode, 404)
  assert.equal(gone.json().message, 'Instance x could not be found.')
  const defect = await app.inject({ url: '/defect', headers: user })
  assert.equal(defect.statusCode, 500)
  assert.doesNotMatch(defect.body, /hunter2/)
})

test('links lead to the next page through whatever address the client used', async () => {
  const reply = await anApp().inject({
    url: '/who?limit=2&marker=m0',
    headers: { ...user, host: 'cloud.example:8774' },
  })
  assert.deepEqual(reply.json().links, [{ rel: 'next', href: 'http://cloud.example:8774/who?limit=2&marker=m1' }])
})

test('health, readiness and metrics are there for the operator', async () => {
  const app = anApp()
  assert.equal((await app.inject('/healthz')).json().status, 'ok')
  assert.equal((await app.inject('/readyz')).statusCode, 200)
  assert.match((await app.inject('/metrics')).body, /berth_http_requests_total\{service="compute"/)
})
