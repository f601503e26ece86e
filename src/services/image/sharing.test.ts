import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { layerOf, savedArchive, startImage } from '../../../test/support/image.ts'
import { digestOf, manifestType, registryClient } from '../../../test/support/push.ts'

const docker = { container_format: 'docker', disk_format: 'raw' }

async function shared(t: TestContext) {
  const cloud = await startImage(t)
  const alpha = cloud.as('alpha')
  const loops = async () => {
    for (const loop of [...cloud.image.loops, ...cloud.registry.loops]) await loop.run(AbortSignal.timeout(30_000))
  }
  const stored = async () => {
    const sizes = await Promise.all((await cloud.files()).map((key) => cloud.blobs.size(key)))
    return sizes.reduce((sum, size) => sum + size, 0)
  }
  const download = async (id: string, range?: string) => {
    const headers = { 'x-auth-token': 'alpha', ...(range ? { range } : {}) }
    return (await cloud.image.app!.inject({ url: `/v2/images/${id}/file`, headers })).rawPayload
  }
  /** As an engine pulls it: every blob must be there and be what its digest says. */
  const pull = async (id: string) => {
    const found = await cloud.image.bootable(cloud.database.read, cloud.contextOf('alpha'), id)
    const engine = registryClient(cloud.registry.app!, '')
    const headers = { authorization: `Bearer ${cloud.registry.pullToken(found.repository, 60)}` }
    const digest = found.reference?.split('@')[1] ?? ''
    const manifest = await engine.call('GET', `/v2/${found.repository}/manifests/${digest}`, { headers })
    assert.equal(digestOf(manifest.bytes), digest)
    for (const part of [manifest.body.config, ...manifest.body.layers]) {
      const { bytes } = await engine.call('GET', `/v2/${found.repository}/blobs/${part.digest}`, { headers })
      assert.deepEqual([digestOf(bytes), bytes.length], [part.digest, part.size])
    }
    return { manifest: manifest.body, configDigest: found.configDigest }
  }
  return { ...cloud, alpha, loops, stored, download, pull, client: registryClient(cloud.registry.app!, 'alpha') }
}

test('two archives with a layer in common keep it once, and each is what was uploaded, byte for byte', async (t) => {
  const { upload, alpha, loops, stored, download, pull } = await shared(t)
  const base = await layerOf('base', randomBytes(300_000))
  const archives = await Promise.all(
    ['one', 'two', 'three'].map(async (name) => savedArchive([base, await layerOf(name, randomBytes(90_000))])),
  )
  const ids: string[] = []
  for (const archive of archives) ids.push(await upload('alpha', docker, archive))
  assert.ok((await stored()) < 300_000 + 3 * 110_000, `${await stored()} bytes`)
  const check = async (i: number) => {
    const archive = archives[i] ?? Buffer.alloc(0)
    assert.ok((await download(ids[i] ?? '')).equals(archive))
    for (const [start, end] of [
      [0, 0],
      [500, 1600],
      [100_000, 320_000],
      [archive.length - 5, archive.length - 1],
    ] as const) {
      const part = await download(ids[i] ?? '', `bytes=${start}-${end}`)
      assert.ok(part.equals(archive.subarray(start, end + 1)), `${start}-${end}`)
    }
    await pull(ids[i] ?? '')
  }
  for (const i of [0, 1, 2]) await check(i)
  const shown = (await alpha('GET', `/v2/images/${ids[1]}`)).body
  assert.deepEqual(
    [shown.size, shown.checksum],
    [
      archives[1]?.length,
      createHash('md5')
        .update(archives[1] ?? '')
        .digest('hex'),
    ],
  )
  await alpha('DELETE', `/v2/images/${ids[0]}`)
  await loops()
  assert.ok((await stored()) < 300_000 + 2 * 110_000, 'what only the first had is gone')
  for (const i of [1, 2]) await check(i)
  for (const i of [1, 2]) await alpha('DELETE', `/v2/images/${ids[i]}`)
  await loops()
  assert.equal(await stored(), 0)
})

