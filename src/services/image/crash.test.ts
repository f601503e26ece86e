import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory as directory } from '../../../test/support/databases.ts'
import { layerOf, savedArchive, startImage } from '../../../test/support/image.ts'
import { openFileBlobs } from '../../platform/blobs/file-store.ts'
import { openSqlite } from '../../platform/db/sqlite.ts'
import { newLogger } from '../../platform/log.ts'

const program = fileURLToPath(new URL('../../../test/support/image-process.ts', import.meta.url))

/** Runs the process until the fault kills it. */
async function killedAt(fault: string, stateDir: string, ...verb: string[]): Promise<void> {
  const child = spawn(process.execPath, [program, stateDir, fault, ...verb], { stdio: 'inherit' })
  const [code, signal] = await once(child, 'exit')
  assert.deepEqual([code, signal], [null, 'SIGKILL'], `${fault} was not reached`)
}

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

const halfWritten = (stateDir: string) => readdir(join(stateDir, 'blobs', 'tmp'))

for (const [fault, status] of [
  ['image.upload.stored', 'queued'],
  ['image.upload.indexed', 'queued'],
  ['image.upload.committed', 'active'],
] as const) {
  test(`killed at ${fault}, the image is ${status} after a restart, and nothing else is left`, async (t) => {
    const first = await cloudIn(t, await directory(t))
    const { stateDir } = first
    await killedAt(fault, stateDir, 'upload')
    const cloud = await cloudIn(t, stateDir)
    const [image] = (await cloud.as('alpha')('GET', '/v2/images')).body.images
    assert.deepEqual([image.name, image.status], ['crash', status])
    assert.equal((await cloud.files()).length, status === 'active' ? 1 : 0)
    assert.deepEqual(await halfWritten(stateDir), [])
    const { reference, repository } = await cloud.image.bootable(
      cloud.database.read,
      cloud.contextOf('alpha'),
      image.id,
    )
    if (status === 'queued') {
      const bytes = await savedArchive([await layerOf('hello', 'again')])
      assert.equal((await cloud.as('alpha')('PUT', `/v2/images/${image.id}/file`, { bytes })).status, 204)
    } else {
      const url = `/v2/${repository}/manifests/${reference?.split('@')[1]}`
      const headers = { authorization: `Bearer ${cloud.registry.pullToken(repository, 60)}` }
      assert.equal((await cloud.registry.app!.inject({ url, headers })).statusCode, 200)
    }
  })
}

for (const fault of ['image.delete.row', 'image.delete.blobs']) {
  test(`killed at ${fault}, neither the image nor its file is left after a restart`, async (t) => {
    const first = await cloudIn(t, await directory(t))
    const { stateDir } = first
    const archive = await savedArchive([await layerOf('hello', 'world')])
    const formats = { container_format: 'docker', disk_format: 'raw' }
    const id = await first.upload('alpha', formats, archive)
    await killedAt(fault, stateDir, 'delete', id)
    const cloud = await cloudIn(t, stateDir)
    assert.equal((await cloud.as('alpha')('GET', `/v2/images/${id}`)).status, 404)
    assert.deepEqual(await cloud.files(), [])
  })
}

test('the sweep leaves alone what is being received, and what others keep in the store', async (t) => {
  const cloud = await cloudIn(t, await directory(t))
  await cloud.blobs.put(Readable.from(['x']), { key: 'image-nobodys' })
  await cloud.blobs.put(Readable.from(['x']), { key: 'push-somebodys' })
  const source = new Readable({ read() {} })
  source.push('begin')
  const adding = cloud.upload('alpha', { container_format: 'bare', disk_format: 'raw' }, source)
  const status = async () => (await cloud.as('alpha')('GET', '/v2/images')).body.images[0]?.status
  while ((await status()) !== 'saving') await new Promise(setImmediate)
  const [loop] = cloud.image.loops
  assert.deepEqual(await loop!.run(AbortSignal.timeout(10_000)), { requeued: 0, removed: 1 })
  source.push(null)
  await adding
  assert.equal(await status(), 'active')
  assert.deepEqual(await loop!.run(AbortSignal.timeout(10_000)), { requeued: 0, removed: 0 })
  assert.equal((await cloud.files()).length, 2)
})
