import type { Database, Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import * as catalogRows from '../db/catalog.ts'
import * as limitRows from '../db/limits.ts'
import * as projectRows from '../db/projects.ts'
import { badRequest, conflict, forbidden } from './refusals.ts'

/** How limits of projects and domains relate: not at all. Source: Identity API reference, "Unified Limits". */
export const model = {
  name: 'flat',
  description: 'Limit enforcement and validation does not take project hierarchy into consideration.',
} as const

export type Wanted = Omit<limitRows.Limit, 'registeredLimitId'>

const absent = (attribute: string, target: string) =>
  badRequest(
    `Expecting to find valid ${attribute} in ${target}. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.`,
  )

async function checkPlace(db: Db, of: { serviceId: string; regionId: string | null }, target: string): Promise<void> {
  if (!(await catalogRows.findService(db, of.serviceId))) throw absent('service_id', target)
  if (of.regionId !== null && !(await catalogRows.findRegion(db, of.regionId))) throw absent('region_id', target)
}

const duplicate = (noun: string) => conflict(noun, 'Duplicate entry')

const inUse = (id: string) =>
  forbidden(`Unable to update or delete registered limit ${id} because there are project limits associated with it.`)

/** @throws CloudError kind `notFound` */
export async function getRegistered(db: Db, id: string): Promise<limitRows.RegisteredLimit> {
  const limit = await limitRows.findRegistered(db, id)
  if (!limit) throw new CloudError('notFound', `Could not find registered limit for ${id}.`)
  return limit
}

/** @throws CloudError kind `notFound` */
export async function get(db: Db, id: string): Promise<limitRows.Limit> {
  const limit = await limitRows.find(db, id)
  if (!limit) throw new CloudError('notFound', `Could not find limit for ${id}.`)
  return limit
}

/** All of them, or none. */
export async function register({ write }: Database, wanted: readonly limitRows.RegisteredLimit[]): Promise<void> {
  await write(async (trx) => {
    for (const limit of wanted) {
      await checkPlace(trx, limit, 'registered_limit')
      if (!(await limitRows.insertRegistered(trx, limit))) throw duplicate('registered_limit')
    }
  })
}

/** Refused while projects or domains have limits of their own for it, as upstream does. */
export async function updateRegistered(
  { write }: Database,
  id: string,
  change: Partial<Omit<limitRows.RegisteredLimit, 'id'>>,
): Promise<limitRows.RegisteredLimit> {
  return write(async (trx) => {
    const now = { ...(await getRegistered(trx, id)), ...change }
    if (await limitRows.isUsed(trx, id)) throw inUse(id)
    await checkPlace(trx, now, 'registered_limit')
    const other = await limitRows.findRegisteredFor(trx, now)
    if (other && other.id !== id) throw duplicate('registered_limit')
    await limitRows.updateRegistered(trx, now)
    return now
  })
}

export async function removeRegistered({ write }: Database, id: string): Promise<void> {
  await write(async (trx) => {
    await getRegistered(trx, id)
    if (await limitRows.isUsed(trx, id)) throw inUse(id)
    await limitRows.removeRegistered(trx, id)
  })
}

/** All of them, or none. @throws CloudError kind `forbidden` for a resource that has no registered limit. */
export async function create({ write }: Database, wanted: readonly Wanted[]): Promise<limitRows.Limit[]> {
  return write(async (trx) => {
    const made: limitRows.Limit[] = []
    for (const each of wanted) {
      await checkPlace(trx, each, 'limit')
      const holder = await holderOf(trx, each)
      const registered = await limitRows.findRegisteredFor(trx, each)
      if (!registered) throw forbidden('Unable to create a limit that has no corresponding registered limit.')
      const limit = { ...each, ...holder, registeredLimitId: registered.id }
      if (!(await limitRows.insert(trx, limit))) throw duplicate('limit')
      made.push(limit)
    }
    return made
  })
}

/** A limit of a project that acts as a domain is the domain's. */
async function holderOf(db: Db, { projectId, domainId }: Wanted) {
  if (projectId !== null) {
    const project = await projectRows.find(db, projectId)
    if (!project) throw absent('project_id', 'limit')
    return project.isDomain ? { projectId: null, domainId: projectId } : { projectId, domainId: null }
  }
  if (domainId === null || !(await projectRows.find(db, domainId))?.isDomain) throw absent('domain_id', 'limit')
  return { projectId: null, domainId }
}

export async function update(
  { write }: Database,
  id: string,
  change: Partial<Pick<limitRows.Limit, 'resourceLimit' | 'description'>>,
): Promise<limitRows.Limit> {
  return write(async (trx) => {
    const now = { ...(await get(trx, id)), ...change }
    await limitRows.update(trx, now)
    return now
  })
}

export async function remove({ write }: Database, id: string): Promise<void> {
  await write(async (trx) => {
    await get(trx, id)
    await limitRows.remove(trx, id)
  })
}
