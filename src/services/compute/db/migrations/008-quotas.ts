import type { Kysely } from 'kysely'
import type { Migration, Trx } from '../../../../platform/db/database.ts'
import { countRows } from '../../../../platform/quota/counters.ts'
import { importDefaults, importLimits } from '../../../identity/index.ts'
import { firstCounters } from '../counters.ts'

interface Old {
  compute_quotas: { project_id: string; resource: string; hard_limit: number }
}

/** Rows count themselves from now on, and limits are Identity's. Classes but `default` limit nobody, and stay. */
export const quotas: Migration = {
  name: '008-quotas',
  async up(db) {
    await countRows(db, firstCounters)
    const old = db as Kysely<Old>
    const trx = db as unknown as Trx
    const rows = await old.selectFrom('compute_quotas').selectAll().execute()
    for (const [holder, own] of Map.groupBy(rows, (row) => row.project_id)) {
      if (holder.startsWith('class:') && holder !== 'class:default') continue
      const named = own.map((row) => [unified[row.resource] ?? row.resource, row.hard_limit])
      if (holder === 'class:default') await importDefaults(trx, 'compute', Object.fromEntries(named))
      else await importLimits(trx, 'compute', holder, Object.fromEntries(named), fallbacks)
      await old.deleteFrom('compute_quotas').where('project_id', '=', holder).execute()
    }
  },
}

const unified: Readonly<Record<string, string>> = {
  ...{ instances: 'servers', cores: 'class:VCPU', ram: 'class:MEMORY_MB', key_pairs: 'server_key_pairs' },
  ...{ metadata_items: 'server_metadata_items', injected_files: 'server_injected_files' },
  injected_file_content_bytes: 'server_injected_file_content_bytes',
  injected_file_path_bytes: 'server_injected_file_path_bytes',
}

/** As they were when limits were Compute's own. */
const fallbacks = {
  ...{ servers: 10, 'class:VCPU': 20, 'class:MEMORY_MB': 51_200, server_key_pairs: 100 },
  ...{ server_metadata_items: 128, server_groups: 10, server_group_members: 10, server_injected_files: 5 },
  ...{ server_injected_file_content_bytes: 10240, server_injected_file_path_bytes: 255 },
}
