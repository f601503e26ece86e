import { sql } from 'kysely'
import type { Migration } from '../../../../platform/db/database.ts'

const tagged = ['networks', 'subnets', 'ports', 'routers', 'floating_ips', 'security_groups'] as const

/** Who sees what that is another's (RBAC policies), and tags. What was shared with all stays so. */
export const sharing: Migration = {
  name: '004-sharing',
  async up(db) {
    for (const noun of tagged) {
      await db.schema
        .alterTable(`network_${noun}`)
        .addColumn('tags', 'text', (c) => c.notNull().defaultTo(''))
        .execute()
    }
    await db.schema
      .createTable('network_rbac_policies')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('project_id', 'text', (c) => c.notNull())
      .addColumn('object_type', 'text', (c) => c.notNull())
      .addColumn('object_id', 'text', (c) => c.notNull())
      .addColumn('action', 'text', (c) => c.notNull())
      .addColumn('target_project', 'text', (c) => c.notNull())
      .addUniqueConstraint('network_rbac_policies_same', ['object_id', 'action', 'target_project'])
      .execute()
    await db.schema
      .createIndex('network_rbac_policies_by_target')
      .on('network_rbac_policies')
      .columns(['target_project', 'object_type', 'action', 'object_id'])
      .execute()
    await db.schema
      .createIndex('network_rbac_policies_by_project')
      .on('network_rbac_policies')
      .columns(['project_id', 'id'])
      .execute()
    // The network's id, changed in its first letter: both engines have no random ids in common.
    for (const [column, action, prefix] of [
      ['shared', 'access_as_shared', 'a'],
      ['external', 'access_as_external', 'e'],
    ] as const) {
      await sql`insert into network_rbac_policies (id, project_id, object_type, object_id, action, target_project)
        select ${prefix} || substr(id, 2), project_id, 'network', id, ${action}, '*' from network_networks
        where ${sql.ref(column)} = 1`.execute(db)
    }
    await sql`drop index network_networks_open`.execute(db)
    await db.schema.alterTable('network_networks').dropColumn('shared').execute()
    await db.schema
      .alterTable('network_networks')
      .addColumn('is_default', 'integer', (c) => c.notNull().defaultTo(0))
      .execute()
    await sql`create index network_networks_external on network_networks (id) where external = 1`.execute(db)
  },
}
