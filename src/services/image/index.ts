import type { Authenticate, Context } from '../../platform/auth/context.ts'
import { scoped } from '../../platform/auth/policy.ts'
import { createPolicy } from '../../platform/auth/policy-engine.ts'
import { localUrlOf, urlOf } from '../../platform/config.ts'
import type { Db, Trx } from '../../platform/db/database.ts'
import { createApp } from '../../platform/http/app.ts'
import { outwardRulesOf } from '../../platform/http/outward.ts'
import type { LimitStore } from '../../platform/quota/limits.ts'
import type { Ground, Service, ServiceMigrations } from '../../platform/service.ts'
import type { RegistryService } from '../registry/index.ts'
import { keysInUse } from './db/images.ts'
import { migrations } from './db/tables.ts'
import * as boot from './logic/boot.ts'
import type { Deps } from './logic/images.ts'
import { imagesFor } from './logic/pushes.ts'
import { imageQuotas } from './logic/quotas.ts'
import { areMany } from './logic/stores.ts'
import { keyPrefix, tidy } from './logic/uploads.ts'
import { imagePolicy } from './policy.ts'
import { checksumLoop, checksumReconciler } from './reconcile/checksums.ts'
import { importLoop, importReconciler } from './reconcile/imports.ts'
import { retiredReconciler, type Usage } from './reconcile/retired.ts'
import { uploadReconciler } from './reconcile/uploads.ts'
import { imageFault } from './routes/fault.ts'
import { imageDataRoutes } from './routes/image-data.ts'
import { imageMemberRoutes } from './routes/image-members.ts'
import { imageRoutes } from './routes/images.ts'
import { importRoutes } from './routes/imports.ts'
import { metadefContentRoutes } from './routes/metadef-contents.ts'
import { metadefNamespaceRoutes } from './routes/metadef-namespaces.ts'
import { refuseTrailingSlash } from './routes/shared.ts'
import { taskRoutes } from './routes/tasks.ts'
import { usageRoutes } from './routes/usage.ts'
import { versionRoutes } from './routes/versions.ts'

export type { Bootable, NewSnapshot } from './logic/boot.ts'

export { imagePolicy as imageRules } from './policy.ts'

export const imageMigrations: ServiceMigrations = { service: 'image', migrations }

/** The door of the Image service. */
export interface ImageService extends Service {
  /** What `ctx` may boot. @throws NotFound */
  bootable(db: Db, ctx: Context, imageId: string): Promise<boot.Bootable>
  /** Where a host sends a snapshot's data: PUT with its project's token. */
  uploadUrl(imageId: string): string
  /** A `queued` private image; answers its id. */
  createSnapshot(trx: Trx, wanted: boot.NewSnapshot): Promise<string>
  /** Removes an image that never got its data. Repeatable. */
  fail(trx: Trx, imageId: string): Promise<void>
  /** Forgets a snapshot that Compute made for itself, unless somebody has protected it. Repeatable. */
  remove(trx: Trx, imageId: string): Promise<void>
  /** Removes, or with `dryRun` only counts, what no image and no repository needs. */
  collectGarbage(dryRun: boolean): Promise<Record<string, number>>
  /** Who says which images servers are made of. Once, before the first request. */
  usedBy(usage: Usage): void
}

/** Image API v2 over the blob store; container images are published in the registry. */
export function createImage(
  ground: Ground,
  identity: { readonly authenticate: Authenticate; readonly limits: LimitStore },
  registry: RegistryService,
): ImageService {
  const { config, database, blobs, clock, log } = ground
  const deps: Deps = {
    database,
    blobs,
    registry,
    clock,
    log,
    uploader: config.host,
    receiving: new Set(),
    sizeMaxBytes: config.imageSizeMaxBytes,
    outward: outwardRulesOf(config.imageImport),
    region: config.region,
    quotas: imageQuotas(identity.limits),
  }
  const imports = importReconciler(deps, () => ground.nudge(importLoop))
  const policy = createPolicy([scoped(['project'], imagePolicy)], ground.policyOverrides, ground.config)
  registry.serve(imagesFor(deps, policy, () => ground.nudge(checksumLoop)))
  let usage: Usage = async () => new Set()
  const app = createApp({
    service: 'image',
    dialect: imageFault,
    policy,
    authenticate: identity.authenticate,
    identityUrl: `${urlOf(config, 'identity')}/v3`,
    log,
    streams: true,
  })
  refuseTrailingSlash(app)
  versionRoutes(app, areMany(deps))
  imageRoutes(app, deps)
  imageDataRoutes(app, deps)
  imageMemberRoutes(app, deps)
  importRoutes(app, deps, () => ground.nudge(importLoop))
  taskRoutes(app, deps)
  usageRoutes(app, deps)
  metadefNamespaceRoutes(app, deps)
  metadefContentRoutes(app, deps)

  return {
    name: 'image',
    app,
    loops: [uploadReconciler(deps), checksumReconciler(deps), imports, retiredReconciler(deps, () => usage)],
    async start() {
      const { requeued, removed } = await tidy(deps)
      if (requeued + removed > 0) log.info({ requeued, removed }, 'put uploads of an earlier process in order')
    },
    stop: () => imports.stop(),
    bootable: (db, ctx, id) => boot.bootable(deps, db, ctx, id),
    async collectGarbage(dryRun) {
      const own = (keys: readonly string[]) => keysInUse(database.read, keys)
      if (dryRun) return { ...(await registry.survey(keyPrefix, own)) }
      const { removed } = await tidy(deps)
      const found = await registry.collect()
      return { ...found, files: removed + (found.files ?? 0) }
    },
    usedBy(found) {
      usage = found
    },
    uploadUrl: (id) => `${localUrlOf(config, 'image')}/v2/images/${id}/file`,
    createSnapshot: (trx, wanted) => boot.createSnapshot(deps, trx, wanted),
    fail: (trx, id) => boot.fail(deps, trx, id),
    remove: (trx, id) => boot.remove(deps, trx, id),
  }
}
