import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '../../../test/support/databases.ts'
import { type ImageCloud, layerOf, savedArchive, startImage } from '../../../test/support/image.ts'
import { openFileBlobs } from '../../platform/blobs/file-store.ts'
import { openSqlite } from '../../platform/db/sqlite.ts'
import { newLogger } from '../../platform/log.ts'

const bare = { container_format: 'bare', disk_format: 'raw', name: 'disk' }
const direct = { json: { method: { name: 'glance-direct' } } }

/** One round of the loop that imports. */
async function round(cloud: ImageCloud) {
  const loop = cloud.image.loops.find(({ name }) => name === 'image.imports')
  return loop!.run(AbortSignal.timeout(10_000))
}

async function newImage(cloud: ImageCloud, attributes: object = bare): Promise<string> {
  return (await cloud.as('alpha')('POST', '/v2/images', { json: attributes })).body.id
}

test('data is staged, imported and then the image’s; the task says so', async (t) => {
  const cloud = await startImage(t)
  const alpha = cloud.as('alpha')
  const id = await newImage(cloud)
  const status = async () => (await alpha('GET', `/v2/images/${id}`)).body.status
  const early = await alpha('POST', `/v2/images/${id}/import`, direct)
  assert.equal(early.status, 409)
  assert.match(early.text, /Image needs to be staged before 'glance-direct' method can be used/)
  const bytes = Buffer.from('x'.repeat(10_000))
  assert.equal((await alpha('PUT', `/v2/images/${id}/stage`, { bytes })).status, 204)
  assert.equal(await status(), 'uploading')
  assert.equal((await alpha('GET', '/v2/images?status=uploading')).body.images.length, 1)
  assert.equal((await alpha('GET', '/v2/images?status=queued')).body.images.length, 0)
  assert.equal((await alpha('PUT', `/v2/images/${id}/stage`, { bytes })).status, 409)
  assert.equal((await alpha('PUT', `/v2/images/${id}/file`, { bytes })).status, 409)
  const asked = await alpha('POST', `/v2/images/${id}/import`, direct)
  assert.deepEqual([asked.status, asked.text], [202, ''])
  assert.equal(await status(), 'importing')
  const twice = await alpha('POST', `/v2/images/${id}/import`, direct)
  assert.equal(twice.status, 409)
  assert.match(twice.text, /prior operation is still in progress/)

  assert.deepEqual(await round(cloud), { success: 1, failure: 0, forgotten: 0 })
  const shown = (await alpha('GET', `/v2/images/${id}`)).body
  assert.deepEqual(
    [shown.status, shown.size, shown.checksum],
    ['active', 10_000, createHash('md5').update(bytes).digest('hex')],
  )
  assert.equal((await alpha('GET', `/v2/images/${id}/file`)).text, bytes.toString())
  assert.equal((await alpha('POST', `/v2/images/${id}/import`, direct)).status, 409)
  const [task] = (await alpha('GET', `/v2/images/${id}/tasks`)).body.tasks
  assert.deepEqual(
    [task.status, task.type, task.owner, task.image_id, task.input.import_req.method.name],
    ['success', 'api_image_import', 'alpha', id, 'glance-direct'],
  )
  const admin = cloud.as('admin')
  assert.deepEqual((await admin('GET', `/v2/tasks/${task.id}`)).body, task)
  const { tasks } = (await admin('GET', '/v2/tasks?status=success')).body
  assert.deepEqual([tasks.length, tasks[0].id, tasks[0].input], [1, task.id, undefined])
  assert.equal((await alpha('GET', '/v2/tasks')).status, 403)
  assert.equal((await admin('GET', '/v2/tasks/none')).status, 404)
  assert.equal((await admin('POST', '/v2/tasks', { json: {} })).status, 405)
  for (const name of ['task', 'tasks']) {
    assert.equal((await alpha('GET', `/v2/schemas/${name}`)).body.name, name)
  }
  cloud.clock.advanceMs(49 * 3_600_000)
  assert.deepEqual(await round(cloud), { success: 0, failure: 0, forgotten: 1 })
})

test('only the offered methods are taken, from those who may change the image', async (t) => {
  const cloud = await startImage(t)
  const alpha = cloud.as('alpha')
  const offered = (await alpha('GET', '/v2/info/import')).body['import-methods']
  assert.deepEqual([offered.type, offered.value], ['array', ['glance-direct', 'web-download', 'glance-download']])
  assert.equal((await alpha('GET', '/v2/info/stores')).status, 404)
  const id = await newImage(cloud)
  for (const [json, words] of [
    [{}, /Import request requires a 'method' field\./],
    [{ method: {} }, /Import request requires a 'name' field\./],
    [{ method: { name: 'web-download', uri: 'http://127.0.0.1/' } }, /URI for web-download does not pass filtering/],
    [{ method: { name: 'web-download' } }, /URI for web-download does not pass filtering/],
    [{ method: { name: 'copy-image' } }, /Unknown import method name 'copy-image'\./],
    [{ ...direct.json, all_stores: 'x' }, /'all_stores' must be boolean value only/],
  ] as const) {
    const answer = await alpha('POST', `/v2/images/${id}/import`, { json })
    assert.equal(answer.status, 400)
    assert.match(answer.text, words)
  }
  const bytes = Buffer.from('x')
  assert.equal((await cloud.as('beta')('PUT', `/v2/images/${id}/stage`, { bytes })).status, 404)
  assert.equal((await cloud.as('reader')('PUT', `/v2/images/${id}/stage`, { bytes })).status, 403)
  const formless = await newImage(cloud, { name: 'no formats' })
  assert.equal((await alpha('PUT', `/v2/images/${formless}/stage`, { bytes })).status, 204)
  assert.match(
    (await alpha('POST', `/v2/images/${formless}/import`, direct)).text,
    /'container_format' needs to be set/,
  )
  assert.equal((await alpha('DELETE', `/v2/images/${formless}`)).status, 204)
  assert.deepEqual(await cloud.files(), [], 'staged data goes with its image')
})

