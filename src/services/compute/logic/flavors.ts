import { CloudError, NotFound } from '../../../platform/errors.ts'
import { newId } from '../../../platform/ids.ts'
import * as flavorRows from '../db/flavors.ts'
import type { Deps } from './deps.ts'

type Flavor = flavorRows.Flavor

/** Sees private flavors too: for what only administrators may do. */
const everyone = { isAdmin: true, projectId: null }

/** @throws CloudError `conflict` when the name or the id is taken */
export async function create(
  { ground: { database, clock } }: Deps,
  wanted: Omit<Flavor, 'id' | 'createdAt' | 'extraSpecs'> & { id: string | null },
): Promise<Flavor> {
  const flavor = { ...wanted, id: wanted.id ?? newId(), createdAt: clock.now() }
  return await database.write(async (trx) => {
    if (await flavorRows.find(trx, flavor.id, everyone)) {
      throw new CloudError('conflict', `Flavor with ID ${flavor.id} already exists.`)
    }
    if (!(await flavorRows.insert(trx, flavor))) {
      throw new CloudError('conflict', `Flavor with name ${flavor.name} already exists.`)
    }
    return { ...flavor, extraSpecs: {} }
  })
}

/** The description is all that may change: servers were made after the rest. @throws NotFound */
export async function describe(
  { ground: { database, clock } }: Deps,
  id: string,
  description: string | null,
): Promise<Flavor> {
  return await database.write(async (trx) => {
    await flavorRows.get(trx, id, everyone)
    await flavorRows.setDescription(trx, id, description, clock.now())
    return await flavorRows.get(trx, id, everyone)
  })
}

/** Servers keep their copy. @throws NotFound */
export async function remove({ ground: { database } }: Deps, id: string): Promise<void> {
  await database.write(async (trx) => {
    if (!(await flavorRows.remove(trx, id))) throw new NotFound('Flavor', id)
  })
}

/** Adds extra specs, and replaces those there are. @throws NotFound */
export async function putSpecs(
  { ground: { database } }: Deps,
  id: string,
  specs: Readonly<Record<string, string>>,
): Promise<void> {
  await database.write(async (trx) => {
    await flavorRows.get(trx, id, everyone)
    await flavorRows.putSpecs(trx, id, specs)
  })
}

export const noSpec = (id: string, key: string): CloudError =>
  new CloudError('notFound', `Flavor ${id} has no extra specs with key ${key}.`)

/** @throws NotFound */
export async function removeSpec({ ground: { database } }: Deps, id: string, key: string): Promise<void> {
  await database.write(async (trx) => {
    await flavorRows.get(trx, id, everyone)
    if (!(await flavorRows.removeSpec(trx, id, key))) throw noSpec(id, key)
  })
}

/** The projects that have a private flavor. @throws CloudError `notFound` for a public one, which all have */
export async function accessOf({ ground: { database } }: Deps, id: string): Promise<string[]> {
  const flavor = await flavorRows.get(database.read, id, everyone)
  if (flavor.isPublic) throw new CloudError('notFound', 'Access list not available for public flavors.')
  return await flavorRows.access(database.read, id)
}

/** `publicRefused`: microversion 2.7 and newer tell that giving a public flavor means nothing. */
export async function giveAccess(deps: Deps, id: string, projectId: string, publicRefused: boolean): Promise<string[]> {
  const { database } = deps.ground
  return await database.write(async (trx) => {
    await checkProject(deps, trx, projectId)
    const flavor = await flavorRows.get(trx, id, everyone)
    if (flavor.isPublic && publicRefused) throw new CloudError('conflict', 'Can not add access to a public flavor.')
    if (!(await flavorRows.addAccess(trx, id, projectId))) {
      const text = `Flavor access already exists for flavor ${id} and project ${projectId} combination.`
      throw new CloudError('conflict', text)
    }
    return await flavorRows.access(trx, id)
  })
}

export async function takeAccess(deps: Deps, id: string, projectId: string): Promise<string[]> {
  const { database } = deps.ground
  return await database.write(async (trx) => {
    await checkProject(deps, trx, projectId)
    await flavorRows.get(trx, id, everyone)
    if (!(await flavorRows.removeAccess(trx, id, projectId))) {
      throw new CloudError('notFound', `Flavor access not found for ${id} / ${projectId} combination.`)
    }
    return await flavorRows.access(trx, id)
  })
}

type AnyDb = Parameters<Deps['identity']['projects']['exists']>[0]

/** @throws CloudError `badRequest` */
export async function checkProject({ identity }: Deps, db: AnyDb, projectId: string): Promise<void> {
  if (await identity.projects.exists(db, projectId)) return
  throw new CloudError('badRequest', `Project ID ${projectId} is not a valid project.`)
}
