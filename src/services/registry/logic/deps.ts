import type { Authenticate, Context } from '../../../platform/auth/context.ts'
import type { FailureLimit } from '../../../platform/auth/rate-limit.ts'
import type { BlobStore } from '../../../platform/blobs/blobs.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Database, Db, Trx } from '../../../platform/db/database.ts'
import type { Logger } from '../../../platform/log.ts'
import type { IdentityService } from '../../identity/index.ts'
import type { Mirror } from './mirror.ts'
import type { Tokens } from './tokens.ts'

export type Action = 'pull' | 'push' | 'delete'

/** A part of the name space: a project's, or the public `library/` (null). */
export type Owner = string | null

/** An image that is found under a repository's name. */
export interface NamedImage {
  tag: string
  /** `images/<id>`, which has its manifest and blobs. */
  repository: string
  manifest: string
}

/** A tag that was set. */
export interface Tagged {
  ctx: Context
  owner: Owner
  repository: string
  /** Without the owner. */
  name: string
  tag: string
  digest: string
  /** What an engine of this machine would pull; null for an artifact that is no container image. */
  image: ContainerImage | null
}

export interface ContainerImage {
  manifest: string
  config: string
  /** Configuration and layers. */
  digests: readonly string[]
  os: string
  architecture: string
  annotations: Readonly<Record<string, string>>
}

/**
 * What stands above the registry and knows images: it makes one of every tag, finds those that were not pushed, and
 * says who may do what.
 */
export interface Images {
  may(ctx: Context, action: Action, owner: Owner): boolean
  /** In the transaction that sets the tag; also for a tag that stays as it was. */
  tagged(trx: Trx, tagged: Tagged): Promise<void>
  /** After the commit of a tag: only a hint. */
  settled(): void
  /** In the transaction that removes the tag. @throws CloudError when the image may not go */
  untagged(trx: Trx, ctx: Context, repository: string, tag: string): Promise<void>
  /**
   * Images that `ctx` may download under this name, the newest first; `hidden`: also those whose tag moved on; `uploaded`:
   * only those that no tag means.
   */
  find(
    db: Db,
    ctx: Context,
    owner: Owner,
    name: string,
    wanted?: { tag?: string; digest?: string; hidden?: boolean; uploaded?: boolean },
  ): Promise<NamedImage[]>
  /** Names of repositories under which `ctx` finds images. */
  names(db: Db, ctx: Context, term: string, limit: number): Promise<{ owner: Owner; name: string }[]>
}

export interface Deps {
  database: Database
  blobs: BlobStore
  clock: Clock
  log: Logger
  tokens: Tokens
  identity: Pick<IdentityService, 'logIn' | 'reissue' | 'projects'> & { authenticate: Authenticate }
  /** Refused refresh tokens per address. */
  failures: FailureLimit
  /** Set before the first request. */
  images: Images
  /** Names this process in rows, so that after a crash it finds what it was receiving. */
  uploader: string
  /** Keys of the files it is writing now. */
  receiving: Set<string>
  sizeMaxBytes: number
  /** How fast stored blobs are held against their digests; 0: never. */
  scrubBytesPerSecond: number
  /** Fetches what other registries have under names of ours. */
  mirror: Mirror
  /** Nothing may be pushed or deleted. */
  readOnly: boolean
  /** Who is told of pushes: URLs. */
  notify: readonly string[]
  /** Our own, in what they are told. */
  url: string
  /** After the commit of something that is to be told. */
  noted(): void
}
