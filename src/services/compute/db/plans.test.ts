import assert from 'node:assert/strict'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { test } from 'node:test'
import { testGround } from '../../../../test/support/ground.ts'
import { computeMigrations } from '../index.ts'
import * as serverList from './server-list.ts'
import * as serverRows from './servers.ts'
import * as snapshotRows from './snapshots.ts'

/** Reading all of an index is fine only where the index holds nothing but what is under way. */
test('no frequent query reads all servers', async (t) => {
  const { database } = await testGround(t, [computeMigrations])
  const db = database.read
  const asked: [sql: string, values: unknown[]][] = []
  const { prepare } = DatabaseSync.prototype
  let connection: DatabaseSync | null = null
  t.mock.method(DatabaseSync.prototype, 'prepare', function (this: DatabaseSync, text: string) {
    connection = this
    asked.push([text, []])
    return prepare.call(this, text)
  })
  const page = {
    ...{ deleted: false, equal: {}, matches: {}, vmStates: null, taskStates: null, locked: null },
    ...{ changesSince: null, changesBefore: null, metadata: {}, ids: null, limit: 10, marker: null },
    tags: { all: [], any: [], notAll: [], notAny: [] },
    sortKeys: [{ column: 'created_at' as const, direction: 'desc' as const }],
  }
  await serverList.list(db, { ...page, projectId: 'p' })
  await serverList.list(db, { ...page, projectId: null })
  await serverList.list(db, { ...page, projectId: 'p', matches: { name: '^one$' } })
  await serverList.list(db, { ...page, projectId: null, equal: { host: ['h'] } })
  await serverList.list(db, { ...page, projectId: 'p', vmStates: ['error'] })
  await serverList.list(db, { ...page, projectId: null, vmStates: ['error'] })
  await serverList.list(db, { ...page, projectId: 'p', deleted: null, changesSince: '2026' })
  await serverRows.unsettled(db, 0, 10)
  await serverRows.busyByHost(db)
  await serverRows.countOn(db, 'h')
  await serverRows.listByHost(db, 'h')
  await serverRows.find(db, 'id')
  await snapshotRows.openOf(db, 'id')
  await snapshotRows.due(db, 0, 10)
  t.mock.restoreAll()
  assert.equal(asked.length, 14)
  const indexes = ['page', 'page_all', 'name', 'by_host', 'state', 'state_all', 'changed_of']
  for (const [i, [text]] of asked.entries()) {
    const plan: StatementSync = connection!.prepare(`explain query plan ${text}`)
    const steps = plan
      .all(...Array.from({ length: text.split('?').length - 1 }, () => 0))
      .map((row) => String(row.detail))
    const index = indexes[i]
    if (index !== undefined) assert.match(steps[0] ?? '', new RegExp(`compute_servers_${index} `), text)
    // An index of all servers by `deleted` finds what is under way too, by reading every server.
    const underWay = text.includes('"seen_generation" <')
    if (underWay) assert.match(steps[0] ?? '', /compute_servers_unsettled/, text)
    assert.ok(
      steps.every((step) => !step.startsWith('SCAN') || /_(unsettled|open)$/.test(step)),
      `${text}\n${steps.join('\n')}`,
    )
  }
})
