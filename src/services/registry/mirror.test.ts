import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { startImage } from '../../../test/support/image.ts'
import { indexType, manifestType, registryClient } from '../../../test/support/push.ts'
import { upstreamsOf } from './logic/upstreams.ts'

test('another registry is seen under a name, fetched once, followed when its tags move, and not needed for what is here', async (t) => {
  // The other one is one of ours; a door before it gives everybody its token.
  const other = await startImage(t)
  const there = registryClient(other.registry.app!, 'alpha')
  const asked: string[] = []
  let isAway = false
  other.registry.app!.addHook('onRequest', async (request, reply) => {
    asked.push(`${request.method} ${request.url.replace(/.*\//, '').slice(0, 12)}`)
    if (isAway) return reply.code(503).send({})
    if (request.url.startsWith('/token?')) return reply.send({ token: 'given' })
    if (request.headers.authorization === 'Bearer given') request.headers['x-auth-token'] = 'alpha'
  })
  await other.registry.app!.listen({ port: 0, host: '127.0.0.1' })
  const { port } = other.registry.app!.server.address() as AddressInfo
  const image = await there.image('alpha/app', 'v1', 'one')
  const index = {
    ...{ schemaVersion: 2, mediaType: indexType },
    manifests: [
      {
        ...{ mediaType: manifestType, digest: image.digest, size: image.content.length },
        platform: { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' },
      },
    ],
  }
  await there.manifest('alpha/app', 'multi', index, indexType)

  const cloud = await startImage(t, { config: { registryUpstreams: `hub=http://127.0.0.1:${port}` } })
  const beta = registryClient(cloud.registry.app!, 'beta')
  const url = '/v2/library/hub/alpha/app'
  asked.length = 0
  const all = await Promise.all([1, 2, 3, 4].map(() => beta.call('GET', `${url}/manifests/v1`)))
  for (const { status, bytes } of all) assert.deepEqual([status, bytes.toString()], [200, image.content])
  assert.equal(asked.filter((line) => line === 'GET v1').length, 2, 'once without a token, once with')
  const { config, layers } = JSON.parse(image.content)
  for (const { digest, size } of [config, ...layers])
    assert.equal((await beta.call('GET', `${url}/blobs/${digest}`)).bytes.length, size)
  const multi = await beta.call('GET', `${url}/manifests/multi`)
  assert.deepEqual(multi.body, index)
  assert.equal((await beta.call('GET', '/v2/hub/alpha/app/manifests/v1')).status, 404, 'a project’s names are its own')
  const images = (await cloud.as('beta')('GET', '/v2/images')).body.images
  assert.deepEqual(images.map(({ name, visibility }: Record<string, string>) => [name, visibility]).sort(), [
    ['hub/alpha/app:multi', 'public'],
    ['hub/alpha/app:v1', 'public'],
  ])

  const moved = await there.image('alpha/app', 'v1', 'two')
  assert.equal((await beta.call('GET', `${url}/manifests/v1`)).bytes.toString(), image.content, 'believed for a minute')
  cloud.clock.advanceMs(120_000)
  assert.equal((await beta.call('GET', `${url}/manifests/v1`)).bytes.toString(), moved.content)
  isAway = true
  cloud.clock.advanceMs(120_000)
  assert.equal(
    (await beta.call('GET', `${url}/manifests/v1`)).bytes.toString(),
    moved.content,
    'served while it is away',
  )
  assert.deepEqual((await beta.call('GET', `${url}/manifests/v9`)).code, 'UNAVAILABLE')
  isAway = false
  assert.deepEqual((await beta.call('GET', `${url}/manifests/v9`)).code, 'MANIFEST_UNKNOWN')
  assert.equal((await beta.call('POST', `${url}/blobs/uploads/`)).code, 'DENIED')
})

test('the list of upstream registries', () => {
  const [hub, own] = upstreamsOf('hub=https://registry-1.docker.io, own=https://ann:s%40cret@example.org/base/')
  assert.deepEqual(hub, { name: 'hub', url: 'https://registry-1.docker.io', user: '', password: '' })
  assert.deepEqual(own, { name: 'own', url: 'https://example.org/base', user: 'ann', password: 's@cret' })
  for (const wrong of ['hub', 'Hub=https://x', 'hub=ftp://x']) assert.throws(() => upstreamsOf(wrong), /NAME=URL/)
})
