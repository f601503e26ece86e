import { sql } from 'kysely'
import { systemClock } from '../../../platform/clock.ts'
import type { Migration } from '../../../platform/db/database.ts'

export type MetadefKind = 'object' | 'property' | 'tag' | 'resource_type'

export interface MetadefNamespacesTable {
  id: string
  namespace: string
  display_name: string | null
  description: string | null
  visibility: 'public' | 'private'
  protected: 0 | 1
  owner: string | null
  created_at: string
  updated_at: string
}

/** What a namespace contains: all four kinds are a name and a JSON document. */
export interface MetadefItemsTable {
  namespace_id: string
  kind: MetadefKind
  /** What must be unique in its kind: the name, of tags in lower case. */
  key: string
  name: string
  value: string
  /** Order of creation inside the namespace. */
  position: number
  created_at: string
  updated_at: string
}

/** Types of resources that namespaces were ever associated with. */
export interface MetadefResourceTypesTable {
  name: string
  created_at: string
  updated_at: string
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    image_metadef_namespaces: MetadefNamespacesTable
    image_metadef_items: MetadefItemsTable
    image_metadef_resource_types: MetadefResourceTypesTable
  }
}

export const metadefMigration: Migration = {
  name: '0003-metadefs',
  async up(db) {
    await db.schema
      .createTable('image_metadef_namespaces')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('namespace', 'text', (c) => c.notNull().unique())
      .addColumn('display_name', 'text')
      .addColumn('description', 'text')
      .addColumn('visibility', 'text', (c) => c.notNull())
      .addColumn('protected', 'integer', (c) => c.notNull())
      .addColumn('owner', 'text')
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addColumn('updated_at', 'text', (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('image_metadef_items')
      .addColumn('namespace_id', 'text', (c) =>
        c.notNull().references('image_metadef_namespaces.id').onDelete('cascade'),
      )
      .addColumn('kind', 'text', (c) => c.notNull())
      .addColumn('key', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('value', 'text', (c) => c.notNull())
      .addColumn('position', 'integer', (c) => c.notNull())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addColumn('updated_at', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('image_metadef_items_pk', ['namespace_id', 'kind', 'key'])
      .execute()
    await db.schema
      .createIndex('image_metadef_items_kind_key')
      .on('image_metadef_items')
      .columns(['kind', 'key'])
      .execute()
    await db.schema
      .createTable('image_metadef_resource_types')
      .addColumn('name', 'text', (c) => c.primaryKey())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addColumn('updated_at', 'text', (c) => c.notNull())
      .execute()
  },
}

/** Those of the resource types upstream's definitions come with that there is a use for: dashboards offer them. */
const resourceTypes = [
  'OS::Cinder::Volume',
  'OS::Glance::Image',
  'OS::Nova::Aggregate',
  'OS::Nova::Flavor',
  'OS::Nova::Server',
]

export const metadefSeedMigration: Migration = {
  name: '0004-metadef-resource-types',
  async up(db) {
    const now = systemClock.now()
    for (const name of resourceTypes) {
      await sql`insert into image_metadef_resource_types (name, created_at, updated_at)
        values (${name}, ${now}, ${now}) on conflict do nothing`.execute(db)
    }
  },
}
