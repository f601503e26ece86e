import type { Db, Migration, Trx } from './database.ts'

/** Things done once in the life of a cloud, such as seeding; a mark is set in the transaction that does the thing. */
declare module './database.ts' {
  interface Tables {
    marks: { name: string; set_at: string }
  }
}

export const markMigrations: readonly Migration[] = [
  {
    name: '0001-marks',
    async up(db) {
      await db.schema
        .createTable('marks')
        .addColumn('name', 'text', (column) => column.primaryKey().notNull())
        .addColumn('set_at', 'text', (column) => column.notNull())
        .execute()
    },
  },
]

export async function isMarked(db: Db, name: string): Promise<boolean> {
  const row = await db.selectFrom('marks').select('name').where('name', '=', name).executeTakeFirst()
  return row !== undefined
}

/** Repeatable. `at` is ISO 8601. */
export async function mark(trx: Trx, name: string, at: string): Promise<void> {
  await trx
    .insertInto('marks')
    .values({ name, set_at: at })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}
