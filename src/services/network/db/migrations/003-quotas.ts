import type { Kysely } from 'kysely'
import type { Migration, Trx } from '../../../../platform/db/database.ts'
import { countRows } from '../../../../platform/quota/counters.ts'
import { importLimits } from '../../../identity/index.ts'
import { firstCounters } from '../counters.ts'

interface Old {
  network_quotas: { project_id: string; resource: string; quota_limit: number }
}

/** Rows count themselves from now on, and limits are Identity's. */
export const quotas: Migration = {
  name: '003-quotas',
  async up(db) {
    await countRows(db, firstCounters)
    const rows = await (db as Kysely<Old>).selectFrom('network_quotas').selectAll().execute()
    for (const [projectId, own] of Map.groupBy(rows, (row) => row.project_id)) {
      const limits = Object.fromEntries(own.map((row) => [row.resource, row.quota_limit]))
      await importLimits(db as unknown as Trx, 'network', projectId, limits, fallbacks)
    }
    await db.schema.dropTable('network_quotas').execute()
  },
}

/** As they were when limits were Network's own. */
const fallbacks = {
  ...{ network: 100, subnet: 100, port: 500, router: 10, floatingip: 50 },
  ...{ security_group: 10, security_group_rule: 100 },
}
