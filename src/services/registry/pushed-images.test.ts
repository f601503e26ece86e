import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { eachDatabase, type Open, openTestSqlite } from '../../../test/support/databases.ts'
import { layerOf, savedArchive, startImage } from '../../../test/support/image.ts'
import { digestOf, registryClient } from '../../../test/support/push.ts'

const docker = { container_format: 'docker', disk_format: 'raw' }

async function registry(t: TestContext, open: Open = openTestSqlite) {
  const cloud = await startImage(t, { open })
  const client = (who: string) => registryClient(cloud.registry.app!, who)
  const images = async (who: string, query = '') => (await cloud.as(who)('GET', `/v2/images${query}`)).body.images
  const run = async (loop: string) => {
    const found = [...cloud.image.loops, ...cloud.registry.loops].find(({ name }) => name === loop)
    return found!.run(AbortSignal.timeout(30_000))
  }
  return { ...cloud, client, alpha: client('alpha'), images, run }
}

eachDatabase((engine, open) => {
  test(`a pushed tag is an image whose download is an archive of the same image, on ${engine}`, async (t) => {
    const { alpha, images, run, as, upload, ...cloud } = await registry(t, open)
    const made = await alpha.image('alpha/app', 'v1', 'one')
    const [image, ...others] = await images('alpha')
    assert.deepEqual([image.name, image.status, image.visibility, others.length], ['app:v1', 'active', 'shared', 0])
    assert.equal(image.os_hash_value, null)
    assert.deepEqual(await run('image.checksums'), { hashed: 1 })
    assert.deepEqual(await run('image.checksums'), { hashed: 0 })
    const [known] = await images('alpha')
    const file = await cloud.image.app!.inject({
      url: `/v2/images/${image.id}/file`,
      headers: { 'x-auth-token': 'alpha' },
    })
    assert.equal(file.rawPayload.length, known.size)
    assert.equal(createHash('sha512').update(file.rawPayload).digest('hex'), known.os_hash_value)
    assert.equal(createHash('md5').update(file.rawPayload).digest('hex'), known.checksum)
    assert.equal(file.headers['content-md5'], known.checksum)
    assert.equal(known.virtual_size, (await layerOf('file', 'one')).length)
    const range = { 'x-auth-token': 'alpha', range: 'bytes=500-2000' }
    const part = await cloud.image.app!.inject({ url: `/v2/images/${image.id}/file`, headers: range })
    assert.equal(part.rawPayload.equals(file.rawPayload.subarray(500, 2001)), true)

    const again = await upload('alpha', { ...docker, name: 'again' }, file.rawPayload)
    const { reference } = await cloud.image.bootable(cloud.database.read, cloud.contextOf('alpha'), again)
    assert.equal(reference?.split('@')[1], made.digest, 'the manifest comes through a download and an upload')
  })
})

test('a moved tag means a new image; the old one stays, out of sight', async (t) => {
  const { alpha, images, as, ...cloud } = await registry(t)
  const first = await alpha.image('alpha/app', 'v1', 'one')
  const [old] = await images('alpha')
  await alpha.manifest('alpha/app', 'v1', first.content)
  assert.deepEqual(
    (await images('alpha')).map(({ id }: { id: string }) => id),
    [old.id],
    'nothing has moved',
  )
  const second = await alpha.image('alpha/app', 'v1', 'two')
  const [now, ...more] = await images('alpha')
  assert.deepEqual([now.name, more.length, now.id === old.id], ['app:v1', 0, false])
  const bootable = async (id: string) =>
    (await cloud.image.bootable(cloud.database.read, cloud.contextOf('alpha'), id)).reference?.split('@')[1]
  assert.deepEqual([await bootable(old.id), await bootable(now.id)], [first.digest, second.digest])
  assert.equal((await as('alpha')('DELETE', `/v2/images/${old.id}`)).status, 204)
  assert.equal((await alpha.call('GET', '/v2/alpha/app/manifests/v1')).headers['docker-content-digest'], second.digest)

  await as('alpha')('DELETE', `/v2/images/${now.id}`)
  assert.equal((await alpha.call('GET', '/v2/alpha/app/manifests/v1')).status, 404, 'no image, no tag')
  await alpha.manifest('alpha/app', 'v1', second.content)
  assert.equal((await images('alpha')).length, 1)
  assert.equal((await alpha.call('DELETE', '/v2/alpha/app/manifests/v1')).status, 202)
  assert.equal((await images('alpha')).length, 0, 'no tag, no image')
})

test('a protected image keeps its tag', async (t) => {
  const { alpha, images, as } = await registry(t)
  await alpha.image('alpha/app', 'v1', 'one')
  const [{ id }] = await images('alpha')
  const patch = { 'content-type': 'application/openstack-images-v2.1-json-patch' }
  const bytes = Buffer.from(JSON.stringify([{ op: 'replace', path: '/protected', value: true }]))
  assert.equal((await as('alpha')('PATCH', `/v2/images/${id}`, { bytes, headers: patch })).status, 200)
  const refused = await alpha.call('DELETE', '/v2/alpha/app/manifests/v1')
  assert.deepEqual([refused.status, refused.code], [403, 'DENIED'])
  assert.equal((await alpha.call('GET', '/v2/alpha/app/manifests/v1')).status, 200)
})

