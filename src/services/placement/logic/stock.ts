import type { Trx } from '../../../platform/db/database.ts'
import { capacityOf } from '../db/inventories.ts'
import * as providerRows from '../db/providers.ts'
import * as rows from '../db/stock.ts'
import type { Deps } from './deps.ts'
import * as names from './names.ts'
import { checkGeneration, get, type Provider } from './providers.ts'
import { badRequest, codes, conflict, notFound } from './refusals.ts'

/** An inventory as clients write and read it. */
export interface Inventory {
  total: number
  reserved: number
  min_unit: number
  max_unit: number
  step_size: number
  allocation_ratio: number
}

export interface Changed {
  provider: Provider
  inventories: ReadonlyMap<string, Inventory>
}

const capacity = (i: Inventory): number =>
  capacityOf({ total: i.total, reserved: i.reserved, allocationRatio: i.allocation_ratio })

/** From 1.26 on all of it may be reserved. @throws CloudError `badRequest` */
export function checkCapacity(name: string, inventory: Inventory, providerId: string, mayBeNone: boolean): void {
  if (mayBeNone ? capacity(inventory) >= 0 : capacity(inventory) > 0) return
  const why = `The reserved value is greater than ${mayBeNone ? '' : 'or equal to '}total.`
  throw badRequest(
    `Unable to update inventory for resource provider ${providerId}: ` +
      `Invalid inventory for '${name}' on resource provider '${providerId}'. ${why}`,
  )
}

/** Replaces all inventories of a provider. @throws CloudError `conflict` for a class that is gone while it is held */
export async function replace(
  trx: Trx,
  provider: Provider,
  wanted: ReadonlyMap<string, Inventory>,
  at: string,
): Promise<void> {
  const [unknown] = await names.unknownClasses(trx, [...wanted.keys()])
  if (unknown !== undefined) {
    const why = `No such resource class ${unknown}.`
    throw badRequest(`Unknown resource class in inventory for resource provider ${provider.id}: ${why}`)
  }
  const before = await rows.list(trx, [provider.id])
  const gone = before.filter((stock) => !wanted.has(stock.resource_class))
  const held = gone.filter((stock) => stock.used > 0).map((stock) => stock.resource_class)
  if (held.length > 0) {
    const why = `Inventory for '${held.join(', ')}' on resource provider '${provider.id}' in use.`
    throw conflict(`update conflict: ${why}`, codes.inventoryInUse)
  }
  if (gone.length > 0) {
    await rows.remove(
      trx,
      provider.id,
      gone.map((stock) => stock.resource_class),
    )
  }
  for (const [resource_class, inventory] of wanted) {
    await rows.put(trx, { provider_id: provider.id, resource_class, ...inventory })
  }
  await providerRows.bump(trx, [provider.id], at)
}

/** @throws CloudError `conflict` for another generation than the provider's; null asks for none */
export async function set(
  { database, clock }: Deps,
  providerId: string,
  generation: number | null,
  wanted: ReadonlyMap<string, Inventory>,
): Promise<Changed> {
  return await database.write(async (trx) => {
    const provider = await get(trx, providerId)
    if (generation !== null) checkGeneration(provider, generation)
    await replace(trx, provider, wanted, clock.now())
    return { provider: await get(trx, providerId), inventories: wanted }
  })
}

/** @throws CloudError `conflict` when there is one of the class already */
export async function add(
  { database, clock }: Deps,
  providerId: string,
  name: string,
  inventory: Inventory,
): Promise<Provider> {
  return await database.write(async (trx) => {
    const provider = await get(trx, providerId)
    const refused = `Unable to create inventory for resource provider ${providerId}:`
    if ((await names.unknownClasses(trx, [name])).length > 0) {
      throw badRequest(`${refused} No such resource class ${name}.`)
    }
    if ((await rows.list(trx, [providerId])).some((stock) => stock.resource_class === name)) {
      throw conflict(`Update conflict: the provider has an inventory of ${name} already`, codes.concurrentUpdate)
    }
    await rows.put(trx, { provider_id: provider.id, resource_class: name, ...inventory })
    await providerRows.bump(trx, [providerId], clock.now())
    return await get(trx, providerId)
  })
}

export async function update(
  { database, clock }: Deps,
  providerId: string,
  name: string,
  generation: number,
  inventory: Inventory,
): Promise<Provider> {
  return await database.write(async (trx) => {
    checkGeneration(await get(trx, providerId), generation)
    await names.requireClass(trx, name)
    if (!(await rows.list(trx, [providerId])).some((stock) => stock.resource_class === name)) {
      const why = `No inventory of class ${name} found.`
      throw badRequest(`No inventory record with resource class for resource provider ${providerId}: ${why}`)
    }
    await rows.put(trx, { provider_id: providerId, resource_class: name, ...inventory })
    await providerRows.bump(trx, [providerId], clock.now())
    return await get(trx, providerId)
  })
}

/** @throws CloudError `notFound`, or `conflict` while some of it is held */
export async function remove({ database, clock }: Deps, providerId: string, name: string): Promise<void> {
  await database.write(async (trx) => {
    await get(trx, providerId)
    const stock = (await rows.list(trx, [providerId])).find((each) => each.resource_class === name)
    if (!stock) {
      const why = `No inventory of class ${name} found for delete`
      throw notFound(`${why}: no such inventory on resource provider ${providerId}`)
    }
    if (stock.used > 0) {
      const why = `Inventory for '${name}' on resource provider '${providerId}' in use.`
      throw conflict(`Unable to delete inventory of class ${name}: ${why}`, codes.concurrentUpdate)
    }
    await rows.remove(trx, providerId, [name])
    await providerRows.bump(trx, [providerId], clock.now())
  })
}
