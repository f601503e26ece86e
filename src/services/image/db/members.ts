import type { Db, Trx } from '../../../platform/db/database.ts'
import type { MemberStatus } from './tables.ts'

export interface Member {
  imageId: string
  memberId: string
  status: MemberStatus
  createdAt: string
  updatedAt: string
}

export async function list(db: Db, imageId: string): Promise<Member[]> {
  const rows = await db
    .selectFrom('image_members')
    .selectAll()
    .where('image_id', '=', imageId)
    .orderBy('created_at')
    .orderBy('member_id')
    .execute()
  return rows.map((row) => ({
    imageId: row.image_id,
    memberId: row.member_id,
    status: row.status,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }))
}

/** false when the project is a member already. */
export async function insert(trx: Trx, member: Member): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('image_members')
    .values({
      image_id: member.imageId,
      member_id: member.memberId,
      status: member.status,
      created_at: member.createdAt,
      updated_at: member.updatedAt,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

export async function setStatus(trx: Trx, member: Member): Promise<void> {
  await trx
    .updateTable('image_members')
    .set({ status: member.status, updated_at: member.updatedAt })
    .where('image_id', '=', member.imageId)
    .where('member_id', '=', member.memberId)
    .execute()
}

export async function remove(trx: Trx, imageId: string, memberId: string): Promise<void> {
  await trx.deleteFrom('image_members').where('image_id', '=', imageId).where('member_id', '=', memberId).execute()
}
