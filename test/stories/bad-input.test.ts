import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { openFileBlobs } from '../../src/platform/blobs/file-store.ts'
import { portOf } from '../../src/platform/config.ts'
import { newLogger } from '../../src/platform/log.ts'
import { busyboxArchive } from '../../src/seed/busybox.ts'
import { until } from '../support/api.ts'
import { type Caller, startCloud, type TestCloud } from '../support/cloud.ts'

/** What a person or a broken program may send: each gets the status and the reason, and nothing is left behind. */

async function image(
  cloud: TestCloud,
  who: Caller,
  content?: Buffer,
): Promise<{ id: string; upload: number; said: string }> {
  const wanted = { name: 'i', container_format: 'docker', disk_format: 'raw' }
  const made = await who.post('image', '/v2/images', wanted)
  assert.equal(made.status, 201)
  const sent = await who.put('image', `/v2/images/${made.body.id}/file`, content ?? (await busyboxArchive()))
  void cloud
  return { id: made.body.id, upload: sent.status, said: JSON.stringify(sent.body) }
}

async function network(who: Caller): Promise<string> {
  const made = await who.post('network', '/v2.0/networks', { network: { name: 'n' } })
  const subnet = { network_id: made.body.network.id, ip_version: 4, cidr: '10.1.0.0/24' }
  assert.equal((await who.post('network', '/v2.0/subnets', { subnet })).status, 201)
  return made.body.network.id
}

const blobsOf = async (cloud: TestCloud): Promise<string[]> => {
  const store = await openFileBlobs(join(cloud.config.stateDir, 'blobs'), newLogger('silent'))
  return (await Array.fromAsync(store.list())).map(({ key }) => key)
}

test('a wrong password is refused, and says nothing of what was wrong', async (t) => {
  const cloud = await startCloud(t)
  const ask = (name: string, password: string) =>
    cloud.as('demo').post('identity', '/v3/auth/tokens', {
      auth: { identity: { methods: ['password'], password: { user: { name, password, domain: { id: 'default' } } } } },
    })
  const wrong = await ask('admin', 'wrong')
  const nobody = await ask('nobody', 'wrong')
  assert.equal(wrong.status, 401)
  assert.deepEqual(wrong.body, nobody.body)
  for (let i = 0; i < 20 && (await ask('demo', 'wrong')).status === 401; i++);
  const limited = await ask('demo', 'wrong')
  assert.equal(limited.status, 429)
  assert.ok(limited.headers['retry-after'])
})

test('servers: what is unknown, too long, too big or not understood', async (t) => {
  const cloud = await startCloud(t)
  const demo = cloud.as('demo')
  const imageId = (await image(cloud, demo)).id
  const networkId = await network(demo)
  const good = { name: 's', imageRef: imageId, flavorRef: '1', networks: [{ uuid: networkId }] }
  const unknown = '11111111-2222-3333-4444-555555555555'
  const cases: [object, number, RegExp][] = [
    [{ ...good, flavorRef: '999' }, 400, /[Ff]lavor/],
    [{ ...good, imageRef: unknown }, 400, /[Ii]mage/],
    [{ ...good, networks: [{ uuid: unknown }] }, 400, /[Nn]etwork/],
    [{ ...good, networks: [{ port: unknown }] }, 400, /[Pp]ort/],
    [{ ...good, name: 'x'.repeat(300) }, 400, /name.*too long/],
    [{ ...good, name: '' }, 400, /name/],
    [{ ...good, surprise: 1 }, 400, /surprise/],
    [{ ...good, max_count: -1 }, 400, /max_count/],
    [{ ...good, min_count: 3, max_count: 2 }, 400, /min_count/],
    [{ ...good, key_name: 'nokey' }, 400, /key_name/],
    [{ ...good, metadata: { k: 'v'.repeat(300) } }, 400, /metadata/],
    [{ ...good, user_data: '***' }, 400, /[Uu]ser.data/],
    [{ ...good, security_groups: [{ name: 'nogroup' }] }, 400, /[Ss]ecurity group/],
    [{ ...good, availability_zone: 'nowhere' }, 400, /availability zone/],
  ]
  for (const [server, status, cause] of cases) {
    const reply = await demo.post('compute', '/v2.1/servers', { server })
    assert.equal(reply.status, status, `${JSON.stringify(server)}: ${JSON.stringify(reply.body)}`)
    assert.match(JSON.stringify(reply.body), cause)
  }
  await cloud.settle()
  assert.equal((await demo.get('compute', '/v2.1/servers')).body.servers.length, 0)
  assert.equal((await demo.get('network', '/v2.0/ports')).body.ports.length, 0)
})

