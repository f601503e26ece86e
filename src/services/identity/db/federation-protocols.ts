import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { FederationProtocolsTable } from './federation-tables.ts'

export interface Protocol {
  readonly idpId: string
  readonly id: string
  readonly mappingId: string
  /** The attribute of an assertion in which the identity provider names itself. */
  readonly remoteIdAttribute: string | null
}

const fromRow = (row: Selectable<FederationProtocolsTable>): Protocol => ({
  idpId: row.idp_id,
  id: row.id,
  mappingId: row.mapping_id,
  remoteIdAttribute: row.remote_id_attribute,
})

const toRow = (protocol: Protocol): FederationProtocolsTable => ({
  idp_id: protocol.idpId,
  id: protocol.id,
  mapping_id: protocol.mappingId,
  remote_id_attribute: protocol.remoteIdAttribute,
})

export async function find(db: Db, idpId: string, id: string): Promise<Protocol | undefined> {
  const row = await db
    .selectFrom('identity_federation_protocols')
    .selectAll()
    .where('idp_id', '=', idpId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function listOf(db: Db, idpId: string): Promise<Protocol[]> {
  const rows = await db
    .selectFrom('identity_federation_protocols')
    .selectAll()
    .where('idp_id', '=', idpId)
    .orderBy('id')
    .execute()
  return rows.map(fromRow)
}

/** False when the provider has one of this id. */
export async function insert(db: Db, protocol: Protocol): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_federation_protocols')
    .values(toRow(protocol))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function update(db: Db, { idpId, id, ...protocol }: Protocol): Promise<void> {
  await db
    .updateTable('identity_federation_protocols')
    .set({ mapping_id: protocol.mappingId, remote_id_attribute: protocol.remoteIdAttribute })
    .where('idp_id', '=', idpId)
    .where('id', '=', id)
    .execute()
}

export async function remove(db: Db, idpId: string, id: string): Promise<void> {
  await db.deleteFrom('identity_federation_protocols').where('idp_id', '=', idpId).where('id', '=', id).execute()
}
