import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eachDatabase, type Open, temporaryDirectory } from '../../../test/support/databases.ts'
import { startPostgres } from '../../../test/support/postgres.ts'
import type { Database, Db, Migration, Trx } from '../db/database.ts'
import { migrate } from '../db/migrate.ts'
import { openPostgres } from '../db/postgres.ts'
import { openSqlite } from '../db/sqlite.ts'
import { CloudError } from '../errors.ts'
import { newLogger } from '../log.ts'
import { type Counter, countRows, drift } from './counters.ts'
import type { LimitStore } from './limits.ts'
import { createQuotas } from './quotas.ts'

const counters: readonly Counter[] = [
  { service: 'test', resource: 'things', table: 'things', holder: 'project_id', amount: '1' },
  {
    ...{ service: 'test', resource: 'class:BYTES', table: 'things', holder: 'project_id' },
    amount: 'case when row.gone = 0 then row.bytes else 0 end',
  },
]

const migrations: readonly Migration[] = [
  {
    name: '001-things',
    async up(db) {
      await db.schema
        .createTable('things')
        .addColumn('id', 'text', (c) => c.primaryKey().notNull())
        .addColumn('project_id', 'text')
        .addColumn('bytes', 'bigint')
        .addColumn('gone', 'integer', (c) => c.notNull())
        .execute()
    },
  },
  { name: '002-count', up: (db) => countRows(db, counters) },
]

interface Thing {
  id: string
  project_id: string | null
  bytes: number | null
  gone: number
}
declare module '../db/database.ts' {
  interface Tables {
    things: Thing
  }
}

/** Limits of this test's own; what Identity keeps is tested there. */
function fixed(own: Record<string, number>): LimitStore {
  const never = async () => assert.fail('not in this test')
  return {
    of: async () => ({ everybody: { things: 7 }, own }),
    ...{ holders: never, set: never, reset: never, setDefaults: never },
  }
}

async function start(t: TestContext, open: Open, own: Record<string, number> = {}, prefix = 't') {
  const database = await open(t)
  await migrate(database, [{ service: 'test', migrations }])
  const quotas = createQuotas({
    service: 'test',
    resources: { things: { fallback: 3 }, 'class:BYTES': { fallback: -1, unit: 1024 } },
    limits: fixed(own),
    refuse: (over) => new CloudError('overQuota', over.map((o) => `${o.resource} ${o.used}/${o.limit}`).join()),
  })
  let made = 0
  const insert = (db: Db, thing: Partial<Thing> = {}) =>
    db
      .insertInto('things')
      .values({ id: `${prefix}${made++}`, project_id: 'p', bytes: null, gone: 0, ...thing })
      .execute()
  const create = (projectId = 'p') =>
    database.write(async (trx) => {
      await quotas.claim(trx, projectId, { things: 1 })
      await insert(trx, { project_id: projectId })
    })
  return {
    database,
    quotas,
    insert,
    create,
    noDrift: async () => assert.deepEqual(await drift(database.read, counters), []),
  }
}

