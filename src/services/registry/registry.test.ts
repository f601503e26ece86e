import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { startEngine } from '../../../test/support/engine.ts'
import { layerOf, savedArchive, startImage } from '../../../test/support/image.ts'
import { claimPortBase } from '../../../test/support/ports.ts'
import * as images from '../../machine/docker/images.ts'
import { ports } from '../../platform/config.ts'

const soon = () => AbortSignal.timeout(60_000)
const docker = { container_format: 'docker', disk_format: 'raw' }

/** A cloud with one container image; `get` asks the registry. */
async function published(t: TestContext) {
  const cloud = await startImage(t)
  const { database, registry } = cloud
  const archive = await savedArchive([await layerOf('hello', 'world')])
  const ctx = cloud.contextOf('alpha')
  const id = await cloud.upload('alpha', docker, archive)
  const { repository, reference } = await cloud.image.bootable(database.read, ctx, id)
  const get = (url: string, token = registry.pullToken(repository, 60), more: Record<string, string> = {}) =>
    registry.app!.inject({ url, headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...more } })
  return { ...cloud, get, repository, digest: reference?.split('@')[1] ?? '' }
}

test('only a token for the very repository opens it, and only while it lasts', async (t) => {
  const { get, registry, repository, digest } = await published(t)
  const anonymous = await get('/v2/', '')
  assert.equal(anonymous.statusCode, 401)
  assert.equal(anonymous.headers['docker-distribution-api-version'], 'registry/2.0')
  assert.match(String(anonymous.headers['www-authenticate']), /^Bearer realm="http:\/\/.*\/token",service="registry"$/)
  assert.equal(anonymous.json().errors[0].code, 'UNAUTHORIZED')
  assert.equal((await get('/v2/')).statusCode, 200)

  const url = `/v2/${repository}/manifests/${digest}`
  assert.equal((await get(url)).statusCode, 200)
  const other = await get(url, registry.pullToken('images/other', 60))
  assert.equal(other.statusCode, 401)
  assert.match(
    String(other.headers['www-authenticate']),
    /scope="repository:images\/.*:pull",error="insufficient_scope"/,
  )
  const token = registry.pullToken(repository, 60)
  const [head, , signature] = token.split('.')
  const claims = (changes: object) => Buffer.from(JSON.stringify({ access: [], ...changes })).toString('base64url')
  for (const forged of [
    registry.pullToken(repository, 0),
    registry.pullToken(repository.slice(0, -1), 60),
    `${head}.${claims({ exp: 9e9 })}.${signature}`,
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims({ exp: 9e9 })}.`,
    `${token}x`,
    'nonsense',
  ]) {
    assert.equal((await get(url, forged)).statusCode, 401, forged)
  }
})

test('manifests and blobs by digest, in ranges, and what is not there', async (t) => {
  const { get, registry, repository, digest } = await published(t)
  const manifest = await get(`/v2/${repository}/manifests/${digest}`)
  assert.equal(manifest.headers['docker-content-digest'], digest)
  assert.equal(manifest.headers['content-type'], 'application/vnd.docker.distribution.manifest.v2+json')
  const layer = manifest.json().layers[0]
  const url = `/v2/${repository}/blobs/${layer.digest}`
  const whole = await get(url)
  assert.deepEqual([whole.statusCode, whole.headers['docker-content-digest']], [200, layer.digest])
  for (const [range, status, bytes, content] of [
    ['bytes=0-9', 206, whole.rawPayload.subarray(0, 10), `bytes 0-9/${layer.size}`],
    ['bytes=100-', 206, whole.rawPayload.subarray(100), `bytes 100-${layer.size - 1}/${layer.size}`],
    ['bytes=-5', 206, whole.rawPayload.subarray(-5), `bytes ${layer.size - 5}-${layer.size - 1}/${layer.size}`],
    [`bytes=${layer.size}-`, 416, Buffer.alloc(0), `bytes */${layer.size}`],
    ['bytes=9-1', 200, whole.rawPayload, undefined],
    ['lines=1-2', 200, whole.rawPayload, undefined],
  ] as const) {
    const part = await get(url, undefined, { range })
    assert.deepEqual([part.statusCode, part.headers['content-range']], [status, content], range)
    assert.ok(part.rawPayload.equals(bytes), range)
    assert.equal(part.headers['content-length'], String(bytes.length))
  }
  for (const path of [url, `/v2/${repository}/manifests/${digest}`]) {
    const headers = { authorization: `Bearer ${registry.pullToken(repository, 60)}` }
    const head = await registry.app!.inject({ method: 'HEAD', url: path, headers })
    assert.deepEqual([head.statusCode, head.rawPayload.length], [200, 0])
    assert.ok(Number(head.headers['content-length']) > 0)
  }
  assert.equal((await get(url, undefined, { 'if-none-match': `"${layer.digest}"` })).statusCode, 304)
  const absent = `sha256:${'0'.repeat(64)}`
  for (const [path, status, code] of [
    [`/v2/${repository}/blobs/${absent}`, 404, 'BLOB_UNKNOWN'],
    [`/v2/${repository}/blobs/sha256:zz`, 400, 'DIGEST_INVALID'],
    [`/v2/${repository}/manifests/${absent}`, 404, 'MANIFEST_UNKNOWN'],
    [`/v2/${repository}/manifests/latest`, 404, 'MANIFEST_UNKNOWN'],
    [`/v2/${repository}/manifests/md5:0`, 400, 'DIGEST_INVALID'],
    ['/v2/UPPER/blobs/x', 404, 'NAME_INVALID'],
    ['/v1/search', 401, 'UNAUTHORIZED'],
  ] as const) {
    const answer = await get(path)
    assert.deepEqual([answer.statusCode, answer.json().errors[0].code], [status, code], path)
  }
  const unknown = await get(`/v2/images/none/manifests/${absent}`, registry.pullToken('images/none', 60))
  assert.deepEqual([unknown.statusCode, unknown.json().errors[0].code], [404, 'NAME_UNKNOWN'])
})

test('the Engine pulls an image by digest, layer by layer, and only what it lacks', async (t) => {
  const { engine } = await startEngine(t)
  // The reference of an image names the port, so it must be known before anything listens.
  const portBase = await claimPortBase(t)
  const port = portBase + ports.registry
  const cloud = await startImage(t, { config: { portBase } })
  const app = cloud.registry.app!
  const fetched: string[] = []
  app.addHook('onResponse', async (request) => {
    const blob = /blobs\/(sha256:[0-9a-f]+)/.exec(request.url)?.[1]
    if (blob && request.method === 'GET') fetched.push(blob)
  })
  await app.listen({ port, host: '127.0.0.1' })
  const ctx = cloud.contextOf('alpha')
  const pulled = async (archive: Buffer) => {
    const id = await cloud.upload('alpha', docker, archive)
    const { repository, reference, configDigest } = await cloud.image.bootable(cloud.database.read, ctx, id)
    fetched.length = 0
    await images.pull(engine, reference!, cloud.registry.pullToken(repository, 60), soon())
    assert.equal((await images.inspect(engine, reference!, soon())).Id, configDigest)
    return { reference: reference!, fetched: [...fetched], configDigest }
  }
  const base = await layerOf('bin/busybox', await readFile('/bin/busybox'))
  const first = await pulled(await savedArchive([base, await layerOf('one', '1')]))
  assert.equal(first.fetched.length, 3, 'a configuration and two layers')
  const second = await pulled(await savedArchive([base, await layerOf('two', '2')]))
  assert.equal(second.fetched.length, 2, 'the base is there already')

  const third = await cloud.upload('alpha', docker, await savedArchive([base]))
  const { reference } = await cloud.image.bootable(cloud.database.read, ctx, third)
  await assert.rejects(images.pull(engine, reference!, cloud.registry.pullToken('images/other', 60), soon()))

  // What the Engine itself saves comes back as the very same image.
  const saved = await engine.call('GET', `/images/${first.configDigest}/get`, { signal: soon() })
  const again = await pulled(await buffer(saved.body))
  assert.equal(again.configDigest, first.configDigest)
  assert.deepEqual(again.fetched, [], 'nothing travels twice')
})
