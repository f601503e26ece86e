import type { Db, Trx } from '../../../platform/db/database.ts'
import * as rows from '../db/names.ts'
import type { Deps } from './deps.ts'
import { badRequest, conflict, notFound } from './refusals.ts'
import { standardClasses, standardTraits } from './standard-names.ts'

const custom = 'placement_traits'
const customClasses = 'placement_resource_classes'

export const classNotFound = (name: string) => notFound(`No such resource class ${name}.`)

/** Standard ones first. */
export async function listClasses(db: Db): Promise<string[]> {
  return [...standardClasses, ...(await rows.list(db, customClasses))]
}

/** Those of the names that no class has. */
export async function unknownClasses(db: Db, names: readonly string[]): Promise<string[]> {
  const others = names.filter((name) => !standardClasses.has(name))
  if (others.length === 0) return []
  const known = new Set(await rows.list(db, customClasses))
  return others.filter((name) => !known.has(name))
}

/** @throws CloudError `notFound` */
export async function requireClass(db: Db, name: string): Promise<void> {
  if ((await unknownClasses(db, [name])).length > 0) throw classNotFound(name)
}

/** False when it was there already. */
export async function addClass({ database, clock }: Deps, name: string): Promise<boolean> {
  return await database.write((trx) => rows.insert(trx, customClasses, name, clock.now()))
}

/** @throws CloudError `notFound`, `badRequest` for a standard class, `conflict` for a name that is taken */
export async function renameClass({ database }: Deps, from: string, to: string): Promise<void> {
  await database.write(async (trx) => {
    await requireClass(trx, from)
    if (standardClasses.has(from)) throw badRequest(`Cannot update standard resource class ${from}`)
    if (await rows.classInUse(trx, from)) {
      throw conflict(`The resource class ${from} is in use in an inventory and cannot be renamed.`)
    }
    if (from !== to && (await rows.exists(trx, customClasses, to))) {
      throw conflict(`Resource class already exists: ${to}`)
    }
    await rows.rename(trx, customClasses, from, to)
  })
}

/** @throws CloudError `notFound`, `badRequest` for a standard class, `conflict` for one in use */
export async function removeClass({ database }: Deps, name: string): Promise<void> {
  await database.write(async (trx) => {
    await requireClass(trx, name)
    const refused = 'Error in delete resource class:'
    if (standardClasses.has(name)) throw badRequest(`${refused} Cannot delete standard resource class ${name}.`)
    if (await rows.classInUse(trx, name)) {
      throw conflict(`${refused} Cannot delete resource class ${name}. Class is in use in inventory.`)
    }
    await rows.remove(trx, customClasses, name)
  })
}

export interface TraitFilter {
  names?: readonly string[]
  prefix?: string
  /** Only those that some provider has, or only the others. */
  associated?: boolean
}

/** In order. */
export async function listTraits(db: Db, { names, prefix, associated }: TraitFilter): Promise<string[]> {
  const used = associated === undefined ? null : await rows.usedTraits(db)
  return [...standardTraits, ...(await rows.list(db, custom))]
    .filter((name) => !names || names.includes(name))
    .filter((name) => prefix === undefined || name.startsWith(prefix))
    .filter((name) => used === null || used.has(name) === associated)
    .sort()
}

export async function traitExists(db: Db, name: string): Promise<boolean> {
  return standardTraits.has(name) || (await rows.exists(db, custom, name))
}

/** Those of the names that no trait has. */
export async function unknownTraits(db: Db, names: readonly string[]): Promise<string[]> {
  const others = names.filter((name) => !standardTraits.has(name))
  if (others.length === 0) return []
  const known = new Set(await rows.list(db, custom))
  return others.filter((name) => !known.has(name))
}

/** False when it was there already. */
export async function addTrait({ database, clock }: Deps, name: string): Promise<boolean> {
  return await database.write((trx) => rows.insert(trx, custom, name, clock.now()))
}

/** @throws CloudError `notFound`, `badRequest` for a standard trait, `conflict` for one in use */
export async function removeTrait({ database }: Deps, name: string): Promise<void> {
  await database.write(async (trx: Trx) => {
    if (standardTraits.has(name)) throw badRequest(`Cannot delete standard trait ${name}.`)
    if (!(await rows.exists(trx, custom, name))) throw notFound(`No such trait(s): ${name}.`)
    if (await rows.traitInUse(trx, name)) {
      throw conflict(`The trait ${name} is in use by a resource provider.`)
    }
    await rows.remove(trx, custom, name)
  })
}
