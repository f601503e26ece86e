import type { Db, Trx } from '../../../platform/db/database.ts'
import { newId } from '../../../platform/ids.ts'
import * as scopeRows from '../db/address-scopes.ts'
import { removeOf } from '../db/rbac.ts'
import * as poolRows from '../db/subnet-pools.ts'
import type { Accepted } from './attributes.ts'
import type { Deps } from './deps.ts'
import { conflict, invalidInput, missing } from './errors.ts'
import { setShared } from './sharing.ts'

export interface NewAddressScope {
  project_id: string
  name: string
  shared: boolean
  ip_version: 4 | 6
}
export type AddressScopeChanges = Partial<Pick<NewAddressScope, 'name' | 'shared'>>

export const addressScopeNotFound = (id: string) =>
  missing('AddressScopeNotFound', `Address scope ${id} could not be found`)

export async function create(
  deps: Deps,
  items: readonly Accepted<NewAddressScope>[],
): Promise<scopeRows.AddressScopeRow[]> {
  return await deps.database.write(async (trx) => {
    const made: scopeRows.AddressScopeRow[] = []
    for (const { values } of items) {
      const { project_id, name, ip_version, shared } = values
      const now = deps.clock.now()
      const times = { created_at: now, updated_at: now, revision_number: 0 }
      const row = { id: newId(), project_id, name, description: '', ip_version, ...times }
      await scopeRows.insert(trx, row)
      if (shared) await setShared(trx, 'address_scope', row, true)
      made.push(row)
    }
    return made
  })
}

export async function update(deps: Deps, id: string, changes: AddressScopeChanges): Promise<scopeRows.AddressScopeRow> {
  return await deps.database.write(async (trx) => {
    const before = await get(trx, id)
    if (changes.shared === false) throw invalidInput('Shared address scope can not be unshared')
    if (changes.shared) await setShared(trx, 'address_scope', before, true)
    await scopeRows.update(trx, id, {
      ...(changes.name !== undefined && { name: changes.name }),
      updated_at: deps.clock.now(),
    })
    return await get(trx, id)
  })
}

/** @throws CloudError `conflict` (AddressScopeInUse) */
export async function remove(deps: Deps, id: string): Promise<void> {
  await deps.database.write(async (trx) => {
    await get(trx, id)
    if ((await poolRows.ofScope(trx, id)).length > 0) {
      throw conflict(
        'AddressScopeInUse',
        `Unable to complete operation on address scope ${id}. There are one or more subnet pools in use on the address scope`,
      )
    }
    await removeOf(trx, id)
    await scopeRows.remove(trx, id)
  })
}

/** @throws CloudError `notFound` */
export async function get(db: Db | Trx, id: string): Promise<scopeRows.AddressScopeRow> {
  const row = await scopeRows.find(db, id)
  if (!row) throw addressScopeNotFound(id)
  return row
}
