import type { Db } from '../../../platform/db/database.ts'
import { capacityOf } from '../db/inventories.ts'
import * as providerRows from '../db/providers.ts'
import * as stockRows from '../db/stock.ts'
import { sharing } from './standard-names.ts'

export interface Lent {
  capacity: number
  used: number
  minUnit: number
  maxUnit: number
  stepSize: number
}

/** A provider with all that a choice between providers looks at. */
export interface Node {
  id: string
  name: string
  row: providerRows.ProviderRow
  parentId: string | null
  rootId: string
  traits: ReadonlySet<string>
  aggregates: ReadonlySet<string>
  lends: ReadonlyMap<string, Lent>
}

/** Every provider, with four queries whatever their number. */
export async function forest(db: Db): Promise<Map<string, Node>> {
  const rows = await providerRows.list(db)
  const traits = await providerRows.traits(db)
  const aggregates = await providerRows.aggregates(db)
  const stocks = Map.groupBy(await stockRows.list(db), (stock) => stock.provider_id)
  return new Map(
    rows.map((row) => [
      row.id,
      {
        ...{ id: row.id, name: row.name, row, parentId: row.parent_id, rootId: row.root_id },
        traits: new Set(traits.get(row.id)),
        aggregates: new Set(aggregates.get(row.id)),
        lends: new Map(
          (stocks.get(row.id) ?? []).map((stock) => [
            stock.resource_class,
            {
              capacity: capacityOf({ ...stock, allocationRatio: stock.allocation_ratio }),
              ...{ used: stock.used, minUnit: stock.min_unit, maxUnit: stock.max_unit, stepSize: stock.step_size },
            },
          ]),
        ),
      },
    ]),
  )
}

/** Sets of which one member is wanted each, and members that are not wanted. */
export interface Conditions {
  allOf: readonly ReadonlySet<string>[]
  noneOf: ReadonlySet<string>
}

export const meets = (has: ReadonlySet<string>, { allOf, noneOf }: Conditions): boolean =>
  allOf.every((any) => !any.isDisjointFrom(has)) && noneOf.isDisjointFrom(has)

/** Whether a provider can lend that much, in such units, besides what it has lent. */
export function canLend(node: Node, name: string, amount: number): boolean {
  const lent = node.lends.get(name)
  if (!lent) return false
  const fits = amount >= lent.minUnit && amount <= lent.maxUnit && amount % lent.stepSize === 0
  return fits && lent.used + amount <= lent.capacity
}

export const isSharing = (node: Node): boolean => node.traits.has(sharing)
