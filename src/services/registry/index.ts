import type { Readable } from 'node:stream'
import type { Authenticate } from '../../platform/auth/context.ts'
import { createPolicy } from '../../platform/auth/policy-engine.ts'
import { createFailureLimit } from '../../platform/auth/rate-limit.ts'
import { loopbackHostOf, urlOf } from '../../platform/config.ts'
import type { Db, Trx } from '../../platform/db/database.ts'
import { createApp } from '../../platform/http/app.ts'
import type { Ground, Service, ServiceMigrations } from '../../platform/service.ts'
import type { IdentityService } from '../identity/index.ts'
import * as pushed from './db/pushed.ts'
import * as repositories from './db/repositories.ts'
import * as scrubs from './db/scrubs.ts'
import { migrations } from './db/tables.ts'
import * as tagRows from './db/tags.ts'
import type { Deps, Images } from './logic/deps.ts'
import { collect, recover, survey } from './logic/garbage.ts'
import { adopt, keep } from './logic/keeping.ts'
import { createMirror } from './logic/mirror.ts'
import { createTokens, loadKey } from './logic/tokens.ts'
import { garbageReconciler } from './reconcile/garbage.ts'
import { notificationLoop, notificationReconciler } from './reconcile/notifications.ts'
import { scrubLoop, scrubReconciler } from './reconcile/scrub.ts'
import { registryFault } from './routes/fault.ts'
import { repositoryRoutes } from './routes/repositories.ts'
import { searchRoutes } from './routes/search.ts'
import { tokenRoutes } from './routes/token.ts'

export type { Blob, Manifest, Placed } from './db/repositories.ts'
export type { Action, ContainerImage, Images, NamedImage, Owner, Tagged } from './logic/deps.ts'

export const registryMigrations: ServiceMigrations = { service: 'registry', migrations }

/** The door of the registry. */
export interface RegistryService extends Service {
  /** `127.0.0.1:5042`: what engines put before a repository's name. */
  readonly host: string
  /** For exactly this repository, to be sent as `registrytoken` in an engine's `X-Registry-Auth`. */
  pullToken(repository: string, ttlSeconds: number): string
  /** Serves these ranges of stored files in `repository`, from the commit of `trx` on. */
  publish(
    trx: Trx,
    repository: string,
    content: { manifest: repositories.Manifest; blobs: readonly (repositories.Blob & { blobKey: string })[] },
  ): Promise<void>
  /** Makes a blob of bytes whose digest the caller has computed, unless the store has them: then only a row. */
  keep(repository: string, digest: string, size: number, open: () => Promise<Readable>): Promise<void>
  /** Serves a manifest of what `keep` was told of, and of what `from` has. */
  assemble: typeof repositories.assemble
  /** Blobs that were pushed have their bytes in this file from now on. */
  prefer: typeof repositories.prefer
  /** Gives the blobs in a file that is otherwise not needed files of their own. */
  adopt(key: string): Promise<void>
  findAnywhere: typeof pushed.findAnywhere
  /** Removes what nobody needs, now. */
  collect(): Promise<Record<string, number>>
  /** What that would be; `more` knows those of the files with `prefix` that are in use. */
  survey(
    prefix: string,
    more: (keys: readonly string[]) => Promise<Set<string>>,
  ): Promise<{ uploads: number; blobs: number; files: number; bytes: number }>
  /** Has every blob looked at again; answers which are known to be damaged. */
  rescrub(): Promise<{ damaged: string[] }>
  /** The opposite, whether anything was published or not. The file stays: it is its owner's. */
  withdraw(trx: Trx, repository: string): Promise<void>
  /** Serves one manifest of `from` and its blobs, `digests`, in `to` too. */
  link: typeof repositories.link
  findManifest(db: Db, repository: string, digest: string): Promise<repositories.Manifest | null>
  findBlob(db: Db, repository: string, digest: string): Promise<repositories.Placed | null>
  /** Those of `keys` in whose files some repository has blobs: they must stay, whoever they were of. */
  keysInUse(db: Db, keys: readonly string[]): Promise<Set<string>>
  /** What of a repository is blobs, all together. */
  contents(db: Db, repository: string): Promise<{ digests: string[] }>
  /** The same bytes are in another file now. */
  moved(trx: Trx, from: string, to: string): Promise<void>
  /** Takes a tag away as long as it means `digest`. Repeatable. */
  untag(trx: Trx, repository: string, tag: string, digest: string): Promise<void>
  /** What makes images of tags. Once, before the first request. */
  serve(images: Images): void
}

