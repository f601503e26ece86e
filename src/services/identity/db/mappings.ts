import type { Db } from '../../../platform/db/database.ts'

export interface Mapping {
  readonly id: string
  /** As they were sent; their shape was checked then. */
  readonly rules: readonly unknown[]
}

const fromRow = (row: { id: string; rules: string }): Mapping => ({
  id: row.id,
  rules: JSON.parse(row.rules) as unknown[],
})

export async function find(db: Db, id: string): Promise<Mapping | undefined> {
  const row = await db.selectFrom('identity_mappings').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

export async function list(db: Db): Promise<Mapping[]> {
  return (await db.selectFrom('identity_mappings').selectAll().orderBy('id').execute()).map(fromRow)
}

/** False when there is one of this id. */
export async function insert(db: Db, { id, rules }: Mapping): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_mappings')
    .values({ id, rules: JSON.stringify(rules) })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** False when there is none. */
export async function update(db: Db, { id, rules }: Mapping): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('identity_mappings')
    .set({ rules: JSON.stringify(rules) })
    .where('id', '=', id)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** False when there was none. */
export async function remove(db: Db, id: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('identity_mappings').where('id', '=', id).executeTakeFirst()
  return numDeletedRows === 1n
}
