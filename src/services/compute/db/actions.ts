import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { ActionEventsTable, ActionsTable } from './tables.ts'

export type Action = Selectable<ActionsTable>
export type ActionEvent = Selectable<ActionEventsTable>

/** Records what somebody asked of a server. Kept when the server is gone. */
export async function insert(db: Db, actions: readonly ActionsTable[]): Promise<void> {
  await db
    .insertInto('compute_actions')
    .values([...actions])
    .execute()
}

export async function begin(db: Db, events: readonly Omit<ActionEventsTable, 'finished_at' | 'result' | 'details'>[]) {
  const rows = events.map((event) => ({ ...event, finished_at: null, result: null, details: null }))
  await db.insertInto('compute_action_events').values(rows).execute()
}

/** Closes the events of an action that are still open; `details` is why it failed. */
export async function finish(db: Db, actionId: string, at: string, details: string | null): Promise<void> {
  await db
    .updateTable('compute_action_events')
    .set({ finished_at: at, result: details === null ? 'Success' : 'Error', details })
    .where('action_id', '=', actionId)
    .where('finished_at', 'is', null)
    .execute()
  await db
    .updateTable('compute_actions')
    .set(details === null ? { updated_at: at } : { updated_at: at, message: 'Error' })
    .where('id', '=', actionId)
    .execute()
}

export interface ActionQuery {
  serverId: string
  limit: number
  marker: Action | null
  changesSince: string | null
  changesBefore: string | null
}

/** Newest first. */
export async function list(db: Db, query: ActionQuery): Promise<Action[]> {
  let select = db.selectFrom('compute_actions').selectAll().where('server_id', '=', query.serverId)
  const { marker, changesSince, changesBefore } = query
  if (changesSince !== null) select = select.where('updated_at', '>=', changesSince)
  if (changesBefore !== null) select = select.where('updated_at', '<=', changesBefore)
  if (marker !== null) {
    select = select.where((eb) =>
      eb.or([
        eb('started_at', '<', marker.started_at),
        eb.and([eb('started_at', '=', marker.started_at), eb('id', '<', marker.id)]),
      ]),
    )
  }
  return await select.orderBy('started_at', 'desc').orderBy('id', 'desc').limit(query.limit).execute()
}

export async function findByRequest(db: Db, serverId: string, requestId: string): Promise<Action | undefined> {
  return await db
    .selectFrom('compute_actions')
    .selectAll()
    .where('server_id', '=', serverId)
    .where('request_id', '=', requestId)
    .executeTakeFirst()
}

export async function events(db: Db, actionId: string): Promise<ActionEvent[]> {
  return await db
    .selectFrom('compute_action_events')
    .selectAll()
    .where('action_id', '=', actionId)
    .orderBy('started_at', 'desc')
    .execute()
}