/** Nothing stands above: nobody may anything. */
const noImages: Images = {
  may: () => false,
  tagged: async () => {},
  settled: () => {},
  untagged: async () => {},
  find: async () => [],
  names: async () => [],
}

/** Failed attempts with refresh tokens from one address before it must wait. */
const allowedFailures = 20
const failureWindowMs = 60_000

/** The OCI distribution API. */
export async function createRegistry(
  ground: Ground,
  identity: Pick<IdentityService, 'logIn' | 'reissue' | 'projects'> & { authenticate: Authenticate },
): Promise<RegistryService> {
  const { config, database, blobs, clock, log } = ground
  const tokens = createTokens(await loadKey(config.stateDir), clock)
  const deps: Deps = {
    database,
    blobs,
    clock,
    log,
    tokens,
    identity,
    failures: createFailureLimit(clock, allowedFailures, failureWindowMs),
    images: noImages,
    uploader: config.host,
    receiving: new Set(),
    sizeMaxBytes: config.imageSizeMaxBytes,
    scrubBytesPerSecond: config.scrubMiBPerSecond * 1024 * 1024,
    mirror: createMirror(config.registryUpstreams),
    readOnly: config.registryReadOnly,
    notify: config.registryNotifications.split(/[\s,]+/).filter((url) => url !== ''),
    url: urlOf(config, 'registry'),
    noted: () => ground.nudge(notificationLoop),
  }
  const app = createApp({
    service: 'registry',
    dialect: registryFault,
    policy: createPolicy([]),
    authenticate: () => null, // tokens here are the registry's own
    identityUrl: `${urlOf(config, 'identity')}/v3`,
    log,
    tokens: false,
  })
  repositoryRoutes(app, deps)
  tokenRoutes(app, deps)
  searchRoutes(app, deps)
  return {
    name: 'registry',
    app,
    loops: [garbageReconciler(deps), scrubReconciler(deps), notificationReconciler(deps)],
    async start() {
      const dropped = await recover(deps)
      if (dropped > 0) log.info({ dropped }, 'forgot chunks that an earlier process was receiving')
    },
    host: loopbackHostOf(config, 'registry'),
    pullToken: (repository, ttlSeconds) =>
      tokens.issue({
        subject: 'engine',
        access: [{ type: 'repository', name: repository, actions: ['pull'] }],
        ttlSeconds,
      }),
    publish: (trx, repository, content) => repositories.insert(trx, repository, content),
    withdraw: (trx, repository) => repositories.remove(trx, repository),
    keep: (repository, digest, size, open) => keep(deps, repository, digest, size, open),
    assemble: repositories.assemble,
    prefer: repositories.prefer,
    adopt: (key) => adopt(deps, key),
    findAnywhere: pushed.findAnywhere,
    collect: () => collect(deps),
    survey: (prefix, more) => survey(deps, prefix, more),
    async rescrub() {
      await database.write((trx) => scrubs.reset(trx))
      ground.nudge(scrubLoop)
      return { damaged: await scrubs.bad(database.read) }
    },
    link: repositories.link,
    findManifest: repositories.findManifest,
    findBlob: repositories.findBlob,
    keysInUse: pushed.keysInUse,
    contents: async (db, repository) => ({ digests: await repositories.digests(db, repository) }),
    moved: repositories.moved,
    async untag(trx, repository, tag, digest) {
      if ((await tagRows.find(trx, repository, tag)) === digest) await tagRows.remove(trx, repository, tag)
    },
    serve(images) {
      deps.images = images
    },
  }
}
