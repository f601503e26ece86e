import { CloudError } from '../errors.ts'

/** SQLITE_FULL, SQLSTATE disk_full. */
const isFull = (error: unknown): boolean =>
  error instanceof Error &&
  (('errcode' in error && (Number(error.errcode) & 0xff) === 13) || ('code' in error && error.code === '53100'))

/**
 * What a failed write throws: a full disk said by name, anything else as it came. Nothing of the write has stayed.
 * Sources: SQLite documentation, "Result and Error Codes"; PostgreSQL documentation, "Error Codes", class 53.
 */
export function storageFault(error: unknown): unknown {
  if (!isFull(error)) return error
  return new CloudError('noSpace', 'There is no space left on the disk that keeps the database.', { cause: error })
}
