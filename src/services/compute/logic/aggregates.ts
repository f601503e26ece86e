import type { Db, Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import { newId } from '../../../platform/ids.ts'
import * as rows from '../db/aggregates.ts'
import * as serverRows from '../db/servers.ts'
import * as serviceRows from '../db/services.ts'
import type { Deps } from './deps.ts'
import { defaultZone } from './scheduler.ts'

type Aggregate = rows.Aggregate

/** @throws CloudError `notFound` */
export async function get(db: Db, id: number): Promise<Aggregate> {
  const found = (await rows.list(db)).find((aggregate) => aggregate.id === id)
  if (!found) throw new CloudError('notFound', `Aggregate ${id} could not be found.`)
  return found
}

export async function create({ ground }: Deps, name: string, zone: string | null): Promise<Aggregate> {
  return await ground.database.write(async (trx) => {
    await refuseName(trx, name, null)
    refuseDefault(zone, 'create aggregate', name)
    const metadata: Record<string, string> = zone ? { availability_zone: zone } : {}
    const id = await rows.insert(trx, { uuid: newId(), name, metadata, createdAt: ground.clock.now() })
    return await get(trx, id)
  })
}

/** A null zone takes the aggregate out of its zone. */
export async function update(
  { ground }: Deps,
  id: number,
  wanted: { name?: string; zone?: string | null },
): Promise<Aggregate> {
  return await ground.database.write(async (trx) => {
    const before = await get(trx, id)
    if (wanted.name !== undefined) await refuseName(trx, wanted.name, id)
    const metadata = wanted.zone === undefined ? before.metadata : merged(before, { availability_zone: wanted.zone })
    await refuseMove(trx, before, metadata, 'update aggregate')
    await rows.update(trx, id, {
      ...(wanted.name === undefined ? {} : { name: wanted.name }),
      ...{ metadata, updatedAt: ground.clock.now() },
    })
    return await get(trx, id)
  })
}

/** A null takes the entry away. */
export async function setMetadata(
  { ground }: Deps,
  id: number,
  wanted: Readonly<Record<string, string | null>>,
): Promise<Aggregate> {
  return await ground.database.write(async (trx) => {
    const before = await get(trx, id)
    const metadata = merged(before, wanted)
    await refuseMove(trx, before, metadata, 'update aggregate metadata')
    await rows.update(trx, id, { metadata, updatedAt: ground.clock.now() })
    return await get(trx, id)
  })
}

export async function remove({ ground }: Deps, id: number): Promise<void> {
  await ground.database.write(async (trx) => {
    const { hosts } = await get(trx, id)
    if (hosts.length > 0) throw invalid('delete aggregate', id, 'Host aggregate is not empty')
    await rows.remove(trx, id, ground.clock.now())
  })
}

export async function addHost({ ground, placement }: Deps, id: number, host: string): Promise<Aggregate> {
  return await ground.database.write(async (trx) => {
    await requireHost(trx, host)
    const before = await get(trx, id)
    if (before.hosts.includes(host)) {
      throw new CloudError('conflict', `Aggregate ${id} already has host ${host}.`)
    }
    const zone = before.metadata.availability_zone
    const zoneNow = (await rows.zones(trx)).get(host)
    if (zone && zoneNow && zoneNow !== zone) {
      const why = `Host already in availability zone "${zoneNow}"`
      throw new CloudError('conflict', `Cannot add host to aggregate ${id}. Reason: ${why}.`)
    }
    await rows.addHost(trx, id, host)
    await placement.setAggregate(trx, host, before.uuid, true)
    await rows.update(trx, id, { updatedAt: ground.clock.now() })
    return await get(trx, id)
  })
}

export async function removeHost({ ground, placement }: Deps, id: number, host: string): Promise<Aggregate> {
  return await ground.database.write(async (trx) => {
    const missing = new CloudError('notFound', `Cannot remove host ${host} in aggregate ${id}`)
    const before = (await rows.list(trx)).find((aggregate) => aggregate.id === id)
    if (!before?.hosts.includes(host)) throw missing
    await rows.removeHost(trx, id, host)
    await placement.setAggregate(trx, host, before.uuid, false)
    await rows.update(trx, id, { updatedAt: ground.clock.now() })
    return await get(trx, id)
  })
}

function merged({ metadata }: Aggregate, wanted: Readonly<Record<string, string | null>>): Record<string, string> {
  const all = Object.entries<string | null>({ ...metadata, ...wanted })
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null))
}

const invalid = (action: string, id: number | string, why: string) =>
  new CloudError('badRequest', `Cannot ${action} ${id}. Reason: ${why}.`)

async function refuseName(trx: Trx, name: string, own: number | null): Promise<void> {
  const other = (await rows.list(trx)).find((aggregate) => aggregate.name === name && aggregate.id !== own)
  if (other) throw new CloudError('conflict', `Aggregate ${name} already exists.`)
}

/** To say `nova` would move hosts out of the default zone into one of the same name. */
function refuseDefault(zone: string | null | undefined, action: string, id: number | string): void {
  if (zone === defaultZone) throw invalid(action, id, `${defaultZone} is the zone of hosts that are in no other`)
}

/** A server stays in the zone it was made in. */
async function refuseMove(trx: Trx, before: Aggregate, after: Aggregate['metadata'], action: string): Promise<void> {
  const zone = after.availability_zone
  if (zone === before.metadata.availability_zone) return
  refuseDefault(zone, action, before.id)
  for (const other of await rows.list(trx)) {
    const theirs = other.metadata.availability_zone
    const host = other.id === before.id ? undefined : other.hosts.find((name) => before.hosts.includes(name))
    if (zone && host && theirs && theirs !== zone) {
      throw invalid(action, before.id, `Host ${host} is already in availability zone "${theirs}"`)
    }
  }
  const used = await serverRows.namesByHost(trx, before.hosts)
  if (used.size > 0) throw invalid(action, before.id, 'One or more hosts contain instances in this zone')
}

async function requireHost(db: Db, host: string): Promise<void> {
  if (await serviceRows.findByHost(db, host)) return
  throw new CloudError('notFound', `Compute host ${host} could not be found.`)
}
