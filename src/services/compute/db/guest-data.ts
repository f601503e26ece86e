import type { Db } from '../../../platform/db/database.ts'

export interface GuestKey {
  name: string
  type: 'ssh' | 'x509'
  data: string
}

/** A file put into a server before it starts. */
export interface GuestFile {
  path: string
  /** Base64. */
  contents: string
}

export interface GuestData {
  key: GuestKey | null
  files: readonly GuestFile[]
  password: string | null
}

const nothing: GuestData = { key: null, files: [], password: null }

/** Of each of these servers; those without a row have nothing. */
export async function list(db: Db, serverIds: readonly string[]): Promise<Map<string, GuestData>> {
  if (serverIds.length === 0) return new Map()
  const rows = await db.selectFrom('compute_guest_data').selectAll().where('server_id', 'in', serverIds).execute()
  return new Map(
    rows.map((row) => [
      row.server_id,
      {
        key: row.key === null ? null : (JSON.parse(row.key) as GuestKey),
        files: JSON.parse(row.files) as GuestFile[],
        password: row.password,
      },
    ]),
  )
}

export async function get(db: Db, serverId: string): Promise<GuestData> {
  return (await list(db, [serverId])).get(serverId) ?? nothing
}

/** Of new servers; writes nothing when there is nothing to tell. */
export async function insert(
  db: Db,
  serverIds: readonly string[],
  { key, files }: Pick<GuestData, 'key' | 'files'>,
): Promise<void> {
  if ((key === null && files.length === 0) || serverIds.length === 0) return
  const row = { key: key && JSON.stringify(key), files: JSON.stringify(files), password: null }
  await db
    .insertInto('compute_guest_data')
    .values(serverIds.map((server_id) => ({ server_id, ...row })))
    .execute()
}

/** What is left out stays. */
export async function change(db: Db, serverId: string, changes: Partial<GuestData>): Promise<void> {
  const { key, files, password } = { ...(await get(db, serverId)), ...changes }
  const row = { key: key && JSON.stringify(key), files: JSON.stringify(files), password }
  await db
    .insertInto('compute_guest_data')
    .values({ server_id: serverId, ...row })
    .onConflict((conflict) => conflict.column('server_id').doUpdateSet(row))
    .execute()
}

export async function remove(db: Db, serverId: string): Promise<void> {
  await db.deleteFrom('compute_guest_data').where('server_id', '=', serverId).execute()
}