eachDatabase((name, open) => {
  test(`${name}: of concurrent claims exactly the limit succeeds, project by project`, async (t) => {
    const { quotas, create, database, noDrift } = await start(t, open, { things: 20 })
    const projects = Array.from({ length: 60 }, (_, i) => ['p', 'q'][i % 2])
    const outcomes = await Promise.allSettled(projects.map((project) => create(project)))
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    assert.deepEqual(new Set(refused.map((error: CloudError) => error.message)), new Set(['things 20/20']))
    assert.equal(refused.length, 20)
    for (const project of ['p', 'q']) assert.equal((await quotas.usage(database.read, project)).things, 20)
    await noDrift()
  })

  test(`${name}: concurrent deletes give back all of it`, async (t) => {
    const { database, insert, quotas, noDrift } = await start(t, open)
    await database.write(async (trx) => {
      for (let i = 0; i < 40; i++) await insert(trx, { bytes: 1024 })
    })
    const remove = (i: number) => database.write((trx) => trx.deleteFrom('things').where('id', '=', `t${i}`).execute())
    await Promise.all(Array.from({ length: 39 }, (_, i) => remove(i)))
    assert.deepEqual(await quotas.usage(database.read, 'p'), { things: 1, 'class:BYTES': 1 })
    await noDrift()
  })

  test(`${name}: sums follow every kind of change, and a failed transaction changes none`, async (t) => {
    const { database, insert, quotas, noDrift } = await start(t, open)
    const { read, write } = database
    const update = (set: Partial<Thing>) => write((trx) => trx.updateTable('things').set(set).execute())
    await write(async (trx) => {
      await insert(trx, { bytes: 5000 })
      await insert(trx, { bytes: null })
      await insert(trx, { project_id: null, bytes: 9 })
      await trx
        .insertInto('things')
        .values({ id: 't0', project_id: 'p', bytes: 1, gone: 0 })
        .onConflict((c) => c.doNothing())
        .execute()
    })
    assert.deepEqual(await quotas.usage(read, 'p'), { things: 2, 'class:BYTES': 4 })
    await noDrift()
    await update({ bytes: 2048 })
    assert.deepEqual(await quotas.usage(read, 'p'), { things: 2, 'class:BYTES': 4 })
    await update({ gone: 1 })
    assert.deepEqual(await quotas.usage(read, 'p'), { things: 2, 'class:BYTES': 0 })
    await update({ gone: 0, project_id: 'q' })
    assert.deepEqual(await quotas.usage(read, 'p'), { things: 0, 'class:BYTES': 0 })
    assert.deepEqual(await quotas.usage(read, 'q'), { things: 3, 'class:BYTES': 6 })
    await assert.rejects(
      write(async (trx) => {
        await insert(trx, { project_id: 'q' })
        throw new Error('broken off')
      }),
    )
    await noDrift()
    await write((trx) => trx.deleteFrom('things').execute())
    assert.deepEqual(await quotas.usage(read, 'q'), { things: 0, 'class:BYTES': 0 })
    await noDrift()
  })

  test(`${name}: a limit below what is in use refuses growth, and nothing else`, async (t) => {
    const own: Record<string, number> = {}
    const { database, quotas, insert, create } = await start(t, open, own)
    for (let i = 0; i < 3; i++) await create()
    own.things = 1
    own['class:BYTES'] = 0
    await assert.rejects(create(), /things 3\/1/)
    const claim = (wanted: Parameters<typeof quotas.claim>[2]) =>
      database.write((trx: Trx) => quotas.claim(trx, 'p', wanted))
    await claim({ things: 0, 'class:BYTES': -5 })
    await assert.rejects(claim({ things: 1, 'class:BYTES': 1 }), /^CloudError: things 3\/1,class:BYTES 0\/0$/)
    own.things = -1
    await create()
    await database.write((trx) => insert(trx))
    assert.deepEqual((await database.write((trx) => quotas.standing(trx, 'p'))).things, { limit: -1, used: 5 })
  })

  test(`${name}: a counter given again counts what is there`, async (t) => {
    const { database, insert, noDrift } = await start(t, open)
    await database.write((trx) => insert(trx, { bytes: 7 }))
    await database.write((trx) => trx.updateTable('quota_usage').set({ used: 99 }).execute())
    const wrong = await drift(database.read, counters)
    assert.deepEqual(
      wrong.map(({ resource, used, counted }) => [resource, used, counted]),
      [
        ['things', 99, 1],
        ['class:BYTES', 99, 7],
      ],
    )
    await database.write((trx) => countRows(trx as never, counters))
    await database.write((trx) => insert(trx, { bytes: 7 }))
    await noDrift()
  })
})

/** The same database twice, as two control processes have it. */
const twice: Record<'sqlite' | 'postgres', (t: TestContext) => Promise<[Open, Open]>> = {
  async sqlite(t) {
    const path = `${await temporaryDirectory(t)}/shared.sqlite`
    const open = async (of: TestContext) => closed(of, await openSqlite(path))
    return [open, open]
  },
  async postgres(t) {
    const url = await startPostgres(t)
    const open = async (of: TestContext) => closed(of, await openPostgres(url, newLogger('silent')))
    return [open, open]
  },
}

function closed(t: TestContext, database: Database): Database {
  t.after(() => database.close())
  return database
}

for (const engine of ['sqlite', 'postgres'] as const) {
  test(`${engine}: two processes together never get past a limit`, async (t) => {
    const [one, other] = await twice[engine](t)
    const own = { things: 20 }
    const [a, b] = [await start(t, one, own, 'a'), await start(t, other, own, 'b')]
    const outcomes = await Promise.allSettled(Array.from({ length: 60 }, (_, i) => (i % 2 ? a : b).create()))
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.message] : []))
    assert.deepEqual(refused, Array(40).fill('things 20/20'))
    await a.noDrift()
  })
}

test('a process killed between two writes leaves sums that are right', async (t) => {
  const path = `${await temporaryDirectory(t)}/killed.sqlite`
  const { database, noDrift } = await start(t, async (of) => closed(of, await openSqlite(path)))
  for (let round = 0; round < 3; round++) {
    const script = fileURLToPath(new URL('../../../test/support/quota-process.ts', import.meta.url))
    const child = spawn(process.execPath, [script, path, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data') // it is in the middle of it
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.notEqual((await database.read.selectFrom('things').selectAll().execute()).length, 0)
    await noDrift()
  }
})
