import type { Db } from '../../../platform/db/database.ts'

/** Keeps why each server is where it is, in place of what was kept before; as JSON, whatever it says. */
export async function put(db: Db, decisions: ReadonlyMap<string, object>): Promise<void> {
  if (decisions.size === 0) return
  const rows = [...decisions].map(([server_id, decision]) => ({ server_id, decision: JSON.stringify(decision) }))
  await db
    .insertInto('compute_decisions')
    .values(rows)
    .onConflict((conflict) =>
      conflict.column('server_id').doUpdateSet((eb) => ({ decision: eb.ref('excluded.decision') })),
    )
    .execute()
}

/** As it was put; undefined for a server of before decisions were kept. */
export async function find(db: Db, serverId: string): Promise<unknown> {
  const row = await db
    .selectFrom('compute_decisions')
    .select('decision')
    .where('server_id', '=', serverId)
    .executeTakeFirst()
  return row && JSON.parse(row.decision)
}
