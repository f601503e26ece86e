import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '../../../test/support/databases.ts'
import { startImage } from '../../../test/support/image.ts'
import { type Client, digestOf, registryClient } from '../../../test/support/push.ts'
import { openFileBlobs } from '../../platform/blobs/file-store.ts'
import { openSqlite } from '../../platform/db/sqlite.ts'
import { newLogger } from '../../platform/log.ts'
import { graceMs } from './logic/garbage.ts'

const program = fileURLToPath(new URL('../../../test/support/image-process.ts', import.meta.url))
const octets = { 'content-type': 'application/octet-stream' }

async function killedAt(fault: string, stateDir: string, verb: string): Promise<void> {
  const child = spawn(process.execPath, [program, stateDir, fault, verb], { stdio: 'inherit' })
  const [code, signal] = await once(child, 'exit')
  assert.deepEqual([code, signal], [null, 'SIGKILL'], `${fault} was not reached`)
}

async function cloudIn(t: TestContext, stateDir: string) {
  const open = async () => {
    const database = await openSqlite(join(stateDir, 'test.sqlite'))
    t.after(() => database.close())
    return database
  }
  const openBlobs = () => openFileBlobs(join(stateDir, 'blobs'), newLogger('silent'))
  const cloud = await startImage(t, { open, openBlobs, config: { stateDir } })
  const client = registryClient(cloud.registry.app!, 'alpha')
  const garbage = () => cloud.registry.loops[0]!.run(AbortSignal.timeout(30_000))
  return { ...cloud, client, garbage }
}

/** The very same push again: whatever the first left, it must succeed and be whole. */
async function pushed(client: Client): Promise<void> {
  await client.blob('alpha/app', Buffer.from('first second'))
  const { content } = await client.image('alpha/app', 'v1', 'text')
  const { config, layers } = JSON.parse(content)
  for (const { digest } of [config, ...layers]) {
    const { bytes } = await client.call('GET', `/v2/alpha/app/blobs/${digest}`)
    assert.equal(digestOf(bytes), digest)
  }
}

for (const fault of [
  'registry.upload.named',
  'registry.upload.stored',
  'registry.upload.noted',
  'registry.upload.named:2',
  'registry.upload.stored:2',
  'registry.upload.whole',
  'registry.upload.committed',
  'registry.manifest.checked',
  'registry.manifest.committed',
]) {
  test(`killed at ${fault}, a push can be done again, and what was left is collected`, async (t) => {
    const { stateDir } = await cloudIn(t, await temporaryDirectory(t))
    await killedAt(fault, stateDir, 'push')
    const cloud = await cloudIn(t, stateDir)
    assert.deepEqual(await readdir(join(stateDir, 'blobs', 'tmp')), [])
    const images = async () => (await cloud.as('alpha')('GET', '/v2/images')).body.images.length
    const tag = await cloud.client.call('GET', '/v2/alpha/app/manifests/v1')
    assert.equal(await images(), tag.status === 200 ? 1 : 0, 'the tag and its image, or neither')
    await pushed(cloud.client)
    assert.equal(await images(), 1)
    await cloud.garbage()
    const cleared = await cloudIn(t, stateDir)
    cleared.clock.advanceMs(graceMs + 1000)
    await cleared.garbage()
    assert.equal((await cleared.files()).length, 2, 'a configuration and a layer')
    const [image] = (await cleared.as('alpha')('GET', '/v2/images')).body.images
    assert.equal(image.name, 'app:v1')
  })
}

for (const fault of ['registry.garbage.rows', 'registry.garbage.file', 'registry.garbage.file:2']) {
  test(`killed at ${fault}, the next round ends the work`, async (t) => {
    const first = await cloudIn(t, await temporaryDirectory(t))
    await pushed(first.client)
    const { stateDir } = first
    const digest = String(
      (await first.client.call('HEAD', '/v2/alpha/app/manifests/v1')).headers['docker-content-digest'],
    )
    await first.client.image('alpha/kept', 'v1', 'kept')
    await first.client.call('DELETE', `/v2/alpha/app/manifests/${digest}`)
    await killedAt(fault, stateDir, 'collect')
    const cloud = await cloudIn(t, stateDir)
    cloud.clock.advanceMs(graceMs + 1000)
    await cloud.garbage()
    assert.equal((await cloud.files()).length, 2)
    assert.equal((await cloud.client.call('GET', '/v2/alpha/kept/manifests/v1')).status, 200)
  })
}

test('an upload goes on after a restart where it was', async (t) => {
  const first = await cloudIn(t, await temporaryDirectory(t))
  const location = String((await first.client.call('POST', '/v2/alpha/app/blobs/uploads/')).headers.location)
  await first.client.call('PATCH', location, { body: 'first ', headers: octets })
  const { client } = await cloudIn(t, first.stateDir)
  assert.equal((await client.call('GET', location)).headers.range, '0-5')
  const end = { body: 'second', headers: { ...octets, 'content-range': '6-11' } }
  assert.equal((await client.call('PUT', `${location}?digest=${digestOf('first second')}`, end)).status, 201)
})

test('what came of a chunk that broke off is kept', async (t) => {
  const { client } = await cloudIn(t, await temporaryDirectory(t))
  const location = String((await client.call('POST', '/v2/alpha/app/blobs/uploads/')).headers.location)
  const body = Readable.from(
    (async function* () {
      yield Buffer.from('first ')
      throw new Error('the line is cut')
    })(),
  )
  await client.call('PATCH', location, { body, headers: octets }).catch(() => null)
  const range = async () => (await client.call('GET', location)).headers.range
  while ((await range()) !== '0-5') await new Promise(setImmediate)
  const end = { body: 'second', headers: { ...octets, 'content-range': '6-11' } }
  assert.equal((await client.call('PUT', `${location}?digest=${digestOf('first second')}`, end)).status, 201)
})

test('nothing that a push, an image or a manifest needs is collected', async (t) => {
  const cloud = await cloudIn(t, await temporaryDirectory(t))
  const { client, clock, garbage } = cloud
  await client.image('alpha/app', 'v1', 'one')
  await client.image('alpha/app', 'v1', 'two') // the first is only an image's now, and a manifest's
  const told = await client.blob('alpha/app', Buffer.from('pushed, its manifest on the way'))
  const location = String((await client.call('POST', '/v2/alpha/app/blobs/uploads/')).headers.location)
  await client.call('PATCH', location, { body: 'half', headers: octets })
  clock.advanceMs(graceMs * 0.9)
  assert.deepEqual(await garbage(), { dropped: 0, uploads: 0, blobs: 0, files: 0 })
  assert.equal((await client.call('HEAD', `/v2/alpha/app/blobs/${told}`)).status, 200)
  clock.advanceMs(graceMs * 0.9)
  assert.deepEqual(
    await garbage(),
    { dropped: 0, uploads: 1, blobs: 0, files: 1 },
    'who was told of it may count on it',
  )
  assert.equal((await client.call('GET', location)).status, 404)
  clock.advanceMs(graceMs * 2)
  assert.deepEqual(await garbage(), { dropped: 0, uploads: 0, blobs: 1, files: 1 })
  assert.equal((await client.call('HEAD', `/v2/alpha/app/blobs/${told}`)).status, 404)
  assert.equal((await cloud.files()).length, 4, 'two configurations and two layers')
})
