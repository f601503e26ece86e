export interface ProvidersTable {
  id: string
  /** The compute host's name. */
  name: string
  /** Counts changes of the inventories. */
  generation: number
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
}

export interface AllocationsTable {
  consumer_id: string
  provider_id: string
  resource_class: string
  used: number
  project_id: string
  user_id: string
  created_at: string
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    placement_providers: ProvidersTable
    placement_inventories: InventoriesTable
    placement_allocations: AllocationsTable
  }
}
