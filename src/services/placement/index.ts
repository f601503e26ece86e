import type { Db, Trx } from '../../platform/db/database.ts'
import { newId } from '../../platform/ids.ts'
import type { Ground, Service, ServiceMigrations } from '../../platform/service.ts'
import * as allocations from './db/allocations.ts'
import * as inventories from './db/inventories.ts'
import { migrations } from './db/migrations/index.ts'
import { type Claim, type Claimed, claim } from './logic/claims.ts'
import './db/tables.ts'

export type { Inventory, Provider, ResourceClass, Room } from './db/inventories.ts'
export type { Claimed, Refusal, Resources } from './logic/claims.ts'

export const placementMigrations: ServiceMigrations = { service: 'placement', migrations }

/** Who has how much of what, and who holds it. */
export interface PlacementService extends Service {
  /** In the consumers' own transaction: takes room for them, or says per host what was lacking. */
  claim(trx: Trx, wanted: Omit<Claim, 'at'>): Promise<Claimed>
  /** Gives back all that a consumer holds. Repeatable. */
  release(trx: Trx, consumerId: string): Promise<void>
  /** What is held by a project's consumers, or by all, by resource class. */
  usages(db: Db, projectId?: string): Promise<Map<string, number>>
  /** Every host's resources, or the named hosts', with one query. */
  providers(db: Db, hosts?: readonly string[]): Promise<inventories.Provider[]>
  /** Records what a host has. Repeatable, and writes only when something changed. */
  recordHost(host: string, has: ReadonlyMap<string, inventories.Inventory>): Promise<void>
}

/** Placement's claims, without an API of their own yet. Source: Placement documentation, "Usages and allocations". */
export function createPlacement({ database, clock }: Ground): PlacementService {
  return {
    name: 'placement',
    loops: [],
    claim: (trx, wanted) => claim(trx, { ...wanted, at: clock.now() }),
    release: allocations.remove,
    usages: allocations.usages,
    providers: inventories.list,
    async recordHost(host, has) {
      const [known] = await inventories.list(database.read, [host])
      const same = known && [...has].every(([name, wanted]) => isSame(known.rooms.get(name), wanted))
      if (same) return
      await database.write((trx) =>
        inventories.put(trx, { id: known?.id ?? newId(), name: host, at: clock.now(), inventories: has }),
      )
    },
  }
}

const isSame = (a: inventories.Inventory | undefined, b: inventories.Inventory): boolean =>
  a !== undefined && a.total === b.total && a.reserved === b.reserved && a.allocationRatio === b.allocationRatio
