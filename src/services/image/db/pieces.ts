import type { Db, Migration, Trx } from '../../../platform/db/database.ts'

/** Of an uploaded archive whose layers the store had already: where its bytes are, piece by piece. */
export interface PiecesTable {
  image_id: string
  /** In the data as it was uploaded. */
  start: number
  size: number
  /** A blob of the image's repository; null: in the image's own file. */
  digest: string | null
  file_offset: number
}

declare module '../../../platform/db/database.ts' {
  interface Tables {
    image_pieces: PiecesTable
  }
}

export const piecesMigration: Migration = {
  name: '0007-pieces',
  async up(db) {
    await db.schema
      .createTable('image_pieces')
      .addColumn('image_id', 'text', (c) => c.notNull().references('image_images.id').onDelete('cascade'))
      .addColumn('start', 'bigint', (c) => c.notNull())
      .addColumn('size', 'bigint', (c) => c.notNull())
      .addColumn('digest', 'text')
      .addColumn('file_offset', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('image_pieces_pk', ['image_id', 'start'])
      .execute()
    // When a tag moved on and left the image behind: it goes when nobody uses it any more.
    await db.schema.alterTable('image_images').addColumn('retired_ms', 'bigint').execute()
    await db.schema.createIndex('image_images_retired').on('image_images').column('retired_ms').execute()
  },
}

export interface Piece {
  start: number
  size: number
  digest: string | null
  fileOffset: number
}

export async function insert(trx: Trx, imageId: string, pieces: readonly Piece[]): Promise<void> {
  const rows = pieces.map(({ start, size, digest, fileOffset }) => ({
    ...{ image_id: imageId, start, size, digest },
    file_offset: fileOffset,
  }))
  for (let i = 0; i < rows.length; i += 200)
    await trx
      .insertInto('image_pieces')
      .values(rows.slice(i, i + 200))
      .execute()
}

/** In order; none of an image whose file is its data. */
export async function list(db: Db, imageId: string): Promise<Piece[]> {
  const rows = await db
    .selectFrom('image_pieces')
    .selectAll()
    .where('image_id', '=', imageId)
    .orderBy('start')
    .execute()
  return rows.map(({ start, size, digest, file_offset }) => ({
    ...{ start: Number(start), size: Number(size), digest },
    fileOffset: Number(file_offset),
  }))
}

/** Images that a tag left behind before `beforeMs` and that nobody has taken up: still hidden, not protected. */
export async function retired(db: Db, beforeMs: number, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('image_images')
    .select('id')
    .where('retired_ms', '<', beforeMs)
    .where('os_hidden', '=', 1)
    .where('protected', '=', 0)
    .orderBy('retired_ms')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

export async function retire(trx: Trx, id: string, nowMs: number | null): Promise<void> {
  await trx.updateTable('image_images').set({ retired_ms: nowMs }).where('id', '=', id).execute()
}
