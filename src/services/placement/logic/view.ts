import type { Db } from '../../../platform/db/database.ts'
import * as inventories from '../db/inventories.ts'
import * as providerRows from '../db/providers.ts'

export interface Lent {
  readonly capacity: number
  used: number
}

/** A host's resources as last seen. `used` runs ahead of the table while a transaction is under way. */
export interface HostRoom {
  readonly id: string
  readonly name: string
  readonly rooms: ReadonlyMap<string, Lent>
  /** Those that every launch looks at on every host, out of the map. */
  readonly cpu: Lent
  readonly memory: Lent
  readonly disk: Lent
  readonly traits: ReadonlySet<string>
}

/** As long as other control processes' claims may go unseen; no harm comes of it, as the claim itself is exact. */
const staleAfterMs = 5_000

/**
 * Every host's room in memory, so that choosing a host costs no query. It may be wrong, either way, after a transaction
 * that was undone or by another process's doing: a claim that the table refuses, and one for which nothing seems free,
 * read it anew.
 */
export class View {
  readonly #nowMs: () => number
  #hosts = new Map<string, HostRoom>()
  #byId = new Map<string, HostRoom>()
  #readAtMs = Number.NEGATIVE_INFINITY

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  async hosts(db: Db): Promise<ReadonlyMap<string, HostRoom>> {
    if (this.#nowMs() - this.#readAtMs > staleAfterMs) await this.refresh(db)
    return this.#hosts
  }

  async refresh(db: Db): Promise<void> {
    const found = await inventories.list(db)
    const traits = await providerRows.traits(db)
    this.#hosts = new Map(
      found.map(({ id, name, rooms: all }) => {
        const rooms = new Map<string, Lent>([...all].map(([each, { capacity, used }]) => [each, { capacity, used }]))
        const of = (resourceClass: string): Lent => rooms.get(resourceClass) ?? { capacity: 0, used: 0 }
        const usual = { cpu: of('VCPU'), memory: of('MEMORY_MB'), disk: of('DISK_GB') }
        return [name, { id, name, traits: new Set(traits.get(id)), rooms, ...usual }]
      }),
    )
    this.#byId = new Map([...this.#hosts.values()].map((host) => [host.id, host]))
    this.#readAtMs = this.#nowMs()
  }

  forget(): void {
    this.#readAtMs = Number.NEGATIVE_INFINITY
  }

  shift(providerId: string, resourceClass: string, by: number): void {
    const room = this.#byId.get(providerId)?.rooms.get(resourceClass)
    if (room) room.used += by
  }
}
