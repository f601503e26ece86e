import type { Db, Migration, Trx } from '../../../platform/db/database.ts'

/** Something that happened and that an endpoint has not taken yet. */
export interface EventsTable {
  id: string
  endpoint: string
  /** JSON of the event. */
  content: string
  made_ms: number
  attempts: number
  next_ms: number
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    registry_events: EventsTable
  }
}

export const eventMigration: Migration = {
  name: '0004-events',
  async up(db) {
    await db.schema
      .createTable('registry_events')
      .addColumn('id', 'text', (c) => c.notNull())
      .addColumn('endpoint', 'text', (c) => c.notNull())
      .addColumn('content', 'text', (c) => c.notNull())
      .addColumn('made_ms', 'bigint', (c) => c.notNull())
      .addColumn('attempts', 'integer', (c) => c.notNull())
      .addColumn('next_ms', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('registry_events_pk', ['endpoint', 'id'])
      .execute()
    await db.schema
      .createIndex('registry_events_order')
      .on('registry_events')
      .columns(['endpoint', 'made_ms'])
      .execute()
  },
}

export interface Waiting {
  id: string
  content: string
  attempts: number
  nextMs: number
  madeMs: number
}

export async function insert(
  trx: Trx,
  endpoints: readonly string[],
  event: { id: string; content: string },
  nowMs: number,
): Promise<void> {
  const rows = endpoints.map((endpoint) => ({ endpoint, ...event, made_ms: nowMs, attempts: 0, next_ms: nowMs }))
  if (rows.length > 0) await trx.insertInto('registry_events').values(rows).execute()
}

/** The oldest first. */
export async function waiting(db: Db, endpoint: string, limit: number): Promise<Waiting[]> {
  const rows = await db
    .selectFrom('registry_events')
    .selectAll()
    .where('endpoint', '=', endpoint)
    .orderBy('made_ms')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    ...{ id: row.id, content: row.content, attempts: row.attempts },
    ...{ nextMs: Number(row.next_ms), madeMs: Number(row.made_ms) },
  }))
}

export async function taken(trx: Trx, endpoint: string, ids: readonly string[]): Promise<void> {
  await trx.deleteFrom('registry_events').where('endpoint', '=', endpoint).where('id', 'in', ids).execute()
}

export async function refused(trx: Trx, endpoint: string, ids: readonly string[], nextMs: number): Promise<void> {
  await trx
    .updateTable('registry_events')
    .set((eb) => ({ attempts: eb('attempts', '+', 1), next_ms: nextMs }))
    .where('endpoint', '=', endpoint)
    .where('id', 'in', ids)
    .execute()
}

/** Of endpoints that are not set up any more, and what nobody has taken for too long. */
export async function forget(trx: Trx, endpoints: readonly string[], beforeMs: number): Promise<number> {
  const { numDeletedRows } = await trx
    .deleteFrom('registry_events')
    .where((eb) =>
      eb.or([eb('made_ms', '<', beforeMs), ...(endpoints.length > 0 ? [eb('endpoint', 'not in', endpoints)] : [])]),
    )
    .executeTakeFirst()
  return Number(numDeletedRows)
}
