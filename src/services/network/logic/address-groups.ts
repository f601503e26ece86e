import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as groupRows from '../db/address-groups.ts'
import { removeOf } from '../db/rbac.ts'
import type { Accepted } from './attributes.ts'
import { type Deps, loops } from './deps.ts'
import { conflict, missing } from './errors.ts'
import { changed } from './security-groups.ts'

export interface NewAddressGroup {
  project_id: string
  name: string
  description: string
  addresses: string[]
}
export type AddressGroupChanges = Partial<Pick<NewAddressGroup, 'name' | 'description'>>

export const addressGroupNotFound = (id: string) =>
  missing('AddressGroupNotFound', `Address group ${id} could not be found`)

export async function create(
  deps: Deps,
  items: readonly Accepted<NewAddressGroup>[],
): Promise<groupRows.AddressGroupRow[]> {
  return await deps.database.write(async (trx) => {
    const made: groupRows.AddressGroupRow[] = []
    for (const { values } of items) {
      const { addresses, ...rest } = values
      const now = deps.clock.now()
      const times = { created_at: now, updated_at: now, revision_number: 0 }
      const row = { id: newId(), ...rest, addresses: JSON.stringify([...new Set(addresses)]), ...times }
      await groupRows.insert(trx, row)
      made.push(row)
    }
    return made
  })
}

export async function update(deps: Deps, id: string, changes: AddressGroupChanges): Promise<groupRows.AddressGroupRow> {
  return await deps.database.write(async (trx) => {
    await get(trx, id)
    await groupRows.update(trx, id, { ...changes, updated_at: deps.clock.now() })
    return await get(trx, id)
  })
}

/** Adds to the addresses or takes some away; rules that name the group follow. @throws CloudError */
export async function changeAddresses(
  deps: Deps,
  id: string,
  change: (old: readonly string[]) => string[],
): Promise<groupRows.AddressGroupRow> {
  const row = await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    const addresses = change(JSON.parse(before.addresses) as string[])
    await groupRows.update(trx, id, { addresses: JSON.stringify(addresses), updated_at: deps.clock.now() })
    await changed(
      trx,
      (await groupRows.usersOf(trx, id)).map((user) => user.group_id),
    )
    return await get(trx, id)
  })
  deps.nudge(loops.groups)
  return row
}

export const withAddresses = (old: readonly string[], more: readonly string[]): string[] => [
  ...new Set([...old, ...more]),
]

/** @throws CloudError `notFound` (AddressesNotFound) for those that are not there */
export function withoutAddresses(id: string, old: readonly string[], less: readonly string[]): string[] {
  const absent = less.filter((address) => !old.includes(address))
  if (absent.length > 0) {
    throw missing('AddressesNotFound', `Addresses ${absent.join(', ')} not found in the address group ${id}.`)
  }
  return old.filter((address) => !less.includes(address))
}

/** @throws CloudError `conflict` (AddressGroupInUse) while a rule names it */
export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    await get(trx, id)
    if ((await groupRows.usersOf(trx, id)).length > 0) {
      throw conflict('AddressGroupInUse', `Address group ${id} is in use on one or more security group rules`)
    }
    await removeOf(trx, id)
    await groupRows.remove(trx, id)
  })
}

/** @throws CloudError `notFound` */
export async function get(db: Db | Trx, id: string): Promise<groupRows.AddressGroupRow> {
  const row = await groupRows.find(db, id)
  if (!row) throw addressGroupNotFound(id)
  return row
}
