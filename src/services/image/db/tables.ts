import { type Generated, sql } from 'kysely'
import type { Migration } from '../../../platform/db/database.ts'
import { quotaMigration } from './counters.ts'
import { importMigration } from './import-tables.ts'
import { locationsMigration } from './locations.ts'
import { metadefMigration, metadefSeedMigration } from './metadef-tables.ts'
import { piecesMigration } from './pieces.ts'

export type Status = 'queued' | 'saving' | 'active' | 'deactivated' | 'killed'
/** Of an image whose data is staged; its `status` is `queued` meanwhile. */
export type ImportPhase = 'uploading' | 'importing'
export type Visibility = 'private' | 'shared' | 'community' | 'public'
export type MemberStatus = 'pending' | 'accepted' | 'rejected'

export interface ImagesTable {
  id: string
  name: string | null
  status: Status
  visibility: Visibility
  owner: string | null
  disk_format: string | null
  container_format: string | null
  size: number | null
  virtual_size: number | null
  checksum: string | null
  os_hash_algo: string | null
  os_hash_value: string | null
  min_disk: number
  min_ram: number
  protected: 0 | 1
  os_hidden: 0 | 1
  created_at: string
  updated_at: string
  /** Where the data is; null until there is any. */
  blob_key: string | null
  /** While `saving`, `uploading` or `importing`: where the data is or is going to be. Named before the file exists, so that no sweep takes it. */
  upload_key: string | null
  /** The host of the control process that receives the data; null again when it has. */
  uploader: string | null
  /** Of container images: the engine's id of the image, and what it is pulled by. */
  config_digest: string | null
  manifest_digest: string | null
  import_phase: ImportPhase | null
  /** 1 of a snapshot that Compute makes. */
  is_snapshot: 0 | 1 | null
  retired_ms: number | null
  /** Rows of `image_locations`. */
  copy_count: Generated<number>
}

export interface PropertiesTable {
  image_id: string
  name: string
  value: string
}

export interface TagsTable {
  image_id: string
  tag: string
}

export interface MembersTable {
  image_id: string
  member_id: string
  status: MemberStatus
  created_at: string
  updated_at: string
}

/** An image that a tag in the registry means. */
export interface PushesTable {
  image_id: string
  repository: string
  tag: string
  /** What the tag means; of an index, its own digest and not the image's. */
  digest: string
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    image_images: ImagesTable
    image_properties: PropertiesTable
    image_tags: TagsTable
    image_members: MembersTable
    image_pushes: PushesTable
  }
}

export const migrations: readonly Migration[] = [
  {
    name: '0001-images',
    async up(db) {
      await db.schema
        .createTable('image_images')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('name', 'text')
        .addColumn('status', 'text', (c) => c.notNull())
        .addColumn('visibility', 'text', (c) => c.notNull())
        .addColumn('owner', 'text')
        .addColumn('disk_format', 'text')
        .addColumn('container_format', 'text')
        .addColumn('size', 'bigint')
        .addColumn('virtual_size', 'bigint')
        .addColumn('checksum', 'text')
        .addColumn('os_hash_algo', 'text')
        .addColumn('os_hash_value', 'text')
        .addColumn('min_disk', 'integer', (c) => c.notNull())
        .addColumn('min_ram', 'integer', (c) => c.notNull())
        .addColumn('protected', 'integer', (c) => c.notNull())
        .addColumn('os_hidden', 'integer', (c) => c.notNull())
        .addColumn('created_at', 'text', (c) => c.notNull())
        .addColumn('updated_at', 'text', (c) => c.notNull())
        .addColumn('blob_key', 'text')
        .addColumn('upload_key', 'text')
        .addColumn('uploader', 'text')
        .addColumn('config_digest', 'text')
        .addColumn('manifest_digest', 'text')
        .addCheckConstraint(
          'image_images_status',
          sql`status in ('queued', 'saving', 'active', 'deactivated', 'killed')`,
        )
        .execute()
      for (const columns of [
        ['created_at', 'id'],
        ['owner', 'created_at', 'id'],
        ['visibility', 'created_at', 'id'],
        ['name'],
        ['status'],
        ['blob_key'],
        ['upload_key'],
      ]) {
        const name = `image_images_${columns.join('_')}`
        await db.schema.createIndex(name).on('image_images').columns(columns).execute()
      }
      await db.schema
        .createTable('image_properties')
        .addColumn('image_id', 'text', (c) => c.notNull().references('image_images.id').onDelete('cascade'))
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('value', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('image_properties_pk', ['image_id', 'name'])
        .execute()
      // Not by value: one may be 64 KiB long, which no index takes.
      await db.schema.createIndex('image_properties_name').on('image_properties').columns(['name']).execute()
      await db.schema
        .createTable('image_tags')
        .addColumn('image_id', 'text', (c) => c.notNull().references('image_images.id').onDelete('cascade'))
        .addColumn('tag', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('image_tags_pk', ['image_id', 'tag'])
        .execute()
      await db.schema.createIndex('image_tags_tag').on('image_tags').columns(['tag', 'image_id']).execute()
      await db.schema
        .createTable('image_members')
        .addColumn('image_id', 'text', (c) => c.notNull().references('image_images.id').onDelete('cascade'))
        .addColumn('member_id', 'text', (c) => c.notNull())
        .addColumn('status', 'text', (c) => c.notNull())
        .addColumn('created_at', 'text', (c) => c.notNull())
        .addColumn('updated_at', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('image_members_pk', ['image_id', 'member_id'])
        .execute()
      await db.schema.createIndex('image_members_member').on('image_members').columns(['member_id']).execute()
    },
  },
  {
    name: '0002-pushes',
    async up(db) {
      await db.schema
        .createTable('image_pushes')
        .addColumn('image_id', 'text', (c) => c.primaryKey().references('image_images.id').onDelete('cascade'))
        .addColumn('repository', 'text', (c) => c.notNull())
        .addColumn('tag', 'text', (c) => c.notNull())
        .addColumn('digest', 'text', (c) => c.notNull())
        .addUniqueConstraint('image_pushes_tag', ['repository', 'tag'])
        .execute()
    },
  },
  metadefMigration,
  metadefSeedMigration,
  importMigration,
  locationsMigration,
  piecesMigration,
  quotaMigration,
]
