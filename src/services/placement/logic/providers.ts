import type { Db, Trx } from '../../../platform/db/database.ts'
import * as consumerRows from '../db/consumers.ts'
import * as rows from '../db/providers.ts'
import type { Deps } from './deps.ts'
import { badRequest, codes, conflict, notFound } from './refusals.ts'

export type Provider = rows.ProviderRow

/** @throws CloudError `notFound` */
export async function get(db: Db, id: string): Promise<Provider> {
  const row = await rows.find(db, id)
  if (!row) throw notFound(`No resource provider with uuid ${id} found`)
  return row
}

/** @throws CloudError `conflict`, as every change does that was made on an older view of the provider */
export function checkGeneration(provider: Provider, generation: number): void {
  if (provider.generation !== generation)
    throw conflict('resource provider generation conflict', codes.concurrentUpdate)
}

export async function create(
  { database, clock }: Deps,
  wanted: { id: string; name: string; parentId: string | null },
): Promise<Provider> {
  return await database.write(async (trx) => {
    const { id, name, parentId } = wanted
    const refused = `Unable to create resource provider "${name}", ${id}: Object action create failed because:`
    if (parentId === id) {
      throw badRequest(
        `${refused} parent provider UUID cannot be same as UUID. ` +
          'Please set parent provider UUID to None if there is no parent.',
      )
    }
    const parent = parentId === null ? null : await rows.find(trx, parentId)
    if (parent === undefined) throw badRequest(`${refused} parent provider UUID does not exist.`)
    const taken = (await rows.find(trx, id))
      ? `uuid: ${id}`
      : (await rows.findNamed(trx, name))
        ? `name: ${name}`
        : null
    if (taken) throw conflict(`Conflicting resource provider ${taken} already exists.`, codes.duplicateName)
    const at = clock.now()
    const row = {
      ...{ id, name, generation: 0, parent_id: parentId, root_id: parent?.root_id ?? id },
      ...{ created_at: at, updated_at: at },
    }
    await rows.insert(trx, row)
    return row
  })
}

/** `parentId` undefined: as it is. Moving within or out of a tree is for clients of 1.37 and later. */
export async function update(
  { database, clock }: Deps,
  id: string,
  wanted: { name: string; parentId: string | null | undefined; mayMove: boolean },
): Promise<Provider> {
  return await database.write(async (trx) => {
    const before = await get(trx, id)
    const other = await rows.findNamed(trx, wanted.name)
    if (other && other.id !== id) {
      throw conflict(`Conflicting resource provider ${wanted.name} already exists.`, codes.duplicateName)
    }
    if (wanted.parentId !== undefined) await move(trx, before, wanted.parentId, wanted.mayMove)
    await rows.update(trx, id, { name: wanted.name, updated_at: clock.now() })
    return await get(trx, id)
  })
}

async function move(trx: Trx, before: Provider, parentId: string | null, mayMove: boolean): Promise<void> {
  if (parentId === before.parent_id) return
  const refused = (action: string, why: string) =>
    badRequest(`Unable to save resource provider ${before.id}: Object action ${action} failed because: ${why}`)
  const parent = parentId === null ? null : await rows.find(trx, parentId)
  if (parent === undefined) throw refused('create', 'parent provider UUID does not exist.')
  if (before.parent_id !== null && !mayMove) {
    throw refused('update', `${parent ? 're-parenting' : 'un-parenting'} a provider is not currently allowed.`)
  }
  const subtree = subtreeOf(await rows.list(trx), before.id)
  if (parentId !== null && subtree.has(parentId)) {
    throw refused('update', 'creating loop in the provider tree is not allowed.')
  }
  await rows.update(trx, before.id, { parent_id: parentId })
  await rows.setRoot(trx, [...subtree], parent?.root_id ?? before.id)
}

/** A provider and all below it. */
export function subtreeOf(all: readonly Pick<Provider, 'id' | 'parent_id'>[], id: string): Set<string> {
  const children = Map.groupBy(all, (provider) => provider.parent_id)
  const found = new Set([id])
  for (const each of found) for (const child of children.get(each) ?? []) found.add(child.id)
  return found
}

/** @throws CloudError `notFound`, or `conflict` while it has children or allocations */
export async function remove({ database }: Deps, id: string): Promise<void> {
  await database.write(async (trx) => {
    if (!(await rows.find(trx, id))) throw notFound(`No resource provider with uuid ${id} found for delete`)
    if (await rows.hasChildren(trx, id)) {
      const why = 'It has child resource providers.'
      throw conflict(`Unable to delete parent resource provider ${id}: ${why}`, codes.cannotDeleteParent)
    }
    if (await consumerRows.isHeld(trx, id)) {
      const why = 'Resource provider has allocations.'
      throw conflict(`Unable to delete resource provider ${id}: ${why}`, codes.providerInUse)
    }
    await rows.remove(trx, id)
  })
}
