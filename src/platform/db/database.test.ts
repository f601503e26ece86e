import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Kysely, sql } from 'kysely'
import { eachDatabase } from '../../../test/support/databases.ts'
import type { Database, Db } from './database.ts'
import { migrate } from './migrate.ts'
import { violationOf } from './violations.ts'

interface Things {
  things: { id: number; name: string | null; n: number }
}
const things = (db: Db) => db as unknown as Kysely<Things>

const migrations = [
  {
    name: '001-things',
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('things')
        .addColumn('id', 'integer', (c) => c.primaryKey())
        .addColumn('name', 'text', (c) => c.unique())
        .addColumn('n', 'bigint', (c) => c.notNull().check(sql`n >= 0`))
        .execute()
    },
  },
]

async function insert(database: Database, id: number, n = 0, name: string | null = null): Promise<void> {
  await database.write((trx) => things(trx).insertInto('things').values({ id, name, n }).execute())
}
const count = async (database: Database) =>
  (await things(database.read).selectFrom('things').select('id').execute()).length

eachDatabase((name, open) => {
  test(`${name}: migrations run once, in order, also when two start together`, async (t) => {
    const database = await open(t)
    const ran: string[] = []
    const list = ['a', 'b'].map((table) => ({
      name: table,
      async up(db: Kysely<unknown>) {
        ran.push(table)
        await db.schema.createTable(table).addColumn('id', 'integer').execute()
      },
    }))
    const services = [{ service: 'one', migrations: list }]
    await Promise.all([migrate(database, services), migrate(database, services)])
    await migrate(database, services)
    assert.deepEqual(ran, ['a', 'b'])
  })

  test(`${name}: a database from a newer version is refused`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'one', migrations }])
    await assert.rejects(migrate(database, [{ service: 'one', migrations: [] }]), /newer version.*001-things/)
  })

  test(`${name}: a failing migration leaves nothing behind and may be repeated`, async (t) => {
    const database = await open(t)
    const failing = {
      name: '001-things',
      up: (db: Kysely<unknown>) => migrations[0]!.up(db).then(() => assert.fail('no')),
    }
    await assert.rejects(migrate(database, [{ service: 'one', migrations: [failing] }]), /no/)
    await migrate(database, [{ service: 'one', migrations }])
    assert.equal(await count(database), 0)
  })

  test(`${name}: a failing write among 50 concurrent ones hurts no other`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'one', migrations }])
    const writes = Array.from({ length: 50 }, (_, i) =>
      database.write(async (trx) => {
        await things(trx).insertInto('things').values({ id: i, name: null, n: i }).execute()
        if (i % 10 === 7) throw new Error(`no ${i}`)
        return i
      }),
    )
    const settled = await Promise.allSettled(writes)
    assert.deepEqual(
      settled.flatMap((s) => (s.status === 'rejected' ? [s.reason.message] : [])),
      ['no 7', 'no 17', 'no 27', 'no 37', 'no 47'],
    )
    assert.equal(await count(database), 45)
  })

  test(`${name}: concurrent increments add up`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'one', migrations }])
    await insert(database, 1)
    const increment = () =>
      database.write(async (trx) => {
        const { n } = await things(trx).selectFrom('things').select('n').where('id', '=', 1).executeTakeFirstOrThrow()
        await things(trx)
          .updateTable('things')
          .set({ n: n + 1 })
          .where('id', '=', 1)
          .execute()
      })
    await Promise.all(Array.from({ length: 100 }, increment))
    const row = await things(database.read).selectFrom('things').selectAll().executeTakeFirstOrThrow()
    assert.deepEqual(row, { id: 1, name: null, n: 100 })
  })

  test(`${name}: numbers are numbers, affected rows are bigint, rows are plain objects`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'one', migrations }])
    await insert(database, 1, 2 ** 53 - 1)
    await insert(database, 2, 1)
    const db = things(database.read)
    const aggregate = await db
      .selectFrom('things')
      .select((eb) => [eb.fn.countAll<number>().as('rows'), eb.fn.min('id').as('least')])
      .executeTakeFirstOrThrow()
    assert.deepEqual(aggregate, { rows: 2, least: 1 })
    const { n } = await db.selectFrom('things').select('n').where('id', '=', 1).executeTakeFirstOrThrow()
    assert.equal(n, 2 ** 53 - 1)
    const update = (trx: Db) => things(trx).updateTable('things').set({ n: 5 }).executeTakeFirst()
    assert.equal((await database.write(update)).numUpdatedRows, 2n)
  })

  test(`${name}: what a constraint refused has one name`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'one', migrations }])
    await insert(database, 1, 0, 'taken')
    const violation = (write: Promise<void>) => write.then(() => assert.fail('went through'), violationOf)
    assert.equal(await violation(insert(database, 2, 0, 'taken')), 'unique')
    assert.equal(await violation(insert(database, 1)), 'unique')
    assert.equal(await violation(insert(database, 3, -1)), 'check')
    assert.equal(violationOf(new Error('something else')), null)
  })

  test(`${name}: a write inside a write fails instead of waiting for itself`, async (t) => {
    const database = await open(t)
    const nested = database.write(() => database.write(async () => 1))
    await assert.rejects(nested, /inside/)
    assert.equal(await database.write(async () => 2), 2)
  })

  test(`${name}: reads see what was committed, not what is under way`, async (t) => {
    const database = await open(t)
    await migrate(database, [{ service: 'one', migrations }])
    await database.write(async (trx) => {
      await things(trx).insertInto('things').values({ id: 1, name: null, n: 0 }).execute()
      assert.equal(await count(database), 0)
    })
    assert.equal(await count(database), 1)
  })
})
