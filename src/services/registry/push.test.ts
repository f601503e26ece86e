import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { eachDatabase, type Open, openTestSqlite } from '../../../test/support/databases.ts'
import { startImage } from '../../../test/support/image.ts'
import { digestOf, indexType, manifestType, registryClient } from '../../../test/support/push.ts'

const octets = { 'content-type': 'application/octet-stream' }

async function registry(t: TestContext, open: Open = openTestSqlite) {
  const cloud = await startImage(t, { open })
  const client = (who: string) => registryClient(cloud.registry.app!, who)
  return { ...cloud, client, alpha: client('alpha') }
}

test('a blob in one request, in two, in chunks, and as a stream', async (t) => {
  const { alpha, files } = await registry(t)
  const bytes = Buffer.from('0123456789'.repeat(1000))
  const digest = digestOf(bytes)
  await alpha.blob('alpha/one', bytes)
  assert.equal((await alpha.call('GET', `/v2/alpha/one/blobs/${digest}`)).bytes.equals(bytes), true)

  const begun = await alpha.call('POST', '/v2/alpha/two/blobs/uploads/')
  assert.deepEqual([begun.status, begun.headers.range], [202, '0-0'])
  const two = await alpha.call('PUT', `${begun.headers.location}?digest=${digest}`, { body: bytes, headers: octets })
  assert.deepEqual([two.status, two.headers.location], [201, `/v2/alpha/two/blobs/${digest}`])

  const location = String((await alpha.call('POST', '/v2/alpha/three/blobs/uploads/')).headers.location)
  const chunk = (start: number, end: number) =>
    alpha.call('PATCH', location, {
      body: bytes.subarray(start, end),
      headers: { ...octets, 'content-range': `${start}-${end - 1}`, 'content-length': String(end - start) },
    })
  const first = await chunk(0, 4000)
  assert.deepEqual([first.status, first.headers.range], [202, '0-3999'])
  for (const [start, end] of [
    [0, 10],
    [5000, 6000],
  ] as const) {
    const wrong = await chunk(start, end)
    assert.deepEqual([wrong.status, wrong.code, wrong.headers.range], [416, 'BLOB_UPLOAD_INVALID', '0-3999'])
  }
  const belied = await alpha.call('PATCH', location, {
    body: bytes.subarray(4000, 5000),
    headers: { ...octets, 'content-range': '4000-4500', 'content-length': '1000' },
  })
  assert.deepEqual([belied.status, belied.code], [400, 'SIZE_INVALID'])
  const status = await alpha.call('GET', location)
  assert.deepEqual([status.status, status.headers.range, status.headers.location], [204, '0-3999', location])
  assert.equal((await chunk(4000, 9000)).status, 202)
  const end = await alpha.call('PUT', `${location}?digest=${encodeURIComponent(digest)}`, {
    body: bytes.subarray(9000),
    headers: { ...octets, 'content-range': '9000-9999' },
  })
  assert.equal(end.status, 201, end.bytes.toString())
  assert.equal((await alpha.call('GET', `/v2/alpha/three/blobs/${digest}`)).bytes.equals(bytes), true)
  assert.equal((await alpha.call('GET', location)).code, 'BLOB_UPLOAD_UNKNOWN')

  const streamed = String((await alpha.call('POST', '/v2/alpha/four/blobs/uploads/')).headers.location)
  const body = Readable.from([bytes.subarray(0, 10), bytes.subarray(10)])
  assert.equal((await alpha.call('PATCH', streamed, { body, headers: octets })).headers.range, '0-9999')
  assert.equal((await alpha.call('PUT', `${streamed}?digest=${digest}`)).status, 201)
  assert.equal((await files()).length, 1, 'kept once, whatever the repository and the way it came')
})

test('sha512, nothing at all, and a digest that does not fit', async (t) => {
  const { alpha, files } = await registry(t)
  const sha512 = await alpha.blob('alpha/x', Buffer.from('a'), 'sha512')
  const head = await alpha.call('HEAD', `/v2/alpha/x/blobs/${sha512}`)
  assert.deepEqual(
    [head.status, head.headers['docker-content-digest'], head.headers['content-length']],
    [200, sha512, '1'],
  )
  await alpha.blob('alpha/x', Buffer.alloc(0))
  const kept = (await files()).length
  for (const [digest, code] of [
    [digestOf('else'), 'DIGEST_INVALID'],
    ['sha256:abc', 'DIGEST_INVALID'],
    ['md5:d41d8cd98f00b204e9800998ecf8427e', 'DIGEST_INVALID'],
    ['../../etc/passwd', 'DIGEST_INVALID'],
  ] as const) {
    const url = `/v2/alpha/x/blobs/uploads/?digest=${encodeURIComponent(digest)}`
    const sent = await alpha.call('POST', url, { body: Buffer.from('other'), headers: octets })
    assert.deepEqual([sent.status, sent.code], [400, code], digest)
  }
  const location = String((await alpha.call('POST', '/v2/alpha/x/blobs/uploads/')).headers.location)
  assert.equal((await alpha.call('PUT', location)).code, 'DIGEST_INVALID')
  await alpha.call('PATCH', location, { body: Buffer.from('other'), headers: octets })
  assert.equal((await alpha.call('DELETE', location)).status, 204)
  assert.equal((await alpha.call('DELETE', location)).code, 'BLOB_UPLOAD_UNKNOWN')
  assert.equal((await files()).length, kept, 'nothing is left of what was refused')
})

