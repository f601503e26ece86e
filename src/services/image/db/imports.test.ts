import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eachDatabase } from '../../../../test/support/databases.ts'
import { migrate } from '../../../platform/db/migrate.ts'
import { newImage } from '../logic/images.ts'
import * as images from './images.ts'
import * as imports from './imports.ts'
import * as listing from './listing.ts'
import { migrations } from './tables.ts'

const now = '2026-01-01T00:00:00.000000Z'

eachDatabase((name, open) => {
  test(`${name}: an image whose data is staged; only an unfinished staging is given up`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'image', migrations }])
    const of = (id: string, status: images.Image['status'], uploader: string | null) => ({
      ...newImage(now, 'p'),
      ...{ id, status, uploader, uploadKey: `key-${id}` },
    })
    const size = 2 ** 40
    await database.write(async (trx) => {
      for (const [id, status, uploader] of [
        ['half', 'uploading', 'me'],
        ['live', 'uploading', 'me'],
        ['staged', 'uploading', null],
        ['wanted', 'importing', null],
      ] as const) {
        await images.insert(trx, of(id, status, uploader))
      }
      await imports.insertStaging(trx, { imageId: 'staged', key: 'key-staged', size, md5: 'm', sha512: 's' })
    })
    assert.equal(await database.write((trx) => images.requeueUploadsOf(trx, 'me', ['key-live'])), 1)
    const statuses = async (...conditions: listing.Condition[]) => {
      const query = { conditions, visibility: undefined, memberStatus: 'all', after: undefined, limit: 9 } as const
      const sort = [
        { key: 'status', direction: 'asc' },
        { key: 'id', direction: 'asc' },
      ] as const
      const found = await listing.list(database.read, { projectId: 'p', isAdmin: false }, { ...query, sort })
      return found.map(({ id, status }) => `${id} ${status}`)
    }
    assert.deepEqual(await statuses(), ['wanted importing', 'half queued', 'live uploading', 'staged uploading'])
    assert.deepEqual(await statuses({ column: 'status', op: '=', value: 'queued' }), ['half queued'])
    assert.deepEqual([...(await images.keysInUse(database.read, ['key-staged', 'key-half']))], ['key-staged'])
    assert.equal((await imports.findStaging(database.read, 'staged'))?.size, size)
    await database.write((trx) => images.remove(trx, 'staged'))
    assert.equal(await imports.findStaging(database.read, 'staged'), undefined)
  })

  test(`${name}: tasks in pages; an ended one stays as it ended until it is forgotten`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'image', migrations }])
    const db = database.read
    const of = (id: string, createdAt: string): imports.Task => ({
      ...{ id, imageId: 'i', type: 'api_image_import', status: 'pending', owner: 'p', userId: 'u', requestId: 'r' },
      ...{ input: { a: 1 }, result: null, message: '', createdAt, updatedAt: createdAt, expiresAt: null, detail: null },
    })
    const later = '2026-01-02T00:00:00.000000Z'
    await database.write(async (trx) => {
      for (const [id, at] of [
        ['a', now],
        ['b', now],
        ['c', later],
      ] as const)
        await imports.insertTask(trx, of(id, at))
      const success = { result: { x: 1 }, message: '', updatedAt: later, expiresAt: later }
      await imports.moveTask(trx, 'a', { status: 'success', ...success })
      await imports.moveTask(trx, 'a', { status: 'failure', ...success })
    })
    const page = async (more: Partial<imports.TaskQuery>) => {
      const query = { status: undefined, type: undefined, sortKey: 'created_at', direction: 'desc' } as const
      return (await imports.listTasks(db, { ...query, after: undefined, limit: 9, ...more })).map(({ id }) => id)
    }
    assert.deepEqual(await page({}), ['c', 'b', 'a'])
    assert.deepEqual(await page({ after: of('b', now) }), ['a'])
    assert.deepEqual(await page({ status: 'success', type: 'api_image_import' }), ['a'])
    assert.deepEqual(
      (await imports.openTasks(db, 9)).map(({ id }) => id),
      ['b', 'c'],
    )
    assert.deepEqual((await imports.findTask(db, 'a'))?.result, { x: 1 })
    assert.equal((await imports.tasksOf(db, 'i')).length, 3)
    assert.equal(await database.write((trx) => imports.removeExpiredTasks(trx, later)), 0)
    assert.equal(await database.write((trx) => imports.removeExpiredTasks(trx, '2026-01-03T00:00:00.000000Z')), 1)
    assert.deepEqual(await page({}), ['c', 'b'])
  })
})
