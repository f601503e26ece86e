import type { Selectable } from 'kysely'
import type { Db } from '../../../platform/db/database.ts'
import type { PoliciesTable } from './extension-tables.ts'
import { objectOf, onPage, type Page } from './lists.ts'

export interface PolicyDocument {
  readonly id: string
  readonly type: string
  readonly blob: string
  readonly extra: Readonly<Record<string, unknown>>
}

/** Where a policy applies: an endpoint, a service, or a service in a region. */
export interface Place {
  readonly endpointId?: string
  readonly serviceId?: string
  readonly regionId?: string
}

const keyOf = ({ endpointId, serviceId, regionId }: Place): string =>
  endpointId === undefined
    ? `service:${serviceId}${regionId === undefined ? '' : `/region:${regionId}`}`
    : `endpoint:${endpointId}`

const fromRow = (row: Selectable<PoliciesTable>): PolicyDocument => ({ ...row, extra: objectOf(row.extra) })

export async function find(db: Db, id: string): Promise<PolicyDocument | undefined> {
  const row = await db.selectFrom('identity_policies').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

export async function list(db: Db, page: Page): Promise<PolicyDocument[]> {
  let query = db.selectFrom('identity_policies').selectAll().where(onPage(page)).orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return (await query.execute()).map(fromRow)
}

export async function insert(db: Db, policy: PolicyDocument): Promise<void> {
  await db
    .insertInto('identity_policies')
    .values({ ...policy, extra: JSON.stringify(policy.extra) })
    .execute()
}

export async function update(db: Db, { id, ...policy }: PolicyDocument): Promise<void> {
  await db
    .updateTable('identity_policies')
    .set({ ...policy, extra: JSON.stringify(policy.extra) })
    .where('id', '=', id)
    .execute()
}

/** With its associations. */
export async function remove(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_policies').where('id', '=', id).execute()
}

/** A place has one policy: an earlier one gives way. */
export async function associate(db: Db, policyId: string, place: Place): Promise<void> {
  await db
    .insertInto('identity_policy_associations')
    .values({
      place: keyOf(place),
      policy_id: policyId,
      endpoint_id: place.endpointId ?? null,
      service_id: place.serviceId ?? null,
      region_id: place.regionId ?? null,
    })
    .onConflict((conflict) => conflict.column('place').doUpdateSet({ policy_id: policyId }))
    .execute()
}

/** False when it was not associated. */
export async function dissociate(db: Db, policyId: string, place: Place): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('identity_policy_associations')
    .where('place', '=', keyOf(place))
    .where('policy_id', '=', policyId)
    .executeTakeFirst()
  return numDeletedRows === 1n
}

/** The policy that a place has of its own. */
export async function policyIdAt(db: Db, place: Place): Promise<string | undefined> {
  const row = await db
    .selectFrom('identity_policy_associations')
    .select('policy_id')
    .where('place', '=', keyOf(place))
    .executeTakeFirst()
  return row?.policy_id
}

export async function placesOf(db: Db, policyId: string): Promise<Place[]> {
  const rows = await db
    .selectFrom('identity_policy_associations')
    .selectAll()
    .where('policy_id', '=', policyId)
    .orderBy('place')
    .execute()
  return rows.map((row) => ({
    ...(row.endpoint_id === null ? {} : { endpointId: row.endpoint_id }),
    ...(row.service_id === null ? {} : { serviceId: row.service_id }),
    ...(row.region_id === null ? {} : { regionId: row.region_id }),
  }))
}
