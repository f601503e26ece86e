import type { Db } from '../../../platform/db/database.ts'

export type ResourceClass = 'VCPU' | 'MEMORY_MB' | 'DISK_GB'

/** What a host has of one resource. Its capacity is `(total - reserved) × allocationRatio`. */
export interface Inventory {
  total: number
  reserved: number
  allocationRatio: number
}

export interface Room extends Inventory {
  used: number
  capacity: number
}

/** One host with its resources by class. */
export interface Provider {
  id: string
  name: string
  rooms: ReadonlyMap<string, Room>
}

/** Whole units that may be claimed in all. Source: Placement documentation, "Resource Provider Inventories". */
export const capacityOf = (i: Inventory): number => Math.floor((i.total - i.reserved) * i.allocationRatio)

/** One query, however many hosts; hosts without inventories are left out. */
export async function list(db: Db, names?: readonly string[]): Promise<Provider[]> {
  let query = db
    .selectFrom('placement_providers as p')
    .innerJoin('placement_inventories as i', 'i.provider_id', 'p.id')
    .select(['p.id', 'p.name', 'i.resource_class', 'i.total', 'i.reserved', 'i.allocation_ratio', 'i.used'])
    .orderBy('p.name')
  if (names) query = query.where('p.name', 'in', names)
  const providers = new Map<string, { id: string; name: string; rooms: Map<string, Room> }>()
  for (const row of await query.execute()) {
    let provider = providers.get(row.id)
    if (!provider) {
      provider = { id: row.id, name: row.name, rooms: new Map() }
      providers.set(row.id, provider)
    }
    const inventory = { total: row.total, reserved: row.reserved, allocationRatio: row.allocation_ratio }
    provider.rooms.set(row.resource_class, { ...inventory, used: row.used, capacity: capacityOf(inventory) })
  }
  return [...providers.values()]
}

export interface ProviderWrite {
  id: string
  name: string
  at: string
  inventories: ReadonlyMap<string, Inventory>
}

/** By class: the ratio that the configuration had when the host was last written; null for an inventory of a client's. */
export async function defaultRatios(db: Db, name: string): Promise<Map<string, number | null>> {
  const rows = await db
    .selectFrom('placement_inventories as i')
    .innerJoin('placement_providers as p', 'p.id', 'i.provider_id')
    .select(['i.resource_class', 'i.default_ratio'])
    .where('p.name', '=', name)
    .execute()
  return new Map(rows.map((row) => [row.resource_class, row.default_ratio]))
}

/**
 * Writes what a host has; what is used stays as it is, even above a capacity that shrank. A ratio that an operator chose
 * stays too, until the configuration's own changes.
 */
export async function put(db: Db, { id, name, at, inventories }: ProviderWrite): Promise<void> {
  const written = await db
    .insertInto('placement_providers')
    .values({ id, name, generation: 1, parent_id: null, root_id: id, created_at: at, updated_at: at })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet((eb) => ({
        generation: eb('placement_providers.generation', '+', 1),
        updated_at: at,
      })),
    )
    .returning('id')
    .executeTakeFirstOrThrow()
  const rows = [...inventories].map(([resource_class, { total, reserved, allocationRatio }]) => ({
    provider_id: written.id,
    resource_class,
    total,
    reserved,
    allocation_ratio: allocationRatio,
    default_ratio: allocationRatio,
    used: 0,
    max_unit: total,
  }))
  await db
    .insertInto('placement_inventories')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['provider_id', 'resource_class']).doUpdateSet((eb) => ({
        total: eb.ref('excluded.total'),
        reserved: eb.ref('excluded.reserved'),
        max_unit: eb.ref('excluded.max_unit'),
        allocation_ratio: eb
          .case()
          .when('placement_inventories.default_ratio', '=', eb.ref('excluded.default_ratio'))
          .then(eb.ref('placement_inventories.allocation_ratio'))
          .else(eb.ref('excluded.allocation_ratio'))
          .end(),
        default_ratio: eb.ref('excluded.default_ratio'),
      })),
    )
    .execute()
}
