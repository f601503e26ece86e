import type { Trx } from '../../../platform/db/database.ts'
import * as allocations from '../db/allocations.ts'
import * as inventories from '../db/inventories.ts'

export type Resources = ReadonlyMap<string, number>

/** Why a host could not take one consumer more: `MEMORY_MB: wanted 65536, free 3120 of 24000`. */
export interface Refusal {
  host: string
  resourceClass: string
  wanted: number
  free: number
  capacity: number
}

export interface Claim {
  /** Consumers to place, in order: each takes `resources` on one host. */
  consumerIds: readonly string[]
  projectId: string
  userId: string
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
 * Claims room for several consumers in the caller's transaction: all hosts are read with one query, each consumer goes
 * to the host with most memory left (so they spread), and the takings are written once per host. Exact under
 * concurrency: the transaction is serialisable, and the update itself refuses to go beyond the capacity.
 */
export async function claim(trx: Trx, wanted: Claim): Promise<Claimed> {
  const providers = wanted.candidates.length > 0 ? await inventories.list(trx, wanted.candidates) : []
  const hosts = providers.map((provider) => ({ provider, count: 0 }))
  const placed = new Map<string, string>()
  const byConsumer: { consumerId: string; providerId: string }[] = []

  for (const consumerId of wanted.consumerIds) {
    const best = hosts
      .filter(({ provider, count }) => lacks(provider, wanted.resources, count).length === 0)
      .map((host) => ({ host, free: freeMemory(host.provider, wanted.resources, host.count) }))
      .reduce<{ host: (typeof hosts)[number]; free: number } | null>(
        (most, next) => (most === null || next.free > most.free ? next : most),
        null,
      )
    if (best === null) break
    best.host.count++
    placed.set(consumerId, best.host.provider.name)
    byConsumer.push({ consumerId, providerId: best.host.provider.id })
  }

  for (const { provider, count } of hosts.filter((host) => host.count > 0)) {
    for (const [resourceClass, amount] of wanted.resources) {
      if (amount === 0) continue
      const { capacity } = provider.rooms.get(resourceClass)!
      const taken = await allocations.take(trx, provider.id, resourceClass, amount * count, capacity)
      // Only without a serialisable snapshot, which Database.write always has.
      if (!taken) throw new Error(`${provider.name} had room for ${resourceClass} a moment ago`)
    }
  }
  await allocations.insert(
    trx,
    byConsumer.flatMap(({ consumerId, providerId }) =>
      [...wanted.resources]
        .filter(([, amount]) => amount > 0)
        .map(([resource_class, used]) => ({
          consumer_id: consumerId,
          provider_id: providerId,
          resource_class,
          used,
          project_id: wanted.projectId,
          user_id: wanted.userId,
          created_at: wanted.at,
        })),
    ),
  )
  const full = placed.size < wanted.consumerIds.length
  return { placed, refusals: full ? hosts.flatMap((h) => lacks(h.provider, wanted.resources, h.count)) : [] }
}

/** What a host lacks for one consumer more, when `count` of this claim are on it already. */
function lacks(provider: inventories.Provider, resources: Resources, count: number): Refusal[] {
  const refusals: Refusal[] = []
  for (const [resourceClass, wanted] of resources) {
    if (wanted === 0) continue
    const room = provider.rooms.get(resourceClass) ?? { used: 0, capacity: 0 }
    const free = room.capacity - room.used - wanted * count
    if (wanted > free) refusals.push({ host: provider.name, resourceClass, wanted, free, capacity: room.capacity })
  }
  return refusals
}

function freeMemory(provider: inventories.Provider, resources: Resources, count: number): number {
  const room = provider.rooms.get('MEMORY_MB')
  return room ? room.capacity - room.used - (resources.get('MEMORY_MB') ?? 0) * count : 0
}
