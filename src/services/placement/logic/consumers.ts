import type { Trx } from '../../../platform/db/database.ts'
import * as allocationRows from '../db/allocations.ts'
import * as rows from '../db/consumers.ts'
import { capacityOf } from '../db/inventories.ts'
import * as providerRows from '../db/providers.ts'
import * as stockRows from '../db/stock.ts'
import * as names from './names.ts'
import { badRequest, codes, conflict } from './refusals.ts'

/** What a consumer shall hold, in place of all it held. */
export interface Wanted {
  consumerId: string
  projectId: string
  userId: string
  /** null: not told, so it stays what it was. */
  type: string | null
  /** Provider → class → amount; empty takes everything away. */
  allocations: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** The generation that the client saw, null for a consumer that it thinks new; undefined before 1.28. */
  generation: number | null | undefined
}

/**
 * Replaces the allocations of some consumers, all or none. Source: Placement API reference, "Manage allocations".
 * @throws CloudError `conflict` for another generation, or for what does not fit; `badRequest` for what is not there
 */
export async function replace(trx: Trx, wanted: readonly Wanted[], at: string): Promise<void> {
  const ids = wanted.map(({ consumerId }) => consumerId)
  const before = Map.groupBy(await rows.allocationsOf(trx, ids), (row) => row.consumer_id)
  for (const each of wanted) checkGeneration(each, before.get(each.consumerId)?.[0]?.consumer_generation ?? null)
  await checkNames(trx, wanted)

  await rows.removeAll(trx, ids)
  const changes = new Map<string, Map<string, number>>()
  const shift = (provider: string, name: string, by: number) => {
    const classes = changes.get(provider) ?? new Map<string, number>()
    classes.set(name, (classes.get(name) ?? 0) + by)
    changes.set(provider, classes)
  }
  for (const row of [...before.values()].flat()) shift(row.provider_id, row.resource_class, -row.used)
  for (const { allocations } of wanted) {
    for (const [provider, classes] of allocations) for (const [name, by] of classes) shift(provider, name, by)
  }
  await checkRoom(trx, wanted, changes)
  for (const [provider, classes] of changes) {
    for (const [name, by] of classes) if (by !== 0) await stockRows.shift(trx, provider, name, by)
  }
  await allocationRows.insert(
    trx,
    wanted.flatMap((each) => {
      const old = before.get(each.consumerId)?.[0]
      const shared = {
        ...{ consumer_id: each.consumerId, project_id: each.projectId, user_id: each.userId, created_at: at },
        consumer_generation: (old?.consumer_generation ?? 0) + 1,
        consumer_type: each.type ?? old?.consumer_type ?? null,
      }
      return [...each.allocations].flatMap(([provider_id, classes]) =>
        [...classes].map(([resource_class, used]) => ({ ...shared, provider_id, resource_class, used })),
      )
    }),
  )
  await providerRows.bump(trx, [...changes.keys()], at)
}

function checkGeneration({ generation }: Wanted, actual: number | null): void {
  if (generation === undefined || generation === actual) return
  const text = `consumer generation conflict - expected ${actual} but got ${generation}`
  throw conflict(text.replace('got null', 'got None'), codes.concurrentUpdate)
}

async function checkNames(trx: Trx, wanted: readonly Wanted[]): Promise<void> {
  const providers = [...new Set(wanted.flatMap(({ allocations }) => [...allocations.keys()]))]
  const known = new Set(providers.length > 0 ? (await providerRows.list(trx, providers)).map(({ id }) => id) : [])
  const missing = providers.find((id) => !known.has(id))
  if (missing !== undefined) throw badRequest(`Allocation for resource provider '${missing}' that does not exist.`)
  for (const { consumerId, allocations } of wanted) {
    const classes = [...allocations.values()].flatMap((each) => [...each.keys()])
    const [unknown] = await names.unknownClasses(trx, classes)
    if (unknown === undefined) continue
    const why = `No such resource class ${unknown}.`
    throw badRequest(`Unable to allocate inventory for consumer ${consumerId}: ${why}`)
  }
}

/** @throws CloudError `conflict` when something is not lent, not in such units, or not so much */
async function checkRoom(
  trx: Trx,
  wanted: readonly Wanted[],
  changes: ReadonlyMap<string, ReadonlyMap<string, number>>,
): Promise<void> {
  if (changes.size === 0) return
  const stocks = new Map(
    (await stockRows.list(trx, [...changes.keys()])).map((stock) => [
      `${stock.provider_id} ${stock.resource_class}`,
      stock,
    ]),
  )
  const refused = (name: string, provider: string, why: string) =>
    conflict(
      'Unable to allocate inventory: Unable to create allocation for ' +
        `'${name}' on resource provider '${provider}'. ${why}`,
    )
  for (const { allocations } of wanted) {
    for (const [provider, classes] of allocations) {
      for (const [name, amount] of classes) {
        const stock = stocks.get(`${provider} ${name}`)
        if (!stock) {
          const why = `Inventory for '${name}' on resource provider '${provider}' invalid.`
          throw conflict(`Unable to allocate inventory: ${why}`)
        }
        if (amount < stock.min_unit || amount > stock.max_unit || amount % stock.step_size !== 0) {
          throw refused(name, provider, 'The requested amount would violate inventory constraints.')
        }
        const capacity = capacityOf({ ...stock, allocationRatio: stock.allocation_ratio })
        const by = changes.get(provider)?.get(name) ?? 0
        // What shrank since may stay as it is, or go down; only more of it is refused.
        if (by > 0 && stock.used + by > capacity) {
          throw refused(name, provider, 'The requested amount would exceed the capacity.')
        }
      }
    }
  }
}