test('an uploaded archive is pulled by its name or id, and by those it is shared with alone', async (t) => {
  const { client, alpha, upload, as } = await registry(t)
  const layer = await layerOf('hello', 'world')
  const id = await upload('alpha', { ...docker, name: 'tools:2' }, await savedArchive([layer]))
  for (const path of ['alpha/tools/manifests/2', `alpha/${id}/manifests/latest`]) {
    const found = await alpha.call('GET', `/v2/${path}`)
    assert.equal(found.status, 200, path)
    const repository = path.split('/manifests/')[0]
    assert.equal((await alpha.call('GET', `/v2/${repository}/blobs/${digestOf(layer)}`)).bytes.equals(layer), true)
  }
  assert.deepEqual((await alpha.call('GET', '/v2/alpha/tools/tags/list')).body.tags, ['2'])
  assert.deepEqual((await alpha.call('GET', '/v2/_catalog')).body.repositories, ['alpha/tools'])
  const beta = client('beta')
  const tries = async () => [
    (await beta.call('GET', '/v2/alpha/tools/manifests/2')).status,
    (await beta.call('GET', `/v2/alpha/tools/blobs/${digestOf(layer)}`)).status,
  ]
  assert.deepEqual(await tries(), [404, 404])
  assert.equal((await as('alpha')('POST', `/v2/images/${id}/members`, { json: { member: 'beta' } })).status, 200)
  assert.deepEqual(await tries(), [200, 200])
  assert.equal((await client('gamma').call('GET', '/v2/alpha/tools/manifests/2')).status, 404)
})

test('two tenants with the same names and layers neither see, change nor learn of each other', async (t) => {
  const { client, alpha, images, files } = await registry(t)
  const beta = client('beta')
  const mine = await alpha.image('alpha/app', 'v1', 'same')
  const kept = (await files()).length
  const theirs = await beta.image('beta/app', 'v1', 'same')
  assert.equal(theirs.digest, mine.digest)
  assert.equal((await files()).length, kept, 'the same layers are kept once')
  const [one] = await images('alpha')
  const [two, ...more] = await images('beta')
  assert.deepEqual([one.id === two.id, more.length], [false, 0])
  const layer = JSON.parse(mine.content).layers[0].digest
  const unknown = digestOf('nobody has this')
  for (const path of ['manifests/v1', `manifests/${mine.digest}`, `blobs/${layer}`, 'tags/list']) {
    const found = await beta.call('GET', `/v2/alpha/app/${path}`)
    const absent = await beta.call('GET', `/v2/alpha/none/${path}`)
    assert.deepEqual([found.status, found.code], [absent.status, absent.code], path)
    assert.equal(found.status, 404)
  }
  for (const [method, path] of [
    ['POST', 'blobs/uploads/'],
    ['PUT', 'manifests/v1'],
    ['DELETE', 'manifests/v1'],
    ['DELETE', `blobs/${layer}`],
  ] as const) {
    assert.equal((await beta.call(method, `/v2/alpha/app/${path}`)).code, 'DENIED', path)
  }
  assert.deepEqual((await beta.call('GET', '/v2/_catalog')).body.repositories, ['beta/app'])

  // What beta has and what nobody has look alike to who may read neither.
  await beta.blob('beta/secret', Buffer.from('only beta has this'))
  const secret = digestOf('only beta has this')
  for (const digest of [secret, unknown]) {
    const mounted = await alpha.call('POST', `/v2/alpha/app/blobs/uploads/?mount=${digest}&from=beta/secret`)
    assert.equal(mounted.status, 202, 'an upload begins instead')
    assert.equal((await alpha.call('HEAD', `/v2/alpha/app/blobs/${digest}`)).status, 404)
  }
  const own = await alpha.call('POST', `/v2/alpha/other/blobs/uploads/?mount=${layer}&from=alpha/app`)
  assert.deepEqual([own.status, own.headers.location], [201, `/v2/alpha/other/blobs/${layer}`])

  await alpha.call('DELETE', `/v2/alpha/app/manifests/${mine.digest}`)
  assert.equal((await beta.call('GET', '/v2/beta/app/manifests/v1')).status, 200)
  assert.equal((await beta.call('GET', `/v2/beta/app/blobs/${layer}`)).status, 200)
})

test('the library is everybody’s to read and an administrator’s to write', async (t) => {
  const { client, alpha, images } = await registry(t)
  const admin = client('admin')
  const made = await admin.image('library/tool', 'latest', 'one')
  assert.equal((await alpha.call('GET', '/v2/library/tool/manifests/latest')).bytes.toString(), made.content)
  assert.equal((await alpha.call('GET', '/v2/tool/manifests/latest')).status, 200)
  assert.deepEqual(
    (await images('alpha')).map(({ name, visibility }: Record<string, string>) => [name, visibility]),
    [['tool:latest', 'public']],
  )
  assert.equal((await alpha.call('POST', '/v2/library/tool/blobs/uploads/')).code, 'DENIED')
  assert.equal((await alpha.call('DELETE', '/v2/library/tool/manifests/latest')).code, 'DENIED')
  assert.equal((await client('reader').call('POST', '/v2/alpha/x/blobs/uploads/')).code, 'DENIED')
})

test('a layer that came in an archive is not kept again, and outlives the archive', async (t) => {
  const { alpha, upload, as, files, run } = await registry(t)
  const layer = await layerOf('hello', 'world')
  const id = await upload('alpha', docker, await savedArchive([layer]))
  await alpha.blob('alpha/app', layer)
  assert.equal((await files()).length, 1)
  await as('alpha')('DELETE', `/v2/images/${id}`)
  await run('image.uploads')
  assert.deepEqual(
    (await files()).map((key) => key.slice(0, 5)),
    ['push-'],
    'the rest of the archive is gone',
  )
  assert.equal((await alpha.call('GET', `/v2/alpha/app/blobs/${digestOf(layer)}`)).bytes.equals(layer), true)
  await alpha.call('DELETE', `/v2/alpha/app/blobs/${digestOf(layer)}`)
  await run('registry.garbage')
  assert.deepEqual(await files(), [])
})
