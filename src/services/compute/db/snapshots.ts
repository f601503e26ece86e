import { type Selectable, sql } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { SnapshotsTable } from './tables.ts'

export type Snapshot = Selectable<SnapshotsTable>

/** Written out, not bound: the index over those still open serves only a query that says so in its text. */
const stillOpen = sql.lit(1 as const)

export async function insert(db: Db, snapshot: SnapshotsTable): Promise<void> {
  await db.insertInto('compute_snapshots').values(snapshot).execute()
}

export async function find(db: Db, id: string): Promise<Snapshot | undefined> {
  return await db.selectFrom('compute_snapshots').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Those still wanted of a server. */
export async function openOf(db: Db, serverId: string): Promise<Snapshot[]> {
  return await db
    .selectFrom('compute_snapshots')
    .selectAll()
    .where('server_id', '=', serverId)
    .where('open', '=', stillOpen)
    .execute()
}

/** Backups of a kind that were made of a server, newest first. */
export async function backups(db: Db, serverId: string, type: string): Promise<Snapshot[]> {
  return await db
    .selectFrom('compute_snapshots')
    .selectAll()
    .where('server_id', '=', serverId)
    .where('backup_type', '=', type)
    .where('open', '=', 0)
    .where('message', 'is', null)
    .orderBy('created_at', 'desc')
    .execute()
}

/** Still wanted, and may be tried now. */
export async function due(db: Db, nowMs: number, limit: number): Promise<Snapshot[]> {
  return await db
    .selectFrom('compute_snapshots')
    .selectAll()
    .where('open', '=', stillOpen)
    .where((eb) => eb.or([eb('retry_at_ms', 'is', null), eb('retry_at_ms', '<=', nowMs)]))
    .orderBy('created_at')
    .limit(limit)
    .execute()
}

export async function update(
  db: Db,
  id: string,
  patch: Partial<Pick<SnapshotsTable, 'tries' | 'retry_at_ms' | 'open' | 'message'>> & { updated_at: string },
): Promise<void> {
  await db.updateTable('compute_snapshots').set(patch).where('id', '=', id).execute()
}
