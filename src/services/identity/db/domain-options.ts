import type { Db } from '../../../platform/db/database.ts'
import { flag } from './lists.ts'

/** One setting of a domain's own. */
export interface DomainOption {
  readonly group: string
  readonly option: string
  readonly value: unknown
  /** Written, never shown. */
  readonly sensitive: boolean
}

/** Those of a group, or that one option, when given. */
export async function list(db: Db, domainId: string, group?: string, option?: string): Promise<DomainOption[]> {
  let query = db.selectFrom('identity_domain_options').selectAll().where('domain_id', '=', domainId)
  if (group !== undefined) query = query.where('group_name', '=', group)
  if (option !== undefined) query = query.where('option_name', '=', option)
  const rows = await query.orderBy('group_name').orderBy('option_name').execute()
  return rows.map((row) => ({
    group: row.group_name,
    option: row.option_name,
    value: JSON.parse(row.value) as unknown,
    sensitive: row.sensitive === 1,
  }))
}

export async function put(db: Db, domainId: string, { group, option, value, sensitive }: DomainOption): Promise<void> {
  const text = JSON.stringify(value)
  await db
    .insertInto('identity_domain_options')
    .values({
      domain_id: domainId,
      group_name: group,
      option_name: option,
      value: text,
      sensitive: flag(sensitive),
    })
    .onConflict((conflict) => conflict.columns(['domain_id', 'group_name', 'option_name']).doUpdateSet({ value: text }))
    .execute()
}

/** Those of a group, or that one option, when given. */
export async function remove(db: Db, domainId: string, group?: string, option?: string): Promise<void> {
  let query = db.deleteFrom('identity_domain_options').where('domain_id', '=', domainId)
  if (group !== undefined) query = query.where('group_name', '=', group)
  if (option !== undefined) query = query.where('option_name', '=', option)
  await query.execute()
}
