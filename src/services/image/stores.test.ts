import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { type ImageCloud, layerOf, savedArchive, startImage } from '../../../test/support/image.ts'
import { registryClient } from '../../../test/support/push.ts'
import { openFileBlobs } from '../../platform/blobs/file-store.ts'
import { joinStores } from '../../platform/blobs/stores.ts'
import type { Config } from '../../platform/config.ts'
import { newLogger } from '../../platform/log.ts'
import type { ImportLoop } from './reconcile/imports.ts'

const bare = { container_format: 'bare', disk_format: 'raw', name: 'disk' }

/** Rounds of the loop that imports until nothing is left to do. */
async function imported(cloud: ImageCloud) {
  const loop = cloud.image.loops.find(({ name }) => name === 'image.imports') as ImportLoop
  await loop.run(AbortSignal.timeout(10_000))
  await loop.idle()
}

async function served(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const imageImport: Config['imageImport'] = {
  ...{ allowedSchemes: 'http', disallowedSchemes: '', allowedHosts: '127.0.0.1', disallowedHosts: '' },
  ...{ allowedPorts: '', disallowedPorts: '' },
}

test('an image is fetched from a web server that the operator has named', async (t) => {
  const archive = await savedArchive([await layerOf('hello', 'world')])
  const web = await served(t, (request, response) => {
    if (request.url === '/archive') response.end(archive)
    else if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': 1000 })
      response.write('short', () => response.destroy())
    } else if (request.url === '/inside') response.writeHead(302, { location: 'http://127.0.0.2/' }).end()
    else response.writeHead(404).end()
  })
  const cloud = await startImage(t, { config: { imageImport } })
  const alpha = cloud.as('alpha')
  const from = async (path: string, formats: object = { container_format: 'docker', disk_format: 'raw' }) => {
    const { id } = (await alpha('POST', '/v2/images', { json: formats })).body
    const json = { method: { name: 'web-download', uri: `${web}${path}` } }
    const asked = await alpha('POST', `/v2/images/${id}/import`, { json })
    assert.equal(asked.status, 202, asked.text)
    assert.equal((await alpha('GET', `/v2/images/${id}`)).body.status, 'importing')
    await imported(cloud)
    const [task] = (await alpha('GET', `/v2/images/${id}/tasks`)).body.tasks
    return { image: (await alpha('GET', `/v2/images/${id}`)).body, task }
  }
  const whole = await from('/archive')
  assert.deepEqual([whole.image.status, whole.image.size, whole.task.status], ['active', archive.length, 'success'])
  for (const [path, why] of [
    ['/none', /answers 404/],
    ['/inside', /does not pass filtering/],
    ['/cut', /broken off/],
  ] as const) {
    const { image, task } = await from(path)
    assert.deepEqual([image.status, task.status], ['queued', 'failure'])
    assert.match(task.message, why)
  }
  for (const loop of cloud.image.loops) await loop.run(AbortSignal.timeout(10_000))
  assert.equal((await cloud.files()).length, 1, 'what failed leaves nothing')
})

test('an import from another image takes its data, its formats and what belongs to them, and copies no byte', async (t) => {
  const cloud = await startImage(t)
  const alpha = cloud.as('alpha')
  const properties = { hw_cpu_cores: '5', os_distro: 'rhel', speed: '88mph' }
  const docker = { container_format: 'docker', disk_format: 'raw' }
  const archive = await savedArchive([await layerOf('hello', 'world')])
  const source = await cloud.upload('alpha', { ...docker, ...properties, name: 'source' }, archive)
  const secret = await cloud.upload('beta', { ...bare, visibility: 'private' }, Buffer.from('secret'))
  const like = async (method: object) => {
    const json = { container_format: 'ovf', disk_format: 'iso', os_distro: 'windows' }
    const { id } = (await alpha('POST', '/v2/images', { json })).body
    const body = { method: { name: 'glance-download', glance_region: 'RegionOne', ...method } }
    const asked = await alpha('POST', `/v2/images/${id}/import`, { json: body })
    await imported(cloud)
    return { id, asked, image: (await alpha('GET', `/v2/images/${id}`)).body }
  }
  const { id, image } = await like({ glance_image_id: source })
  assert.deepEqual(
    [image.status, image.container_format, image.disk_format, image.hw_cpu_cores, image.os_distro, image.speed],
    ['active', 'docker', 'raw', '5', 'rhel', undefined],
  )
  assert.equal((await cloud.files()).length, 2)
  for (const wrong of [{ glance_image_id: secret }, { glance_image_id: source, glance_region: 'elsewhere' }]) {
    const failed = await like(wrong)
    assert.deepEqual([failed.asked.status, failed.image.status, failed.image.os_distro], [202, 'queued', 'windows'])
  }
  const bad = await like({ glance_image_id: 'foo' })
  assert.equal(bad.asked.status, 400)
  assert.match(bad.asked.text, /image id does not look like a UUID/)
  await alpha('DELETE', `/v2/images/${source}`)
  assert.deepEqual((await alpha('GET', `/v2/images/${id}/file`)).text.length, archive.toString().length)
  const found = await cloud.image.bootable(cloud.database.read, cloud.contextOf('alpha'), id)
  const engine = registryClient(cloud.registry.app!, '')
  const headers = { authorization: `Bearer ${cloud.registry.pullToken(found.repository, 60)}` }
  assert.equal(
    (
      await engine.call('GET', `/v2/${found.reference?.split('/').slice(1).join('/').replace('@', '/manifests/')}`, {
        headers,
      })
    ).status,
    200,
  )
  await alpha('DELETE', `/v2/images/${id}`)
  assert.equal((await cloud.files()).length, 1)
})