test('no room: the fault says which host lacks what, and by how much', async (t) => {
  const cloud = await startCloud(t, { hosts: [{ vcpus: 4, memoryMiB: 4096, diskGiB: 100 }] })
  const demo = cloud.as('demo')
  const flavor = { name: 'huge', ram: 65_536, vcpus: 2, disk: 1, id: 'huge' }
  assert.equal((await cloud.as('admin').post('compute', '/v2.1/flavors', { flavor })).status, 200)
  const quota = { quota_set: { ram: 200_000 } }
  assert.equal((await cloud.as('admin').put('compute', `/v2.1/os-quota-sets/${demo.projectId}`, quota)).status, 200)
  const server = { name: 's', imageRef: (await image(cloud, demo)).id, flavorRef: 'huge', networks: 'none' }
  const version = { 'openstack-api-version': 'compute 2.37' }
  const made = await demo.post('compute', '/v2.1/servers', { server }, version)
  assert.equal(made.status, 202, JSON.stringify(made.body))
  await cloud.settle()
  const { status, fault } = (await demo.get('compute', `/v2.1/servers/${made.body.server.id}`)).body.server
  assert.equal(status, 'ERROR')
  assert.match(fault.message, /No valid host was found/)
  assert.match(fault.message, /host1.*MEMORY_MB.*65536/s)
  assert.equal((await demo.delete('compute', `/v2.1/servers/${made.body.server.id}`)).status, 204)
})

test('JSON that is none, unknown keys, negative sizes, and bodies without end', async (t) => {
  const cloud = await startCloud(t)
  const admin = cloud.as('admin')
  const raw = (service: 'compute' | 'network' | 'identity', path: string, text: string) =>
    fetch(`http://127.0.0.1:${portOf(cloud.config, service)}${path}`, {
      method: 'POST',
      headers: { 'x-auth-token': admin.token, 'content-type': 'application/json' },
      body: text,
    })
  for (const [service, path] of [
    ['compute', '/v2.1/servers'],
    ['network', '/v2.0/networks'],
    ['identity', '/v3/projects'],
  ] as const) {
    assert.equal((await raw(service, path, '{"half": ')).status, 400, service)
    assert.equal(await sendEndless(cloud, service, path, admin.token), 413, service)
  }
  const cases: ['compute' | 'network' | 'image' | 'identity', string, object, RegExp][] = [
    ['compute', '/v2.1/flavors', { flavor: { name: 'f', ram: -1, vcpus: 1, disk: 1 } }, /ram/],
    ['compute', '/v2.1/flavors', { flavor: { name: 'f', ram: 1, vcpus: 1, disk: -1 } }, /disk/],
    ['network', '/v2.0/networks', { network: { name: 'n', surprise: 1 } }, /surprise/],
    ['network', '/v2.0/networks', { network: { name: 'x'.repeat(300) } }, /name/],
    ['image', '/v2/images', { name: 'i', min_disk: -1 }, /min_disk/],
    ['image', '/v2/images', { name: 'x'.repeat(300) }, /name/],
    ['identity', '/v3/projects', { project: { name: 'x'.repeat(300) } }, /name/],
    ['identity', '/v3/projects', { project: { name: '' } }, /name/],
  ]
  for (const [service, path, body, cause] of cases) {
    const reply = await admin.post(service, path, body)
    assert.equal(reply.status, 400, `${service}${path}: ${JSON.stringify(reply.body)}`)
    assert.match(JSON.stringify(reply.body), cause)
  }
})

