import type { Trx } from '../../../platform/db/database.ts'
import * as allocations from '../db/allocations.ts'
import * as providerRows from '../db/providers.ts'
import type { HostRoom, View } from './view.ts'

export type Resources = ReadonlyMap<string, number>

/** Why a host could not take one consumer more: `MEMORY_MB: wanted 65536, free 3120 of 24000`. */
export interface Refusal {
  host: string
  resourceClass: string
  wanted: number
  free: number
  capacity: number
}

export interface Owner {
  projectId: string
  userId: string
}

export interface Claim extends Owner {
  /** Consumers to place, in order: each takes `resources` on one host. */
  consumerIds: readonly string[]
  resources: Resources
  /** Hosts that may be chosen. */
  candidates: readonly string[]
  at: string
}

export interface Claimed {
  /** Consumer → host, for those that found room, always the first ones of the list. */
  placed: Map<string, string>
  /** Set when some found none: every candidate with what it lacked at the end. */
  refusals: Refusal[]
}

/**
 * Claims room for one consumer on one host in the caller's transaction; false when it has not the room, whatever the
 * view said, which is read anew then.
 */
export async function takeOn(
  view: View,
  trx: Trx,
  host: HostRoom,
  consumer: Owner & { id: string; resources: Resources; at: string },
): Promise<boolean> {
  if (!(await allocations.take(trx, host.id, consumer.resources))) {
    await view.refresh(trx)
    return false
  }
  const rows = [...consumer.resources].filter(([, amount]) => amount > 0)
  for (const [resourceClass, amount] of rows) view.shift(host.id, resourceClass, amount)
  await allocations.insert(
    trx,
    rows.map(([resource_class, used]) => ({
      consumer_id: consumer.id,
      provider_id: host.id,
      ...{ resource_class, used },
      project_id: consumer.projectId,
      user_id: consumer.userId,
      created_at: consumer.at,
      ...{ consumer_generation: 1, consumer_type: 'INSTANCE' },
    })),
  )
  await providerRows.bump(trx, [host.id], consumer.at)
  return true
}

/** Claims room for several consumers, each on the host with most memory left, so that they spread. */
export async function claim(view: View, trx: Trx, wanted: Claim): Promise<Claimed> {
  const placed = new Map<string, string>()
  const { resources, candidates } = wanted
  let fresh = false
  const hostsOf = async () => {
    const all = await view.hosts(trx)
    return candidates.flatMap((name) => all.get(name) ?? [])
  }
  for (const id of wanted.consumerIds) {
    for (;;) {
      const best = (await hostsOf())
        .filter((host) => lacks(host, resources).length === 0)
        .reduce<HostRoom | null>((most, next) => (!most || free(next) > free(most) ? next : most), null)
      if (best && (await takeOn(view, trx, best, { ...wanted, id }))) {
        placed.set(id, best.name)
        break
      }
      if (best) continue
      if (fresh) return { placed, refusals: (await hostsOf()).flatMap((host) => lacks(host, resources)) }
      await view.refresh(trx)
      fresh = true
    }
  }
  return { placed, refusals: [] }
}

/** What a host lacks for one consumer more. */
export function lacks(host: HostRoom, resources: Resources): Refusal[] {
  const refusals: Refusal[] = []
  for (const [resourceClass, wanted] of resources) {
    if (wanted === 0) continue
    const { used, capacity } = host.rooms.get(resourceClass) ?? { used: 0, capacity: 0 }
    const left = capacity - used
    if (wanted > left) refusals.push({ host: host.name, resourceClass, wanted, free: left, capacity })
  }
  return refusals
}

function free({ rooms }: HostRoom): number {
  const room = rooms.get('MEMORY_MB')
  return room ? room.capacity - room.used : 0
}
