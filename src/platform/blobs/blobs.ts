import type { Readable } from 'node:stream'

/** A digest as OCI writes it: `sha256:<64 hex digits>`. */
export type Digest = `sha256:${string}`

export interface Stored {
  key: string
  size: number
  sha256: string
  /** Of everything written, as Glance's `checksum` and `os_hash_value`. */
  md5: string
  sha512: string
}

export interface PutOptions {
  key?: string
  maxBytes?: number
  /** A source that gives nothing for so long has failed: its sender may be gone without a word. */
  idleMs?: number
  /** Only sha256 is computed; the other hashes are empty. */
  sha256Only?: boolean
  signal?: AbortSignal
}

/** Something that is read here and there. */
export interface BlobReader {
  readonly size: number
  /** As much of it as there is. */
  read(offset: number, length: number): Promise<Buffer>
  close(): Promise<void>
}

/** One of the places that bytes are kept in. */
export interface StoreInfo {
  id: string
  /** `file`, `swift`, `s3` … as Glance calls them. */
  type: string
  description: string
  /** What may be shown of how it is set up: no secrets. */
  properties: Readonly<Record<string, string | number | boolean>>
}

/**
 * Bytes on disk, known by key. A key is written once and never changes; what a key means (a blob, an archive whose
 * ranges are blobs) is its owner's to say, in the owner's tables, in the owner's transaction.
 */
export interface BlobStore {
  /** The one where data goes unless somebody says otherwise comes first. */
  readonly stores: readonly StoreInfo[]
  /** A fresh key of a store; of the first when none is named. */
  newKey(prefix: string, store?: string): string
  /** Where a key's bytes are. */
  storeOf(key: string): string
  /**
   * Streams to a temporary file, hashing on the way, then fsync, rename, fsync of the directory. `key` defaults to a
   * fresh id. A stream that fails or is aborted leaves nothing behind. `maxBytes` exceeded → CloudError `tooLarge`.
   * A full disk → CloudError `noSpace`. A stream that is refused is its owner's to destroy.
   */
  put(source: Readable, options?: PutOptions): Promise<Stored>
  /** `start` and `end` are byte offsets, `end` exclusive. @throws NotFound */
  open(key: string, range?: { start: number; end: number }): Promise<Readable>
  size(key: string): Promise<number>
  /** For parsers that seek. @throws NotFound */
  reader(key: string): Promise<BlobReader>
  /** Repeatable. */
  remove(key: string): Promise<void>
  /** Every key with its age in ms, for sweeping up what no row names. */
  list(): AsyncIterable<{ key: string; ageMs: number }>
}
