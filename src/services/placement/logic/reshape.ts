import type { Trx } from '../../../platform/db/database.ts'
import * as stockRows from '../db/stock.ts'
import * as consumers from './consumers.ts'
import { get } from './providers.ts'
import * as stock from './stock.ts'

/**
 * Moves inventories between providers together with what is held of them: first all old and new inventories stand side
 * by side, then the allocations move, then the old ones go. Source: Placement API reference, "Reshaper".
 */
export async function reshape(
  trx: Trx,
  inventories: ReadonlyMap<string, ReadonlyMap<string, stock.Inventory>>,
  wanted: readonly consumers.Wanted[],
  at: string,
): Promise<void> {
  for (const [id, given] of inventories) {
    const old = (await stockRows.list(trx, [id])).filter((each) => !given.has(each.resource_class))
    const both = new Map([...given, ...old.map((each) => [each.resource_class, each] as const)])
    await stock.replace(trx, await get(trx, id), new Map([...both].map(([name, each]) => [name, plain(each)])), at)
  }
  await consumers.replace(trx, wanted, at)
  for (const [id, given] of inventories) await stock.replace(trx, await get(trx, id), given, at)
}

const plain = (i: stock.Inventory): stock.Inventory => ({
  ...{ total: i.total, reserved: i.reserved, min_unit: i.min_unit, max_unit: i.max_unit, step_size: i.step_size },
  allocation_ratio: i.allocation_ratio,
})
