import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { startImage } from '../../../test/support/image.ts'
import { digestOf, registryClient } from '../../../test/support/push.ts'
import { hashSlowly } from './logic/scrub.ts'

test('damage is found, said, and mended by the next push, for everybody who has the blob', async (t) => {
  const cloud = await startImage(t, { config: { scrubMiBPerSecond: 1000 } })
  const { registry, clock } = cloud
  const run = () => registry.loops.find(({ name }) => name === 'registry.scrub')!.run(AbortSignal.timeout(30_000))
  const alpha = registryClient(registry.app!, 'alpha')
  const beta = registryClient(registry.app!, 'beta')
  const bytes = randomBytes(100_000)
  await alpha.blob('alpha/app', bytes)
  await beta.blob('beta/app', bytes)
  await alpha.blob('alpha/app', Buffer.from('another'), 'sha512')
  assert.deepEqual(await run(), { checked: 2, damaged: 0 })
  assert.deepEqual(await run(), { checked: 0, damaged: 0 }, 'not again before a week is over')
  const keys = await cloud.files()
  const sizes = await Promise.all(keys.map((key) => cloud.blobs.size(key)))
  const key = keys[sizes.indexOf(bytes.length)] ?? ''
  const flipped = Buffer.from(bytes)
  flipped[5000] = flipped[5000]! ^ 1
  await writeFile(join(cloud.stateDir, 'blobs', 'data', key.slice(-2), key), flipped)
  assert.deepEqual(await registry.rescrub(), { damaged: [] })
  assert.deepEqual(await run(), { checked: 2, damaged: 1 })
  const digest = digestOf(bytes)
  assert.deepEqual(await registry.rescrub(), { damaged: [digest] })
  assert.equal((await beta.call('HEAD', `/v2/beta/app/blobs/${digest}`)).status, 404, 'so that it is pushed again')
  await beta.blob('beta/app', bytes)
  const mended = await alpha.call('GET', `/v2/alpha/app/blobs/${digest}`)
  assert.deepEqual([mended.status, mended.bytes.equals(bytes)], [200, true])
  clock.advanceMs(8 * 24 * 3_600_000)
  assert.deepEqual(await run(), { checked: 2, damaged: 0 })
})

test('a scrub keeps to its rate', async () => {
  const begun = performance.now()
  const bytes = randomBytes(300_000)
  const chunks = Array.from({ length: 30 }, (_, i) => bytes.subarray(i * 10_000, (i + 1) * 10_000))
  const found = await hashSlowly(Readable.from(chunks), 'sha256', 1_000_000, AbortSignal.timeout(10_000))
  assert.equal(`sha256:${found}`, digestOf(bytes))
  assert.ok(performance.now() - begun > 250)
})

test('what nobody needs can be counted before it is removed', async (t) => {
  const cloud = await startImage(t)
  const alpha = registryClient(cloud.registry.app!, 'alpha')
  await alpha.blob('alpha/app', randomBytes(1000))
  await alpha.image('alpha/app', 'v1', 'kept')
  await cloud.upload('alpha', { container_format: 'bare', disk_format: 'raw' }, Buffer.from('kept too'))
  for (const key of ['push-0000', 'image-0000'])
    await cloud.blobs.put(Readable.from([Buffer.alloc(500)]), { key: `${key}abcdef` })
  assert.deepEqual(await cloud.image.collectGarbage(true), { uploads: 0, blobs: 0, files: 2, bytes: 1000 })
  cloud.clock.advanceMs(48 * 3_600_000)
  await alpha.call('POST', '/v2/alpha/app/blobs/uploads/')
  cloud.clock.advanceMs(48 * 3_600_000)
  const before = (await cloud.files()).length
  assert.deepEqual(await cloud.image.collectGarbage(true), { uploads: 1, blobs: 1, files: 2, bytes: 1000 })
  assert.equal((await cloud.files()).length, before)
  const { uploads, blobs, files } = await cloud.image.collectGarbage(false)
  assert.deepEqual([uploads, blobs, files], [1, 1, 3])
  assert.equal((await alpha.call('GET', '/v2/alpha/app/manifests/v1')).status, 200)
  assert.deepEqual(await cloud.image.collectGarbage(true), { uploads: 0, blobs: 0, files: 0, bytes: 0 })
})