test('manifests by tag and digest, what is wrong with them, and deleting', async (t) => {
  const { alpha } = await registry(t)
  const made = await alpha.image('alpha/app', 'v1', 'one')
  for (const reference of ['v1', made.digest]) {
    const found = await alpha.call('GET', `/v2/alpha/app/manifests/${reference}`)
    assert.equal(found.bytes.toString(), made.content)
    assert.equal(found.headers['docker-content-digest'], made.digest)
    assert.equal(found.headers['content-type'], manifestType)
  }
  const good = JSON.parse(made.content)
  const absent = { ...good.layers[0], digest: digestOf('absent') }
  const put = (content: object | string, reference = 'bad', type = manifestType) =>
    alpha.manifest('alpha/app', reference, content, type)
  for (const [sent, status, code] of [
    [put('{'), 400, 'MANIFEST_INVALID'],
    [put({ schemaVersion: 2 }), 400, 'MANIFEST_INVALID'],
    [put({ ...good, mediaType: indexType }), 400, 'MANIFEST_INVALID'],
    [put(good, 'bad', 'text/plain'), 400, 'MANIFEST_INVALID'],
    [put({ ...good, layers: [absent] }), 404, 'MANIFEST_BLOB_UNKNOWN'],
    [put({ ...good, layers: [{ ...good.layers[0], size: 1 }] }), 400, 'MANIFEST_INVALID'],
    [put({ ...good, layers: [{ ...good.layers[0], digest: 'sha256:x' }] }), 400, 'DIGEST_INVALID'],
    [put(good, digestOf('else')), 400, 'DIGEST_INVALID'],
    [put(good, '-dash'), 400, 'MANIFEST_INVALID'],
    [put({ ...good, annotations: { x: 'y'.repeat(4 << 20) } }), 413, 'SIZE_INVALID'],
  ] as const) {
    const answer = await sent
    assert.deepEqual([answer.status, answer.code], [status, code], answer.bytes.toString().slice(0, 200))
  }
  assert.equal((await put({ ...good, annotations: { x: 'y'.repeat(3 << 20) } }, 'big')).status, 201)
  const foreign = { ...absent, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar', urls: ['https://x/'] }
  assert.equal((await put({ ...good, layers: [foreign] }, 'foreign')).status, 201)

  const blob = `/v2/alpha/app/blobs/${good.layers[0].digest}`
  assert.deepEqual((await alpha.call('DELETE', blob)).status, 405)
  assert.equal((await alpha.call('DELETE', '/v2/alpha/app/manifests/v1')).status, 202)
  assert.equal((await alpha.call('GET', '/v2/alpha/app/manifests/v1')).code, 'MANIFEST_UNKNOWN')
  assert.equal((await alpha.call('DELETE', '/v2/alpha/app/manifests/v1')).code, 'MANIFEST_UNKNOWN')
  assert.equal((await alpha.call('GET', `/v2/alpha/app/manifests/${made.digest}`)).status, 200)
  assert.equal((await alpha.call('DELETE', `/v2/alpha/app/manifests/${made.digest}`)).status, 202)
  assert.equal((await alpha.call('GET', `/v2/alpha/app/manifests/${made.digest}`)).code, 'MANIFEST_UNKNOWN')
})

test('an index names what is here; its image is this machine’s', async (t) => {
  const { alpha, ...cloud } = await registry(t)
  const one = await alpha.image('alpha/multi', digestOf(JSON.stringify(await alpha.imageOf('alpha/multi', 'x'))), 'x')
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const entry = (digest: string) => ({
    mediaType: manifestType,
    digest,
    size: one.content.length,
    platform: { os: 'linux', architecture },
  })
  const index = (digest: string) => ({ schemaVersion: 2, mediaType: indexType, manifests: [entry(digest)] })
  const absent = await alpha.manifest('alpha/multi', 'latest', index(digestOf('absent')), indexType)
  assert.deepEqual([absent.status, absent.code], [404, 'MANIFEST_BLOB_UNKNOWN'])
  assert.equal((await alpha.manifest('alpha/multi', 'latest', index(one.digest), indexType)).status, 201)
  const { images } = (await cloud.as('alpha')('GET', '/v2/images')).body
  assert.deepEqual(
    images.map(({ name }: { name: string }) => name),
    ['multi:latest'],
  )
  const { reference } = await cloud.image.bootable(cloud.database.read, cloud.contextOf('alpha'), images[0].id)
  assert.equal(reference?.split('@')[1], one.digest)
})

test('referrers, also of what is not here yet', async (t) => {
  const { alpha } = await registry(t)
  const made = await alpha.image('alpha/app', 'v1', 'one')
  const subject = { mediaType: manifestType, digest: made.digest, size: made.content.length }
  const sbom = await alpha.imageOf('alpha/app', 'sbom', { subject, artifactType: 'text/sbom', annotations: { a: 'b' } })
  const put = await alpha.manifest('alpha/app', 'sbom', sbom)
  assert.deepEqual([put.status, put.headers['oci-subject']], [201, made.digest])
  const signature = await alpha.imageOf('alpha/app', 'sig', { subject })
  await alpha.manifest('alpha/app', 'sig', signature)
  const all = await alpha.call('GET', `/v2/alpha/app/referrers/${made.digest}`)
  assert.deepEqual([all.status, all.headers['content-type'], all.body.manifests.length], [200, indexType, 2])
  const some = await alpha.call('GET', `/v2/alpha/app/referrers/${made.digest}?artifactType=text/sbom`)
  assert.equal(some.headers['oci-filters-applied'], 'artifactType')
  const content = JSON.stringify(sbom)
  assert.deepEqual(some.body.manifests, [
    {
      mediaType: manifestType,
      digest: digestOf(content),
      size: content.length,
      artifactType: 'text/sbom',
      annotations: { a: 'b' },
    },
  ])
  const none = await alpha.call('GET', `/v2/alpha/app/referrers/${digestOf('none')}`)
  assert.deepEqual([none.status, none.body.manifests], [200, []])
  assert.equal((await alpha.call('GET', '/v2/alpha/app/referrers/x')).code, 'DIGEST_INVALID')
})

eachDatabase((engine, open) => {
  test(`tags in the order of their bytes, page by page; the catalogue, on ${engine}`, async (t) => {
    const { alpha } = await registry(t, open)
    const { content } = await alpha.image('alpha/app', 'b', 'one')
    for (const tag of ['B', '_x', 'a', '1', 'b-1']) await alpha.manifest('alpha/app', tag, content)
    const list = async (query: string) => {
      const { body, headers } = await alpha.call('GET', `/v2/alpha/app/tags/list${query}`)
      return [body.tags.join(' '), headers.link]
    }
    assert.deepEqual(await list(''), ['1 B _x a b b-1', undefined])
    assert.deepEqual(await list('?n=2'), ['1 B', '</v2/alpha/app/tags/list?n=2&last=B>; rel="next"'])
    assert.deepEqual(await list('?n=2&last=B'), ['_x a', '</v2/alpha/app/tags/list?n=2&last=a>; rel="next"'])
    assert.deepEqual(await list('?n=2&last=a'), ['b b-1', undefined])
    assert.deepEqual(await list('?n=0'), ['', undefined])
    assert.deepEqual(await list('?last=aa'), ['b b-1', undefined])
    assert.equal((await alpha.call('GET', '/v2/alpha/app/tags/list?n=x')).code, 'PAGINATION_NUMBER_INVALID')
    assert.equal((await alpha.call('GET', '/v2/alpha/none/tags/list')).code, 'NAME_UNKNOWN')
    await alpha.image('alpha/deep/er', 'x', 'two')
    assert.deepEqual((await alpha.call('GET', '/v2/_catalog')).body, { repositories: ['alpha/app', 'alpha/deep/er'] })
    assert.deepEqual((await alpha.call('GET', '/v2/_catalog?n=1')).body, { repositories: ['alpha/app'] })
  })
})

test('names that are none, methods that are not there, and version 1', async (t) => {
  const { alpha, client } = await registry(t)
  for (const name of ['alpha/UP', 'alpha/a..b', 'alpha//b', `alpha/${'x'.repeat(260)}`, 'alpha/-x']) {
    const said = await alpha.call('POST', `/v2/${name}/blobs/uploads/`)
    assert.deepEqual([said.status, said.code], [404, 'NAME_INVALID'], name)
  }
  assert.equal((await alpha.call('PATCH', '/v2/alpha/x/manifests/v1')).code, 'UNSUPPORTED')
  assert.equal((await client('').call('GET', '/v1/_ping')).status, 200)
  assert.equal((await alpha.call('GET', '/v1/repositories/x/images')).status, 410)
  assert.equal((await client('').call('GET', '/v1/search?q=x')).status, 401)
  await alpha.image('alpha/app', 'v1', 'one')
  const found = (await alpha.call('GET', '/v1/search?q=ap&n=5')).body
  assert.deepEqual([found.num_results, found.results[0].name], [1, 'alpha/app'])
})
