import { createPolicy } from '../../platform/auth/policy-engine.ts'
import { loopbackHostOf, urlOf } from '../../platform/config.ts'
import type { Trx } from '../../platform/db/database.ts'
import { createApp } from '../../platform/http/app.ts'
import type { Ground, Service, ServiceMigrations } from '../../platform/service.ts'
import * as repositories from './db/repositories.ts'
import { migrations } from './db/tables.ts'
import { createPullTokens, loadKey } from './logic/pull-tokens.ts'
import { registryFault } from './routes/fault.ts'
import { pullRoutes } from './routes/pull.ts'

export type { Blob, Manifest } from './db/repositories.ts'

export const registryMigrations: ServiceMigrations = { service: 'registry', migrations }

/** The door of the registry. */
export interface RegistryService extends Service {
  /** `127.0.0.1:5042`: what engines put before a repository's name. */
  readonly host: string
  /** For exactly this repository, to be sent as `registrytoken` in an engine's `X-Registry-Auth`. */
  pullToken(repository: string, ttlSeconds: number): string
  /** Serves these ranges of the stored file `blobKey` in `repository`, from the commit of `trx` on. */
  publish(
    trx: Trx,
    repository: string,
    content: { manifest: repositories.Manifest; blobs: readonly repositories.Blob[]; blobKey: string },
  ): Promise<void>
  /** The opposite, whether anything was published or not. The file stays: it is its owner's. */
  withdraw(trx: Trx, repository: string): Promise<void>
}

/** The OCI distribution API over what other services keep in the blob store. */
export async function createRegistry(ground: Ground): Promise<RegistryService> {
  const { config, database, blobs, clock, log } = ground
  const tokens = createPullTokens(await loadKey(config.stateDir), clock)
  const app = createApp({
    service: 'registry',
    dialect: registryFault,
    policy: createPolicy([]),
    authenticate: () => null, // tokens here are the registry's own
    identityUrl: `${urlOf(config, 'identity')}/v3`,
    log,
    tokens: false,
  })
  pullRoutes(app, { db: database.read, blobs, tokens })
  return {
    name: 'registry',
    app,
    loops: [],
    host: loopbackHostOf(config, 'registry'),
    pullToken: (repository, ttlSeconds) => tokens.issue(repository, ttlSeconds),
    publish: (trx, repository, content) => repositories.insert(trx, repository, content),
    withdraw: (trx, repository) => repositories.remove(trx, repository),
  }
}
