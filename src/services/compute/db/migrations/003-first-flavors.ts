import type { Kysely } from 'kysely'
import type { Migration, Tables } from '../../../../platform/db/database.ts'

/** The flavors every cloud once had, under the ids they had there. */
const first: readonly [id: string, name: string, vcpus: number, memoryMiB: number, diskGiB: number][] = [
  ['1', 'm1.tiny', 1, 512, 1],
  ['2', 'm1.small', 1, 2048, 20],
  ['3', 'm1.medium', 2, 4096, 40],
  ['4', 'm1.large', 4, 8192, 80],
  ['5', 'm1.xlarge', 8, 16384, 160],
]

export const firstFlavors: Migration = {
  name: '003-first-flavors',
  async up(db) {
    const rows = first.map(([id, name, vcpus, memory_mib, disk_gib]) => ({
      ...{ id, name, vcpus, memory_mib, disk_gib },
      ...{ ephemeral_gib: 0, swap_mib: 0, rxtx_factor: 1, is_public: 1 as const, description: null },
      created_at: '2026-01-01T00:00:00.000000Z',
      updated_at: null,
    }))
    await (db as Kysely<Tables>).insertInto('compute_flavors').values(rows).execute()
  },
}
