import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { ServiceProvidersTable } from './federation-tables.ts'
import { flag, onPage, type Page } from './lists.ts'

/** Another cloud that takes this one's word for its users. */
export interface ServiceProvider {
  readonly id: string
  readonly authUrl: string
  readonly spUrl: string
  readonly description: string | null
  readonly enabled: boolean
  readonly relayStatePrefix: string
}

const fromRow = (row: Selectable<ServiceProvidersTable>): ServiceProvider => ({
  id: row.id,
  authUrl: row.auth_url,
  spUrl: row.sp_url,
  description: row.description,
  enabled: row.enabled === 1,
  relayStatePrefix: row.relay_state_prefix,
})

const toRow = (provider: ServiceProvider): ServiceProvidersTable => ({
  id: provider.id,
  auth_url: provider.authUrl,
  sp_url: provider.spUrl,
  description: provider.description,
  enabled: flag(provider.enabled),
  relay_state_prefix: provider.relayStatePrefix,
})

export async function find(db: Db, id: string): Promise<ServiceProvider | undefined> {
  const row = await db.selectFrom('identity_service_providers').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

export async function list(db: Db, page: Page): Promise<ServiceProvider[]> {
  let query = db.selectFrom('identity_service_providers').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

export async function listEnabled(db: Db): Promise<ServiceProvider[]> {
  const query = db.selectFrom('identity_service_providers').selectAll().where('enabled', '=', 1).orderBy('id')
  return (await query.execute()).map(fromRow)
}

/** False when there is one of this id. */
export async function insert(db: Db, provider: ServiceProvider): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_service_providers')
    .values(toRow(provider))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function update(db: Db, provider: ServiceProvider): Promise<void> {
  const { id, ...columns } = toRow(provider)
  await db.updateTable('identity_service_providers').set(columns).where('id', '=', id).execute()
}

/** False when there was none. */
export async function remove(db: Db, id: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('identity_service_providers').where('id', '=', id).executeTakeFirst()
  return numDeletedRows === 1n
}
