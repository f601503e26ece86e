import type { Database } from '../../src/platform/db/database.ts'
import type { LimitStore } from '../../src/platform/quota/limits.ts'
import * as projectRows from '../../src/services/identity/db/projects.ts'
import { limitStore } from '../../src/services/identity/index.ts'

/** Identity's limits for a service that is tested without the rest of Identity, whose tables the database has. */
export async function testLimits(database: Database, projectIds: readonly string[]): Promise<LimitStore> {
  await database.write(async (trx) => {
    for (const id of projectIds) {
      const project = { id, name: id, domainId: 'default', parentId: 'default', isDomain: false, enabled: true }
      await projectRows.insert(trx, { ...project, description: '', tags: [], options: {}, extra: {} })
    }
  })
  return limitStore('RegionOne')
}
