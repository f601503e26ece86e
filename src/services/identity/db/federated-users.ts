import type { Db } from '../../../platform/db/database.ts'

/** Somebody as their identity provider knows them. */
export interface Federated {
  readonly idpId: string
  readonly protocolId: string
  readonly uniqueId: string
}

/** Who they are here. */
export async function userIdOf(db: Db, { idpId, protocolId, uniqueId }: Federated): Promise<string | undefined> {
  const row = await db
    .selectFrom('identity_federated_users')
    .select('user_id')
    .where('idp_id', '=', idpId)
    .where('protocol_id', '=', protocolId)
    .where('unique_id', '=', uniqueId)
    .executeTakeFirst()
  return row?.user_id
}

export async function insert(db: Db, { idpId, protocolId, uniqueId }: Federated, userId: string): Promise<void> {
  await db
    .insertInto('identity_federated_users')
    .values({ idp_id: idpId, protocol_id: protocolId, unique_id: uniqueId, user_id: userId })
    .execute()
}

export interface Expiring {
  readonly groupId: string
  readonly userId: string
  readonly expiresAtMs: number
}

/** A membership that is there already for good stays so. */
export async function joinUntil(db: Db, { groupId, userId, expiresAtMs }: Expiring): Promise<void> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('identity_memberships')
    .values({ group_id: groupId, user_id: userId })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  const row = { group_id: groupId, user_id: userId, expires_at_ms: expiresAtMs }
  if (numInsertedOrUpdatedRows === 1n)
    await db
      .insertInto('identity_expiring_memberships')
      .values(row)
      .onConflict((conflict) => conflict.columns(['group_id', 'user_id']).doUpdateSet({ expires_at_ms: expiresAtMs }))
      .execute()
  else
    await db
      .updateTable('identity_expiring_memberships')
      .set({ expires_at_ms: expiresAtMs })
      .where('group_id', '=', groupId)
      .where('user_id', '=', userId)
      .execute()
}

/** Memberships that ended by then. */
export async function listEnded(db: Db, byMs: number, limit: number): Promise<Expiring[]> {
  const rows = await db
    .selectFrom('identity_expiring_memberships')
    .selectAll()
    .where('expires_at_ms', '<=', byMs)
    .orderBy('expires_at_ms')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ groupId: row.group_id, userId: row.user_id, expiresAtMs: row.expires_at_ms }))
}

/** The membership lasts, or is gone: no end is noted any more. */
export async function forgetEnd(db: Db, groupId: string, userId: string): Promise<void> {
  await db
    .deleteFrom('identity_expiring_memberships')
    .where('group_id', '=', groupId)
    .where('user_id', '=', userId)
    .execute()
}