test('a layer that was pushed before it came in an archive is kept once', async (t) => {
  const { upload, client, loops, stored, pull } = await shared(t)
  const layer = await layerOf('base', randomBytes(300_000))
  await client.blob('alpha/app', layer)
  await pull(await upload('alpha', docker, await savedArchive([layer])))
  await loops()
  assert.ok((await stored()) < 310_000)
  assert.ok((await client.call('GET', `/v2/alpha/app/blobs/${digestOf(layer)}`)).bytes.equals(layer))
})

test('a snapshot keeps only what its base has not, also where the base is packed', async (t) => {
  const { image, database, client, alpha, as, loops, stored, pull, download, upload } = await shared(t)
  const base = await layerOf('base', randomBytes(300_000))
  const packed = gzipSync(base)
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(base)] } }),
  )
  const part = async (mediaType: string, bytes: Buffer) => ({
    ...{ mediaType, size: bytes.length },
    digest: await client.blob('alpha/app', bytes),
  })
  await client.manifest('alpha/app', 'v1', {
    schemaVersion: 2,
    mediaType: manifestType,
    config: await part('application/vnd.oci.image.config.v1+json', config),
    layers: [await part('application/vnd.oci.image.layer.v1.tar+gzip', packed)],
  })
  const [pushed] = (await alpha('GET', '/v2/images')).body.images
  const before = await stored()
  const added = await layerOf('added', randomBytes(50_000))
  const snapshot = async (name: string) => {
    const id = await database.write((trx) =>
      image.createSnapshot(trx, {
        ...{ name, owner: 'alpha', minDiskGiB: 0, minRamMiB: 0 },
        properties: { image_type: 'snapshot', base_image_ref: pushed.id },
      }),
    )
    const bytes = await savedArchive([base, added], { comment: name })
    assert.equal((await alpha('PUT', `/v2/images/${id}/file`, { bytes })).status, 204)
    return id
  }
  const id = await snapshot('first')
  assert.ok((await stored()) - before < 60_000, `${(await stored()) - before} bytes more`)
  await snapshot('second')
  assert.ok((await stored()) - before < 70_000, 'nor what another snapshot has')
  const { manifest, configDigest } = await pull(id)
  assert.deepEqual(
    manifest.layers.map(({ digest }: { digest: string }) => digest),
    [digestOf(packed), digestOf(added)],
  )
  await as('alpha')('DELETE', `/v2/images/${pushed.id}`)
  await loops()
  await pull(id)
  const shown = (await alpha('GET', `/v2/images/${id}`)).body
  const bytes = await download(id)
  assert.deepEqual([shown.size, shown.checksum], [bytes.length, createHash('md5').update(bytes).digest('hex')])
  const again = await pull(await upload('alpha', docker, bytes))
  assert.equal(again.configDigest, configDigest, 'the same image after a download and an upload')
})

test('an image that its tag has left goes when no server is made of it any more, and what its owner took up stays', async (t) => {
  const { image, client, alpha, loops, clock } = await shared(t)
  const used = new Set<string>()
  image.usedBy(async (_db, ids) => new Set(ids.filter((id) => used.has(id))))
  const hidden = async () =>
    (await alpha('GET', '/v2/images?os_hidden=true')).body.images.map(({ id }: { id: string }) => id)
  await client.image('alpha/app', 'v1', 'one')
  const [first] = (await alpha('GET', '/v2/images')).body.images
  await client.image('alpha/app', 'v1', 'two')
  used.add(first.id)
  clock.advanceMs(3_600_000)
  await loops()
  assert.deepEqual(await hidden(), [first.id])
  used.clear()
  await loops()
  assert.deepEqual(await hidden(), [first.id], 'not a moment after it was in use')
  clock.advanceMs(3_600_000)
  await loops()
  assert.deepEqual(await hidden(), [])
  const [second] = (await alpha('GET', '/v2/images')).body.images
  await client.image('alpha/app', 'v1', 'three')
  const json = [{ op: 'replace', path: '/protected', value: true }]
  const headers = { 'content-type': 'application/openstack-images-v2.1-json-patch' }
  await alpha('PATCH', `/v2/images/${second.id}`, { json, headers })
  clock.advanceMs(3_600_000)
  await loops()
  assert.deepEqual(await hidden(), [second.id])
})
