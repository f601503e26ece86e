import { sql } from 'kysely'
import type { Migration } from '../../../platform/db/database.ts'

/** A blob as one repository has it: a range of a stored file. Every repository has rows of its own. */
export interface BlobsTable {
  repository: string
  digest: string
  media_type: string
  /** In the blob store. */
  blob_key: string
  blob_offset: number
  size: number
}

export interface ManifestsTable {
  repository: string
  digest: string
  media_type: string
  /** Byte for byte what was published: its sha256 is `digest`. */
  content: string
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    registry_blobs: BlobsTable
    registry_manifests: ManifestsTable
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
]
