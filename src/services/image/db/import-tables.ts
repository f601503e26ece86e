import type { Migration } from '../../../platform/db/database.ts'

export type TaskStatus = 'pending' | 'processing' | 'success' | 'failure'

/** Data that was staged whole; its file is the image's `upload_key` until the import is done. */
export interface StagingsTable {
  image_id: string
  key: string
  size: number
  md5: string
  sha512: string
}

/** What an import does, and what became of it. It outlives its image. */
export interface TasksTable {
  id: string
  image_id: string
  type: string
  status: TaskStatus
  owner: string
  user_id: string
  request_id: string
  input: string
  result: string | null
  message: string
  created_at: string
  updated_at: string
  /** JSON: what it needs besides what its owner may read. */
  detail: string | null
  /** When it may be forgotten; null until it has ended. */
  expires_at: string | null
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    image_stagings: StagingsTable
    image_tasks: TasksTable
  }
}

export const importMigration: Migration = {
  name: '0005-imports',
  async up(db) {
    // Beside `status`, whose values a constraint names: an image that is `uploading` or `importing` is `queued` there.
    await db.schema.alterTable('image_images').addColumn('import_phase', 'text').execute()
    await db.schema.createIndex('image_images_import_phase').on('image_images').columns(['import_phase']).execute()
    await db.schema
      .createTable('image_stagings')
      .addColumn('image_id', 'text', (c) => c.primaryKey().references('image_images.id').onDelete('cascade'))
      .addColumn('key', 'text', (c) => c.notNull())
      .addColumn('size', 'bigint', (c) => c.notNull())
      .addColumn('md5', 'text', (c) => c.notNull())
      .addColumn('sha512', 'text', (c) => c.notNull())
      .execute()
    await db.schema
      .createTable('image_tasks')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('image_id', 'text', (c) => c.notNull())
      .addColumn('type', 'text', (c) => c.notNull())
      .addColumn('status', 'text', (c) => c.notNull())
      .addColumn('owner', 'text', (c) => c.notNull())
      .addColumn('user_id', 'text', (c) => c.notNull())
      .addColumn('request_id', 'text', (c) => c.notNull())
      .addColumn('input', 'text', (c) => c.notNull())
      .addColumn('result', 'text')
      .addColumn('message', 'text', (c) => c.notNull())
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addColumn('updated_at', 'text', (c) => c.notNull())
      .addColumn('expires_at', 'text')
      .execute()
    for (const columns of [['image_id'], ['status', 'created_at'], ['created_at', 'id'], ['expires_at']]) {
      const name = `image_tasks_${columns.join('_')}`
      await db.schema.createIndex(name).on('image_tasks').columns(columns).execute()
    }
  },
}
