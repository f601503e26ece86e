import { sql } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'

/** The tables whose rows may carry tags. */
export type TaggedTable =
  | 'network_networks'
  | 'network_subnets'
  | 'network_ports'
  | 'network_routers'
  | 'network_floating_ips'
  | 'network_security_groups'
  | 'network_subnet_pools'
  | 'network_qos_policies'

export const tagsOf = (row: { tags: string }): string[] => row.tags.split('\n').filter((tag) => tag !== '')

/** As the column has them; a tag given twice is one. */
export const tagsText = (tags: readonly string[]): string =>
  tags.length === 0 ? '' : `\n${[...new Set(tags)].join('\n')}\n`

export async function read(db: Db, table: TaggedTable, id: string): Promise<string[]> {
  const row = await db.selectFrom(table).select('tags').where('id', '=', id).executeTakeFirst()
  return row ? tagsOf(row) : []
}

export async function write(trx: Trx, table: TaggedTable, id: string, tags: readonly string[]): Promise<void> {
  await trx
    .updateTable(table)
    .set({ tags: tagsText(tags), revision_number: sql<number>`revision_number + 1` })
    .where('id', '=', id)
    .execute()
}