test('data that is no archive: the task fails, the image is queued again, and its file goes', async (t) => {
  const cloud = await startImage(t)
  const alpha = cloud.as('alpha')
  const id = await newImage(cloud, { container_format: 'docker', disk_format: 'raw' })
  await alpha('PUT', `/v2/images/${id}/stage`, { bytes: Buffer.from('no archive') })
  assert.equal((await alpha('POST', `/v2/images/${id}/import`, direct)).status, 202)
  assert.deepEqual(await round(cloud), { success: 0, failure: 1, forgotten: 0 })
  const { status, size } = (await alpha('GET', `/v2/images/${id}`)).body
  assert.deepEqual([status, size], ['queued', null])
  const [task] = (await alpha('GET', `/v2/images/${id}/tasks`)).body.tasks
  assert.equal(task.status, 'failure')
  assert.notEqual(task.message, '')
  await cloud.image.loops[0]!.run(AbortSignal.timeout(10_000))
  assert.deepEqual(await cloud.files(), [])
  await alpha('PUT', `/v2/images/${id}/stage`, { bytes: await savedArchive([await layerOf('a', 'b')]) })
  assert.equal((await alpha('POST', `/v2/images/${id}/import`, direct)).status, 202)
  assert.deepEqual(await round(cloud), { success: 1, failure: 0, forgotten: 0 })
})

test('an image deleted while its data is staged or imported leaves nothing', async (t) => {
  const cloud = await startImage(t)
  const alpha = cloud.as('alpha')
  const id = await newImage(cloud)
  const source = new Readable({ read() {} })
  source.push('begin')
  const staging = alpha('PUT', `/v2/images/${id}/stage`, { bytes: source })
  const status = async () => (await alpha('GET', `/v2/images/${id}`)).body.status
  while ((await status()) !== 'uploading') await new Promise(setImmediate)
  assert.equal((await alpha('POST', `/v2/images/${id}/import`, direct)).status, 409)
  assert.equal((await alpha('DELETE', `/v2/images/${id}`)).status, 204)
  source.push(null)
  assert.equal((await staging).status, 410)

  const other = await newImage(cloud)
  await alpha('PUT', `/v2/images/${other}/stage`, { bytes: Buffer.from('x') })
  await alpha('POST', `/v2/images/${other}/import`, direct)
  assert.equal((await alpha('DELETE', `/v2/images/${other}`)).status, 204)
  assert.deepEqual(await round(cloud), { success: 0, failure: 1, forgotten: 0 })
  assert.deepEqual(await cloud.files(), [])
})

const program = fileURLToPath(new URL('../../../test/support/image-process.ts', import.meta.url))

/** A cloud whose process can be restarted: what stays is its state directory. */
async function cloudIn(t: TestContext, stateDir: string) {
  const open = async () => {
    const database = await openSqlite(join(stateDir, 'test.sqlite'))
    t.after(() => database.close())
    return database
  }
  const openBlobs = () => openFileBlobs(join(stateDir, 'blobs'), newLogger('silent'))
  return startImage(t, { open, openBlobs, config: { stateDir } })
}

for (const [fault, status, done] of [
  ['image.stage.stored', 'queued', 'queued'],
  ['image.stage.committed', 'uploading', 'uploading'],
  ['image.import.requested', 'importing', 'active'],
  ['image.import.processing', 'importing', 'active'],
  ['image.import.indexed', 'importing', 'active'],
  ['image.import.committed', 'active', 'active'],
  ['image.import.refused', 'queued', 'queued'],
] as const) {
  test(`killed at ${fault}, the image is ${status} after a restart and comes to be ${done}`, async (t) => {
    const { stateDir } = await cloudIn(t, await temporaryDirectory(t))
    const content = fault === 'image.import.refused' ? ['broken'] : []
    const child = spawn(process.execPath, [program, stateDir, fault, 'import', ...content], { stdio: 'inherit' })
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'], `${fault} was not reached`)
    const cloud = await cloudIn(t, stateDir)
    const shown = async () => (await cloud.as('alpha')('GET', '/v2/images')).body.images[0]
    assert.equal((await shown()).status, status)
    await round(cloud)
    const { id, status: after } = await shown()
    assert.equal(after, done)
    assert.equal((await cloud.files()).length, done === 'queued' ? 0 : 1)
    if (done === 'uploading') {
      assert.equal((await cloud.as('alpha')('POST', `/v2/images/${id}/import`, direct)).status, 202)
      assert.deepEqual(await round(cloud), { success: 1, failure: 0, forgotten: 0 })
    }
    const { tasks } = (await cloud.as('alpha')('GET', `/v2/images/${id}/tasks`)).body
    const ended = fault === 'image.stage.stored' ? [] : [fault === 'image.import.refused' ? 'failure' : 'success']
    assert.deepEqual(
      tasks.map((task: { status: string }) => task.status),
      ended,
    )
  })
}
