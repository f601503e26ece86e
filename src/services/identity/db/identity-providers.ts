import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { IdentityProvidersTable } from './federation-tables.ts'
import { flag, inChunks, onPage, type Page } from './lists.ts'

export interface IdentityProvider {
  readonly id: string
  readonly domainId: string
  readonly enabled: boolean
  readonly description: string | null
  readonly authorizationTtl: number | null
  readonly remoteIds: readonly string[]
}

const fromRow = (row: Selectable<IdentityProvidersTable>, remoteIds: readonly string[]): IdentityProvider => ({
  id: row.id,
  domainId: row.domain_id,
  enabled: row.enabled === 1,
  description: row.description,
  authorizationTtl: row.authorization_ttl,
  remoteIds,
})

const toRow = (idp: IdentityProvider): IdentityProvidersTable => ({
  id: idp.id,
  domain_id: idp.domainId,
  enabled: flag(idp.enabled),
  description: idp.description,
  authorization_ttl: idp.authorizationTtl,
})

async function withRemoteIds(db: Db, rows: readonly Selectable<IdentityProvidersTable>[]): Promise<IdentityProvider[]> {
  const remote = await inChunks(
    rows.map(({ id }) => id),
    (some) =>
      db.selectFrom('identity_remote_ids').selectAll().where('idp_id', 'in', some).orderBy('remote_id').execute(),
  )
  const of = Map.groupBy(remote, ({ idp_id }) => idp_id)
  return rows.map((row) =>
    fromRow(
      row,
      (of.get(row.id) ?? []).map(({ remote_id }) => remote_id),
    ),
  )
}

export async function find(db: Db, id: string): Promise<IdentityProvider | undefined> {
  const row = await db.selectFrom('identity_identity_providers').selectAll().where('id', '=', id).executeTakeFirst()
  return row && (await withRemoteIds(db, [row]))[0]
}

/** The one that goes by this name elsewhere. */
export async function findByRemoteId(db: Db, remoteId: string): Promise<IdentityProvider | undefined> {
  const row = await db
    .selectFrom('identity_remote_ids')
    .select('idp_id')
    .where('remote_id', '=', remoteId)
    .executeTakeFirst()
  return row && find(db, row.idp_id)
}

export async function list(db: Db, page: Page): Promise<IdentityProvider[]> {
  let query = db.selectFrom('identity_identity_providers').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return withRemoteIds(db, await query.execute())
}

export async function idsInDomain(db: Db, domainId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('identity_identity_providers')
    .select('id')
    .where('domain_id', '=', domainId)
    .execute()
  return rows.map(({ id }) => id)
}

/** False when there is one of this id. Its remote ids are set apart. */
export async function insert(db: Db, idp: IdentityProvider): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_identity_providers')
    .values(toRow(idp))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function update(db: Db, idp: IdentityProvider): Promise<void> {
  const { id, ...columns } = toRow(idp)
  await db.updateTable('identity_identity_providers').set(columns).where('id', '=', id).execute()
}

/** Answers one that another provider has; null when all are set. */
export async function setRemoteIds(db: Db, idpId: string, remoteIds: readonly string[]): Promise<string | null> {
  await db.deleteFrom('identity_remote_ids').where('idp_id', '=', idpId).execute()
  if (remoteIds.length === 0) return null
  const taken = await db
    .selectFrom('identity_remote_ids')
    .select('remote_id')
    .where('remote_id', 'in', remoteIds)
    .executeTakeFirst()
  if (taken) return taken.remote_id
  const rows = remoteIds.map((remote_id) => ({ remote_id, idp_id: idpId }))
  await db.insertInto('identity_remote_ids').values(rows).execute()
  return null
}

/** With its protocols, remote ids and who its users are; the users themselves stay. */
export async function remove(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_identity_providers').where('id', '=', id).execute()
}