/** Says it has 100 MB of JSON and sends until it is answered; gives the status. */
async function sendEndless(cloud: TestCloud, service: 'compute' | 'network' | 'identity', path: string, token: string) {
  const socket = connect(portOf(cloud.config, service), '127.0.0.1')
  socket.on('error', () => {}) // hung up on, after the answer
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${token}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${100 << 20}\r\n\r\n{"a": "${'x'.repeat(100_000)}`,
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return Number(/^HTTP\/1.1 (\d+)/.exec(answer.toString('latin1'))?.[1])
}

test('archives that are none, cut in half, or climb out of themselves', async (t) => {
  const cloud = await startCloud(t)
  const demo = cloud.as('demo')
  const whole = await busyboxArchive()
  const climbing = Buffer.from(whole)
  // The first member's name, in place: tar headers begin with it, and the checksum is made anew.
  climbing.fill(0, 0, 100)
  climbing.write('../../etc/passwd')
  climbing.write('        ', 148)
  const sum = climbing.subarray(0, 512).reduce((a, b) => a + b, 0)
  climbing.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const cases: [Buffer, RegExp][] = [
    [Buffer.from('this is no archive'.repeat(100)), /archive/],
    [whole.subarray(0, whole.length >> 1), /cut|short|truncated|end/i],
    [climbing, /\.\.\//],
  ]
  for (const [content, cause] of cases) {
    const { id, upload, said } = await image(cloud, demo, content)
    assert.equal(upload, 400, said)
    assert.match(said, cause)
    assert.notEqual((await demo.get('image', `/v2/images/${id}`)).body.status, 'active')
    assert.equal((await demo.delete('image', `/v2/images/${id}`)).status, 204)
  }
  assert.deepEqual(await blobsOf(cloud), [])
})

test('an upload broken off half way leaves the image queued and no bytes', async (t) => {
  const cloud = await startCloud(t)
  const demo = cloud.as('demo')
  const { body } = await demo.post('image', '/v2/images', { name: 'i', container_format: 'bare', disk_format: 'raw' })
  const socket = connect(portOf(cloud.config, 'image'), '127.0.0.1')
  await once(socket, 'connect')
  socket.write(
    `PUT /v2/images/${body.id}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${demo.token}\r\n` +
      `Content-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1000)}`,
  )
  await until('saving', 5000, async () => (await demo.get('image', `/v2/images/${body.id}`)).body.status === 'saving')
  socket.destroy()
  await until('queued', 5000, async () => (await demo.get('image', `/v2/images/${body.id}`)).body.status === 'queued')
  assert.deepEqual(await blobsOf(cloud), [])
  assert.deepEqual(await readdir(join(cloud.config.stateDir, 'blobs', 'tmp')).catch(() => []), [])
})

test('a full disk is said, and what was begun is removed', async (t) => {
  const mounted = await mkdtemp(join(tmpdir(), 'berth-small-'))
  const exec = promisify(execFile)
  await exec('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mounted])
  t.after(async () => {
    await exec('umount', [mounted])
    await rm(mounted, { recursive: true })
  })
  const store = await openFileBlobs(mounted, newLogger('silent'))
  await assert.rejects(store.put(Readable.from([Buffer.alloc(4 << 20)])), { kind: 'noSpace' })
  assert.deepEqual(await Array.fromAsync(store.list()), [])
  const small = await store.put(Readable.from([Buffer.alloc(1000)]))
  assert.equal(small.size, 1000)
})

/** What anybody may ask: discovery, health, the log-in itself, and the registry, whose tokens are its own. */
const open = new Set([
  ...['GET /healthz', 'GET /readyz', 'GET /metrics', 'GET /', 'GET /versions'],
  ...['GET /v2.1', 'GET /v2.1/', 'GET /v2', 'GET /v2.0', 'GET /v2/', 'GET /v2.0/', 'GET /v3', 'GET /v3/'],
  ...['POST /v3/auth/tokens', 'POST /v2.0/tokens', 'POST /v3/users/:id/password'],
])

test('every route of every service refuses a caller without a token, but those that need none', async (t) => {
  const cloud = await startCloud(t)
  let asked = 0
  const answered: string[] = []
  for (const [name, { app }] of Object.entries(cloud.control.services)) {
    if (!app || name === 'registry') continue
    for (const { method, url } of app.routeList) {
      const path = url.replace(/:\w+(\([^)]*\))?/g, 'x').replace('*', 'x')
      const reply = await app.inject({ method: method as 'GET', url: path })
      asked++
      const isOpen = open.has(`${method.replace('HEAD', 'GET')} ${url}`)
      if (reply.statusCode !== 401 && !isOpen) answered.push(`${name}: ${method} ${url} ${reply.statusCode}`)
    }
  }
  assert.deepEqual(answered, [])
  assert.ok(asked > 200, `${asked} routes`)
})
