import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Berth, newBerth } from '../support/berth.ts'

let berth: Berth
const used = new Map<string, string>()

/** Whatever goes over the wire that nobody else may know, under the name of what it is. */
const secret = (name: string, value: unknown): string => {
  assert.ok(typeof value === 'string' && value.length >= 8, `${name} is no secret: ${String(value)}`)
  used.set(name, value)
  return value
}

before(async () => {
  const proxy = { BERTH_FEDERATION_PROXY_SECRET: secret('what a proxy is trusted by', 'proxy-5ecret-j') }
  berth = await newBerth(20_900, { BERTH_LOG_LEVEL: 'debug', BERTH_DEMO: 'false', ...proxy })
  await berth.up()
})
after(async () => {
  await berth?.destroy()
})

async function send(method: string, url: string, body?: unknown, headers: Record<string, string> = {}) {
  const reply = await fetch(url, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await reply.text()
  // biome-ignore lint/suspicious/noExplicitAny: what came over the wire
  const json: any = text.startsWith('{') ? JSON.parse(text) : {}
  return { status: reply.status, headers: reply.headers, body: json }
}

test('no password, token or key that was used stands in a log', async () => {
  const env = await berth.openrc()
  const identity = env.OS_AUTH_URL ?? ''
  const base = (service: number) => `http://127.0.0.1:${service + berth.portBase}`
  const logIn = async (method: object, scope?: object) =>
    send('POST', `${identity}/auth/tokens`, { auth: { identity: method, ...(scope && { scope }) } })
  const byPassword = (name: string, password: string) => ({
    methods: ['password'],
    password: { user: { name, password, domain: { id: 'default' } } },
  })
  const project = { project: { name: 'admin', domain: { id: 'default' } } }
  const password = secret('the first password', env.OS_PASSWORD)
  const entered = await logIn(byPassword('admin', password), project)
  assert.equal(entered.status, 201)
  const token = secret('a token', entered.headers.get('x-subject-token'))
  const as = { 'x-auth-token': token }
  const userId = entered.body.token.user.id as string
  const projectId = entered.body.token.project.id as string
  const made = async (method: string, url: string, body: unknown, expected: number) => {
    const answer = await send(method, url, body, as)
    assert.equal(answer.status, expected, `${method} ${url}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  // Refused ones are as secret: they are often a slip of the right one.
  await logIn(byPassword('admin', secret('a wrong password', 'wr0ng-Pa55word-a')))
  await send('GET', `${identity}/projects`, undefined, {
    'x-auth-token': secret('a bad token', `gAAAA${'x9'.repeat(40)}`),
  })
  await send('GET', `${identity}/auth/tokens`, undefined, { ...as, 'x-subject-token': token })
  await send(
    'POST',
    `${identity}/auth/tokens`,
    `{"password":"${secret('a password in half a body', 'h4lf-Pa55word-b')}"`,
    as,
  )

  const first = secret('a password set by an administrator', 'set-Pa55word-c')
  const { user } = await made('POST', `${identity}/users`, { user: { name: 'kim', password: first } }, 201)
  const second = secret('a password chosen by its user', 'chosen-Pa55word-d')
  const change = { user: { original_password: first, password: second } }
  await made('POST', `${identity}/users/${user.id}/password`, change, 204)
  const third = secret('a password reset', 'reset-Pa55word-e')
  await made('PATCH', `${identity}/users/${user.id}`, { user: { password: third } }, 200)
  const unscoped = await logIn(byPassword('kim', third))
  secret('an unscoped token', unscoped.headers.get('x-subject-token'))

  const named = { application_credential: { name: 'robot', secret: secret('an own secret', 'robot-5ecret-f') } }
  const { application_credential: robot } = await made(
    'POST',
    `${identity}/users/${userId}/application_credentials`,
    named,
    201,
  )
  const { application_credential: other } = await made(
    'POST',
    `${identity}/users/${userId}/application_credentials`,
    { application_credential: { name: 'robot2' } },
    201,
  )
  secret('a made secret', other.secret)
  const robotIn = await logIn({
    methods: ['application_credential'],
    application_credential: { id: robot.id, secret: 'robot-5ecret-f' },
  })
  assert.equal(robotIn.status, 201)
  secret('a robot’s token', robotIn.headers.get('x-subject-token'))
  const ec2 = await made('POST', `${identity}/users/${userId}/credentials/OS-EC2`, { tenant_id: projectId }, 201)
  secret('an EC2 secret', ec2.credential.secret)
  const { consumer } = await made('POST', `${identity}/OS-OAUTH1/consumers`, { consumer: {} }, 201)
  secret('a consumer’s secret', consumer.secret)
  const blob = secret('a credential', 'blob-5ecret-g-0123')
  const credential = { type: 'cert', blob, user_id: userId, project_id: projectId }
  await made('POST', `${identity}/credentials`, { credential }, 201)

  const federation = `${identity}/OS-FEDERATION`
  const rules = [{ local: [{ user: { name: '{0}' } }], remote: [{ type: 'sub' }] }]
  await made('PUT', `${federation}/identity_providers/acme`, { identity_provider: { enabled: true } }, 201)
  await made('PUT', `${federation}/mappings/m`, { mapping: { rules } }, 201)
  const place = `${federation}/identity_providers/acme/protocols/openid`
  await made('PUT', place, { protocol: { mapping_id: 'm' } }, 201)
  const guest = await send('GET', `${place}/auth`, undefined, {
    'X-Federation-Secret': 'proxy-5ecret-j',
    'X-Federation-sub': 'carol',
  })
  assert.equal(guest.status, 201, JSON.stringify(guest.body))
  secret('a guest’s token', guest.headers.get('x-subject-token'))
  await send('GET', `${place}/auth`, undefined, {
    'X-Federation-Secret': secret('a wrong secret of a proxy', 'wr0ng-5ecret-k'),
  })
  const oldDoor = `${new URL(identity).origin}/auth/v1.0`
  await send('GET', oldDoor, undefined, { 'X-Auth-User': 'admin:admin', 'X-Auth-Key': password })
  await send('GET', oldDoor, undefined, {
    'X-Auth-User': 'admin:kim',
    'X-Auth-Key': secret('a wrong key at the old door', 'wr0ng-5ecret-l'),
  })

  const { keypair } = await made('POST', `${base(8774)}/v2.1/os-keypairs`, { keypair: { name: 'k' } }, 200)
  secret('a private key', (keypair.private_key as string).split('\n')[3])
  const { images } = await send('GET', `${base(9292)}/v2/images`, undefined, as).then(({ body }) => body)
  const adminPass = secret('a server’s password', 'server-Pa55word-h')
  const userData = Buffer.from(secret('what is in user data', 'userdata-5ecret-i')).toString('base64')
  secret('user data', userData)
  const server = { name: 's', imageRef: images[0].id, flavorRef: '1', networks: 'none', adminPass, user_data: userData }
  const versioned = { ...as, 'openstack-api-version': 'compute 2.37' }
  const booted = await send('POST', `${base(8774)}/v2.1/servers`, { server }, versioned)
  assert.equal(booted.status, 202, JSON.stringify(booted.body))

  const basic = Buffer.from(`admin:${password}`).toString('base64')
  const granted = await send('GET', `${base(5042)}/token?service=berth&scope=repository:admin/a:pull,push`, undefined, {
    authorization: `Basic ${secret('a log-in to the registry', basic)}`,
  })
  assert.equal(granted.status, 200, JSON.stringify(granted.body))
  const bearer = secret('a registry token', granted.body.token)
  await send('GET', `${base(5042)}/v2/admin/a/tags/list`, undefined, { authorization: `Bearer ${bearer}` })

  const rotated = await berth.berth('identity', ['rotate-keys'])
  assert.equal(rotated.code, 0, rotated.stderr)
  assert.equal((await send('GET', `${identity}/projects`, undefined, as)).status, 200, 'the older key still counts')
  const renewed = await logIn(byPassword('admin', password), project)
  const newest = secret('a token of the new key', renewed.headers.get('x-subject-token'))
  assert.equal((await send('GET', `${identity}/projects`, undefined, { 'x-auth-token': newest })).status, 200)
  assert.notEqual(newest.slice(0, 6), token.slice(0, 6), 'signed by another key')
  const asked = await berth.berth('policy', ['check', 'identity:list_users', '--as', 'demo', '--project', 'demo'])
  assert.equal(asked.code, 1, asked.stderr)
  assert.match(asked.stdout, /^refused: identity:list_users \(identity\)/)
  const allowed = await berth.berth('policy', ['check', 'identity:list_users', '--as', 'admin', '--project', 'admin'])
  assert.equal(allowed.code, 0, allowed.stdout + allowed.stderr)
  await berth.down()

  const keys = join(berth.stateDir, 'keys')
  for (const name of await readdir(keys)) {
    const text = await readFile(join(keys, name), 'utf8')
    const line = text.split('\n').find((each) => each.length > 30 && !each.startsWith('-'))
    secret(`the key ${name}`, line ?? text.trim())
  }
  const logs = (await readdir(berth.stateDir, { recursive: true })).filter((name) => /(^|[./-])log$|\.log/.test(name))
  assert.ok(logs.includes('berth.log'), logs.join(' '))
  const texts = await Promise.all(
    logs.map(async (name) => [name, await readFile(join(berth.stateDir, name), 'utf8').catch(() => '')] as const),
  )
  const whole = texts.find(([name]) => name === 'berth.log')?.[1] ?? ''
  assert.match(whole, /"url":"\/v3\/auth\/tokens"/, 'the log is at level debug, and tells of requests')
  const found = [...used].flatMap(([name, value]) =>
    texts.flatMap(([log, text]) =>
      [value, encodeURIComponent(value), Buffer.from(value).toString('base64')].some((form) => text.includes(form))
        ? [`${name} in ${log}`]
        : [],
    ),
  )
  assert.deepEqual(found, [])
})
