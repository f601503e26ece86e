import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '../../test/support/databases.ts'
import { claimPortBase } from '../../test/support/ports.ts'

const main = fileURLToPath(new URL('../main.ts', import.meta.url))

test('a simulated cloud says so, launches on many hosts, explains, and ends when told', async (t) => {
  const stateDir = await temporaryDirectory(t)
  const portBase = await claimPortBase(t)
  const place = ['--state-dir', stateDir]
  const args = ['simulate', '--hosts', '12', '--fail', '0', ...place, '--port-base', String(portBase)]
  const cloud = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => cloud.kill('SIGKILL'))
  let said = ''
  for await (const chunk of cloud.stdout) {
    said += String(chunk)
    if (said.includes('SIMULATED')) break
  }
  assert.match(said, /12 hosts that run nothing/)

  const openrc = spawnSync(process.execPath, [main, 'openrc', ...place], { encoding: 'utf8' }).stdout
  const password = /OS_PASSWORD='(.*)'/.exec(openrc)?.[1]
  const login = await fetch(`http://127.0.0.1:${5000 + portBase}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: 'admin', domain: { id: 'default' }, password } } },
        scope: { project: { name: 'admin', domain: { id: 'default' } } },
      },
    }),
  })
  const headers = {
    'x-auth-token': login.headers.get('x-subject-token') ?? '',
    'content-type': 'application/json',
    'openstack-api-version': 'compute 2.93',
  }
  const call = async (service: number, path: string, body?: object) => {
    const init = body ? { method: 'POST', body: JSON.stringify(body) } : {}
    const reply = await fetch(`http://127.0.0.1:${service + portBase}${path}`, { ...init, headers })
    assert.ok(reply.ok, `${path}: ${reply.status}`)
    return await reply.json()
  }
  const { images } = (await call(9292, '/v2/images')) as { images: { id: string }[] }
  const server = { name: 'many', imageRef: images[0]?.id, flavorRef: '1', networks: 'none', min_count: 10 }
  await call(8774, '/v2.1/servers', { server })
  const listed = async () =>
    ((await call(8774, '/v2.1/servers/detail')) as { servers: { status: string; 'OS-EXT-SRV-ATTR:host': string }[] })
      .servers
  const deadline = performance.now() + 20_000
  while ((await listed()).some(({ status }) => status === 'BUILD')) assert.ok(performance.now() < deadline)
  const servers = await listed()
  assert.deepEqual([...new Set(servers.map(({ status }) => status))], ['ACTIVE'])
  assert.equal(new Set(servers.map((each) => each['OS-EXT-SRV-ATTR:host'])).size, 10)

  const explained = spawnSync(process.execPath, [main, 'explain', 'many-3', ...place], { encoding: 'utf8' })
  assert.match(explained.stdout, /^many-3 \(.*\): ACTIVE\nhost sim\d\d\ndecided .*: 12 hosts, 12 passed every filter\n/)
  assert.equal(explained.status, 0)
  const unknown = spawnSync(process.execPath, [main, 'explain', 'nobody', ...place], { encoding: 'utf8' })
  assert.match(unknown.stderr, /Instance nobody could not be found/)

  cloud.stdout.resume()
  cloud.kill('SIGTERM')
  assert.deepEqual(await once(cloud, 'exit'), [0, null])
})
