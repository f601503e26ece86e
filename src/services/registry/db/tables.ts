import { sql } from 'kysely'
import type { Migration } from '../../../platform/db/database.ts'
import { eventMigration } from './events.ts'
import { scrubMigration } from './scrubs.ts'

/** A blob as one repository has it: a range of a stored file. Every repository has rows of its own. */
export interface BlobsTable {
  repository: string
  digest: string
  media_type: string
  /** In the blob store. */
  blob_key: string
  blob_offset: number
  size: number
  /** Pushed blobs: when a client was last told that it is here. Null for what another service publishes. */
  touched_ms: number | null
}

export interface ManifestsTable {
  repository: string
  digest: string
  media_type: string
  /** Byte for byte what was published: its hash is `digest`. */
  content: string
  /** What a referrer points at, and as what. */
  subject: string | null
  artifact_type: string | null
  /** JSON. */
  annotations: string | null
}

/** What a manifest needs: blobs and, of an index, manifests. Counted before anything is collected. */
export interface ReferencesTable {
  repository: string
  manifest: string
  digest: string
}

export interface TagsTable {
  repository: string
  tag: string
  /** The tag's bytes in hex: sorts the same under every collation. */
  sort_key: string
  digest: string
  updated_at: string
}

export interface UploadsTable {
  id: string
  repository: string
  size: number
  touched_ms: number
}

/** A file of an upload. Named here before it exists, so that no sweep takes it. */
export interface UploadPartsTable {
  key: string
  upload_id: string
  /** Where it begins; -1 for the whole that is put together at the end. */
  start: number
  /** Null while it is being written. */
  size: number | null
  sha256: string | null
  /** The host of the process that writes it. */
  uploader: string
}

export interface RefreshTokensTable {
  /** Of the token, which itself is nowhere. */
  sha256: string
  user_id: string
  project_id: string
  proven_ms: number
  expires_ms: number
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    registry_blobs: BlobsTable
    registry_manifests: ManifestsTable
    registry_references: ReferencesTable
    registry_tags: TagsTable
    registry_uploads: UploadsTable
    registry_upload_parts: UploadPartsTable
    registry_refresh_tokens: RefreshTokensTable
  }
}

export const migrations: readonly Migration[] = [
  {
    name: '0001-blobs-and-manifests',
    async up(db) {
      await db.schema
        .createTable('registry_blobs')
        .addColumn('repository', 'text', (c) => c.notNull())
        .addColumn('digest', 'text', (c) => c.notNull())
        .addColumn('media_type', 'text', (c) => c.notNull())
        .addColumn('blob_key', 'text', (c) => c.notNull())
        .addColumn('blob_offset', 'bigint', (c) => c.notNull())
        .addColumn('size', 'bigint', (c) => c.notNull())
        .addPrimaryKeyConstraint('registry_blobs_pk', ['repository', 'digest'])
        .addCheckConstraint('registry_blobs_range', sql`blob_offset >= 0 and size >= 0`)
        .execute()
      await db.schema.createIndex('registry_blobs_key').on('registry_blobs').column('blob_key').execute()
      await db.schema
        .createTable('registry_manifests')
        .addColumn('repository', 'text', (c) => c.notNull())
        .addColumn('digest', 'text', (c) => c.notNull())
        .addColumn('media_type', 'text', (c) => c.notNull())
        .addColumn('content', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('registry_manifests_pk', ['repository', 'digest'])
        .execute()
    },
  },
  {
    name: '0002-push',
    async up(db) {
      await db.schema.alterTable('registry_blobs').addColumn('touched_ms', 'bigint').execute()
      await db.schema.createIndex('registry_blobs_digest').on('registry_blobs').column('digest').execute()
      await db.schema.createIndex('registry_blobs_touched').on('registry_blobs').column('touched_ms').execute()
      for (const column of ['subject', 'artifact_type', 'annotations'])
        await db.schema.alterTable('registry_manifests').addColumn(column, 'text').execute()
      await db.schema
        .createIndex('registry_manifests_subject')
        .on('registry_manifests')
        .columns(['repository', 'subject'])
        .execute()
      await db.schema
        .createTable('registry_references')
        .addColumn('repository', 'text', (c) => c.notNull())
        .addColumn('manifest', 'text', (c) => c.notNull())
        .addColumn('digest', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('registry_references_pk', ['repository', 'digest', 'manifest'])
        .execute()
      await db.schema
        .createTable('registry_tags')
        .addColumn('repository', 'text', (c) => c.notNull())
        .addColumn('tag', 'text', (c) => c.notNull())
        .addColumn('sort_key', 'text', (c) => c.notNull())
        .addColumn('digest', 'text', (c) => c.notNull())
        .addColumn('updated_at', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('registry_tags_pk', ['repository', 'tag'])
        .execute()
      await db.schema
        .createIndex('registry_tags_order')
        .on('registry_tags')
        .columns(['repository', 'sort_key'])
        .execute()
      await db.schema
        .createTable('registry_uploads')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('repository', 'text', (c) => c.notNull())
        .addColumn('size', 'bigint', (c) => c.notNull())
        .addColumn('touched_ms', 'bigint', (c) => c.notNull())
        .execute()
      await db.schema
        .createTable('registry_upload_parts')
        .addColumn('key', 'text', (c) => c.primaryKey())
        .addColumn('upload_id', 'text', (c) => c.notNull().references('registry_uploads.id').onDelete('cascade'))
        .addColumn('start', 'bigint', (c) => c.notNull())
        .addColumn('size', 'bigint')
        .addColumn('sha256', 'text')
        .addColumn('uploader', 'text', (c) => c.notNull())
        .execute()
      await db.schema
        .createIndex('registry_upload_parts_upload')
        .on('registry_upload_parts')
        .column('upload_id')
        .execute()
      await db.schema
        .createTable('registry_refresh_tokens')
        .addColumn('sha256', 'text', (c) => c.primaryKey())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('project_id', 'text', (c) => c.notNull())
        .addColumn('proven_ms', 'bigint', (c) => c.notNull())
        .addColumn('expires_ms', 'bigint', (c) => c.notNull())
        .execute()
    },
  },
  scrubMigration,
  eventMigration,
]
