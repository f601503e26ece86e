import type { Generated } from 'kysely'

export interface ProvidersTable {
  id: string
  /** The compute host's name, or whatever a client called it. */
  name: string
  /** Counts changes of the inventories, traits, aggregates and allocations. */
  generation: number
  parent_id: string | null
  /** Its own id where it has no parent. */
  root_id: string
  created_at: string
  updated_at: string
}

export interface InventoriesTable {
  provider_id: string
  resource_class: string
  total: number
  reserved: number
  allocation_ratio: number
  /** The sum of the provider's allocations, kept with them, so that a claim reads one row per host and class. */
  used: number
  min_unit: Generated<number>
  max_unit: Generated<number>
  step_size: Generated<number>
  /** The configuration's ratio when the host last told of itself: an operator's other choice stays until that changes. */
  default_ratio: number | null
}

/** A consumer is its allocations: who has none is not there. */
export interface AllocationsTable {
  consumer_id: string
  provider_id: string
  resource_class: string
  used: number
  project_id: string
  user_id: string
  created_at: string
  /** The same in all rows of a consumer. */
  consumer_generation: Generated<number>
  /** null: made by a client that could not say. */
  consumer_type: Generated<string | null>
}

interface NamesTable {
  name: string
  created_at: string
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    placement_providers: ProvidersTable
    placement_inventories: InventoriesTable
    placement_allocations: AllocationsTable
    placement_traits: NamesTable
    placement_resource_classes: NamesTable
    placement_provider_traits: { provider_id: string; trait: string }
    placement_provider_aggregates: { provider_id: string; aggregate_id: string }
  }
}
