import type { Migration } from '../../../../platform/db/database.ts'

/** So that a page of one domain's, and a name looked for in all domains, cost the same however many there are. */
export const lookups: Migration = {
  name: '0010-lookups',
  async up(db) {
    for (const [table, columns] of [
      ['users', ['domain_id', 'id']],
      ['users', ['name', 'id']],
      ['projects', ['domain_id', 'id']],
      ['projects', ['parent_id', 'id']],
      ['projects', ['name', 'id']],
      ['groups', ['domain_id', 'id']],
      ['groups', ['name', 'id']],
    ] as const) {
      const name = `identity_${table}_page_by_${columns.join('_')}`
      await db.schema
        .createIndex(name)
        .on(`identity_${table}`)
        .columns([...columns])
        .execute()
    }
  },
}
