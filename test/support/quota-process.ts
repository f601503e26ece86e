import { openSqlite } from '../../src/platform/db/sqlite.ts'

/** A process of its own, to be killed: `node quota-process.ts DATABASE ROUND` writes and deletes rows that are counted. */
const [path = '', round = ''] = process.argv.slice(2)
const database = await openSqlite(path)
for (let i = 0; ; i++) {
  await Promise.all(
    [0, 1, 2].map((n) =>
      database.write(async (trx) => {
        const thing = { id: `${round}-${i}-${n}`, project_id: `p${n}`, bytes: 1000, gone: 0 }
        await trx.insertInto('things').values(thing).execute()
        if (i % 3 === 0)
          await trx.deleteFrom('things').where('project_id', '=', `p${n}`).where('id', '<', thing.id).execute()
      }),
    ),
  )
  if (i === 20) process.stdout.write('on it')
}