test('with several stores images say where they are, and can be copied and taken out', async (t) => {
  const log = newLogger('silent')
  const openBlobs = async (dir: string) => {
    const others = await Promise.all(
      ['fast', 'full'].map(async (id) => {
        const blobs = await openFileBlobs(join(dir, id), log)
        const broken = { ...blobs, put: async () => Promise.reject(new Error('the disk is full')) }
        return { info: { ...blobs.stores[0]!, id }, blobs: id === 'full' ? broken : blobs }
      }),
    )
    return joinStores(await openFileBlobs(join(dir, 'blobs'), log), others, 'local')
  }
  const cloud = await startImage(t, { openBlobs })
  const alpha = cloud.as('alpha')
  const { stores } = (await alpha('GET', '/v2/info/stores')).body
  const { versions } = (await alpha('GET', '/versions')).body
  assert.ok(versions.some(({ id }: { id: string }) => id === 'v2.13'))
  assert.deepEqual(
    stores.map((store: { id: string; default?: string }) => [store.id, store.default]),
    [
      ['local', 'true'],
      ['fast', undefined],
      ['full', undefined],
    ],
  )
  assert.equal((await alpha('GET', '/v2/info/stores/detail')).status, 403)
  assert.equal((await cloud.as('admin')('GET', '/v2/info/stores/detail')).body.stores[1].type, 'file')
  const archive = await savedArchive([await layerOf('hello', 'world')])
  const id = await cloud.upload('alpha', { container_format: 'docker', disk_format: 'raw' }, archive)
  const at = async (image = id) => (await alpha('GET', `/v2/images/${image}`)).body.stores
  assert.equal(await at(), 'local')
  const copy = async (json: object, who = 'admin') => {
    const answer = await cloud.as(who)('POST', `/v2/images/${id}/import`, {
      json: { method: { name: 'copy-image' }, ...json },
    })
    await imported(cloud)
    return answer.status
  }
  assert.equal(await copy({ stores: ['fast'] }, 'alpha'), 403)
  assert.equal(await copy({ stores: ['local'] }), 400)
  assert.equal(await copy({ stores: ['nowhere'] }), 409)
  assert.deepEqual([await copy({ stores: ['fast'] }), await at()], [202, 'local,fast'])
  assert.deepEqual([await copy({ all_stores: true, all_stores_must_succeed: false }), await at()], [202, 'local,fast'])
  const { tasks } = (await alpha('GET', `/v2/images/${id}/tasks`)).body
  assert.deepEqual([tasks.at(-1).status, tasks.at(-1).message], ['success', 'Not stored in full.'])
  const remove = async (store: string) => (await alpha('DELETE', `/v2/stores/${store}/${id}`)).status
  assert.deepEqual([await remove('full'), await remove('none')], [404, 409])
  assert.deepEqual([await remove('local'), await at(), await remove('fast')], [204, 'fast', 403])
  assert.equal((await alpha('GET', `/v2/images/${id}/file`)).text.length, archive.toString().length)
  const found = await cloud.image.bootable(cloud.database.read, cloud.contextOf('alpha'), id)
  const engine = registryClient(cloud.registry.app!, '')
  const headers = { authorization: `Bearer ${cloud.registry.pullToken(found.repository, 60)}` }
  const config = await engine.call('GET', `/v2/${found.repository}/blobs/${found.configDigest}`, { headers })
  assert.equal(config.status, 200, 'engines pull from where it is now')
  assert.deepEqual(
    (await cloud.files()).map((key) => key.split(':')[1]),
    ['fast'],
  )

  const stagedTo = async (json: object) => {
    const made = (await alpha('POST', '/v2/images', { json: bare })).body.id
    await alpha('PUT', `/v2/images/${made}/stage`, { bytes: Readable.from([Buffer.from('data')]) })
    await alpha('POST', `/v2/images/${made}/import`, { json: { method: { name: 'glance-direct' }, ...json } })
    await imported(cloud)
    return made
  }
  assert.equal(await at(await stagedTo({ stores: ['fast'] })), 'fast')
  assert.equal(await at(await stagedTo({ stores: ['fast', 'local'] })), 'local,fast')
  assert.equal((await alpha('GET', `/v2/images/${await stagedTo({ all_stores: true })}`)).body.status, 'queued')
  const direct = (await alpha('POST', '/v2/images', { json: bare })).body.id
  const put = (store: string) =>
    alpha('PUT', `/v2/images/${direct}/file`, { bytes: Buffer.from('x'), headers: { 'x-image-meta-store': store } })
  assert.equal((await put('none')).status, 400)
  assert.deepEqual([(await put('fast')).status, await at(direct)], [204, 'fast'])
  for (const loop of cloud.image.loops) await loop.run(AbortSignal.timeout(10_000))
  assert.equal((await cloud.files()).length, 5)
})
