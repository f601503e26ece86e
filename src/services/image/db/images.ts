import type { Selectable } from 'kysely'
import type { Db, Trx } from '../../../platform/db/database.ts'
import * as locationRows from './locations.ts'
import type { ImagesTable, ImportPhase, Status, Visibility } from './tables.ts'

export interface Image {
  id: string
  name: string | null
  status: Status | ImportPhase
  visibility: Visibility
  owner: string | null
  diskFormat: string | null
  containerFormat: string | null
  size: number | null
  virtualSize: number | null
  checksum: string | null
  osHashAlgo: string | null
  osHashValue: string | null
  minDisk: number
  minRam: number
  protected: boolean
  osHidden: boolean
  createdAt: string
  updatedAt: string
  blobKey: string | null
  uploadKey: string | null
  uploader: string | null
  configDigest: string | null
  manifestDigest: string | null
  isSnapshot: boolean
  /** Further copies of the data. */
  copies: readonly { store: string; key: string }[]
  properties: Record<string, string>
  tags: string[]
}

type Row = Selectable<ImagesTable>

/** PostgreSQL's bigint may arrive as text. */
const numberOrNull = (value: number | string | null): number | null => (value === null ? null : Number(value))

const imageOf = (row: Row): Image => ({
  id: row.id,
  name: row.name,
  status: row.import_phase ?? row.status,
  visibility: row.visibility,
  owner: row.owner,
  diskFormat: row.disk_format,
  containerFormat: row.container_format,
  size: numberOrNull(row.size),
  virtualSize: numberOrNull(row.virtual_size),
  checksum: row.checksum,
  osHashAlgo: row.os_hash_algo,
  osHashValue: row.os_hash_value,
  minDisk: row.min_disk,
  minRam: row.min_ram,
  protected: row.protected === 1,
  osHidden: row.os_hidden === 1,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  blobKey: row.blob_key,
  uploadKey: row.upload_key,
  uploader: row.uploader,
  configDigest: row.config_digest,
  manifestDigest: row.manifest_digest,
  isSnapshot: row.is_snapshot === 1,
  copies: [],
  properties: {},
  tags: [],
})

const phaseOf = (status: Image['status']): ImportPhase | null =>
  status === 'uploading' || status === 'importing' ? status : null

/** All columns but those with ways of their own. */
const rowOf = (image: Image): Omit<Row, 'retired_ms' | 'copy_count'> => ({
  id: image.id,
  name: image.name,
  status: image.status === 'uploading' || image.status === 'importing' ? 'queued' : image.status,
  import_phase: phaseOf(image.status),
  visibility: image.visibility,
  owner: image.owner,
  disk_format: image.diskFormat,
  container_format: image.containerFormat,
  size: image.size,
  virtual_size: image.virtualSize,
  checksum: image.checksum,
  os_hash_algo: image.osHashAlgo,
  os_hash_value: image.osHashValue,
  min_disk: image.minDisk,
  min_ram: image.minRam,
  protected: image.protected ? 1 : 0,
  os_hidden: image.osHidden ? 1 : 0,
  created_at: image.createdAt,
  updated_at: image.updatedAt,
  blob_key: image.blobKey,
  upload_key: image.uploadKey,
  uploader: image.uploader,
  config_digest: image.configDigest,
  manifest_digest: image.manifestDigest,
  is_snapshot: image.isSnapshot ? 1 : 0,
})

/** @throws a unique violation when the id is taken. */
export async function insert(trx: Trx, image: Image): Promise<void> {
  await trx.insertInto('image_images').values(rowOf(image)).execute()
  await insertDetails(trx, image)
}

/** Writes everything an image is made of, over what was there; its copies have ways of their own. */
export async function save(trx: Trx, image: Image): Promise<void> {
  const { id, ...changed } = rowOf(image)
  await trx.updateTable('image_images').set(changed).where('id', '=', id).execute()
  await trx.deleteFrom('image_properties').where('image_id', '=', id).execute()
  await trx.deleteFrom('image_tags').where('image_id', '=', id).execute()
  await insertDetails(trx, image)
}

async function insertDetails(trx: Trx, { id, properties, tags }: Image): Promise<void> {
  const values = Object.entries(properties).map(([name, value]) => ({ image_id: id, name, value }))
  if (values.length > 0) await trx.insertInto('image_properties').values(values).execute()
  if (tags.length === 0) return
  await trx
    .insertInto('image_tags')
    .values(tags.map((tag) => ({ image_id: id, tag })))
    .execute()
}

export async function find(db: Db, id: string): Promise<Image | undefined> {
  const row = await db.selectFrom('image_images').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? (await withDetails(db, [row]))[0] : undefined
}

/** Rows → images, with their properties and tags. */
export async function withDetails(db: Db, rows: readonly Row[]): Promise<Image[]> {
  if (rows.length === 0) return []
  const ids = rows.map((row) => row.id)
  const properties = await db.selectFrom('image_properties').selectAll().where('image_id', 'in', ids).execute()
  const tags = await db.selectFrom('image_tags').selectAll().where('image_id', 'in', ids).orderBy('tag').execute()
  const images = new Map(rows.map((row) => [row.id, imageOf(row)]))
  for (const { image_id, name, value } of properties) {
    const image = images.get(image_id)
    if (image) image.properties[name] = value
  }
  for (const { image_id, tag } of tags) images.get(image_id)?.tags.push(tag)
  for (const { imageId, store, key } of await locationRows.list(db, ids)) {
    const image = images.get(imageId)
    if (image) image.copies = [...image.copies, { store, key }]
  }
  return [...images.values()]
}

/** Repeatable. Properties, tags and members go with it. */
export async function remove(trx: Trx, id: string): Promise<void> {
  await trx.deleteFrom('image_images').where('id', '=', id).execute()
}

/** Gives back to `queued` what `uploader` says it is receiving, but for `live`; says how many images that were. */
export async function requeueUploadsOf(trx: Trx, uploader: string, live: readonly string[]): Promise<number> {
  let update = trx
    .updateTable('image_images')
    .set({ status: 'queued', import_phase: null, upload_key: null, uploader: null })
    .where((eb) => eb.or([eb('status', '=', 'saving'), eb('import_phase', '=', 'uploading')]))
    .where('uploader', '=', uploader)
  if (live.length > 0) update = update.where('upload_key', 'not in', live)
  const { numUpdatedRows } = await update.executeTakeFirst()
  return Number(numUpdatedRows)
}

/** Those of `keys` that an image's data has, or is going to have. */
export async function keysInUse(db: Db, keys: readonly string[]): Promise<Set<string>> {
  if (keys.length === 0) return new Set()
  const rows = await db
    .selectFrom('image_images')
    .select(['blob_key', 'upload_key'])
    .where((eb) => eb.or([eb('blob_key', 'in', keys), eb('upload_key', 'in', keys)]))
    .execute()
  const copies = await db.selectFrom('image_locations').select('key').where('key', 'in', keys).execute()
  const named = new Set(copies.map(({ key }) => key))
  for (const key of rows.flatMap(({ blob_key, upload_key }) => [blob_key, upload_key])) {
    if (key !== null) named.add(key)
  }
  return named
}
