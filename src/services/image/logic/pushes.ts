import type { Context } from '../../../platform/auth/context.ts'
import type { Policy } from '../../../platform/auth/policy.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import type { Action, Images, NamedImage, Owner, Tagged } from '../../registry/index.ts'
import * as imageRows from '../db/images.ts'
import * as pieceRows from '../db/pieces.ts'
import * as pushRows from '../db/pushes.ts'
import { type Deps, type Image, isVisible, newImage, removeRow, repositoryOf } from './images.ts'
import { claim } from './quotas.ts'
import { archiveOf } from './synthetic.ts'
import { architectureOf } from './uploads.ts'

type Wanted = Parameters<Images['find']>[4]

/** What the registry asks of images: who may what, what is under a name, and an image for every tag. */
export function imagesFor(deps: Deps, policy: Policy, settled: () => void): Images {
  return {
    may: (ctx, action, owner) => may(policy, ctx, action, owner),
    tagged: async (trx, tagged) => {
      await become(deps, trx, tagged)
    },
    settled,
    untagged: (trx, ctx, repository, tag) => untagged(deps, trx, ctx, repository, tag),
    find: (db, ctx, owner, name, wanted) => find(policy, db, ctx, owner, name, wanted),
    names: (db, ctx, term, limit) => names(policy, db, ctx, term, limit),
  }
}

const rules: Readonly<Record<Action, readonly string[]>> = {
  pull: ['get_image', 'download_image'],
  push: ['add_image', 'upload_image', 'modify_image'],
  delete: ['delete_image'],
}

/** Pushing and deleting in the public library is publishing. */
function may(policy: Policy, ctx: Context, action: Action, owner: Owner): boolean {
  const isPublic = owner === null
  const project = owner ?? ctx.projectId
  if (project === null) return false
  const target = {
    owner: project,
    project_id: isPublic && action === 'pull' ? null : project,
    visibility: isPublic ? 'public' : 'private',
    member_id: null,
  }
  const needed = isPublic && action !== 'pull' ? [...rules[action], 'publicize_image'] : rules[action]
  return needed.every((rule) => policy.check(rule, ctx, target))
}

/**
 * The tag's new image, unless it means the same as before. The one it meant stays as it is, for servers that were made
 * of it, but out of sight.
 */
async function become(deps: Deps, trx: Trx, tagged: Tagged): Promise<void> {
  const { ctx, owner, repository, name, tag, digest, image } = tagged
  const before = await pushRows.findTagged(trx, repository, tag)
  if (before?.digest === digest) return
  if (before) await retire(deps, trx, before.imageId)
  if (!image) return
  const made: Image = {
    ...newImage(deps.clock.now(), owner ?? ctx.projectId),
    name: `${name}:${tag}`.slice(0, 255),
    status: 'active',
    visibility: owner === null ? 'public' : 'shared',
    containerFormat: 'docker',
    diskFormat: 'raw',
    configDigest: image.config,
    manifestDigest: image.manifest,
    properties: {
      architecture: architectureOf(image.architecture),
      ...(image.os === 'linux' ? {} : { os_type: image.os }),
    },
  }
  const to = repositoryOf(made.id)
  await deps.registry.link(trx, { from: repository, to, manifest: image.manifest, digests: image.digests })
  const manifest = await deps.registry.findManifest(trx, to, image.manifest)
  if (!manifest) throw new Error(`${to} lacks its manifest`)
  const { size } = archiveOf(manifest)
  await claim(deps, trx, made, { count: 1, bytes: size })
  await imageRows.insert(trx, { ...made, size })
  await pushRows.insert(trx, { imageId: made.id, repository, tag, digest })
}

/** Out of sight; gone when nothing uses it any more. */
async function retire({ clock }: Deps, trx: Trx, id: string): Promise<void> {
  await pushRows.remove(trx, id)
  const image = await imageRows.find(trx, id)
  if (!image) return
  await imageRows.save(trx, { ...image, osHidden: true, updatedAt: clock.now() })
  await pieceRows.retire(trx, id, clock.nowMs())
}

async function untagged(deps: Deps, trx: Trx, ctx: Context, repository: string, tag: string): Promise<void> {
  const push = await pushRows.findTagged(trx, repository, tag)
  const image = push && (await imageRows.find(trx, push.imageId))
  if (!image) return
  if (image.protected) {
    throw new CloudError('forbidden', `Image ${image.id} is protected and cannot be deleted.`, { type: 'DENIED' })
  }
  deps.log.info({ image: image.id, user: ctx.userId }, 'image deleted with its tag')
  await removeRow(deps, trx, image.id)
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Images are found by their names, `name` or `name:tag`, and by their ids. */
async function find(
  policy: Policy,
  db: Db,
  ctx: Context,
  owner: Owner,
  name: string,
  { tag, digest, hidden = false, uploaded = false }: NonNullable<Wanted> = {},
): Promise<NamedImage[]> {
  const isLatest = tag === undefined || tag === 'latest'
  const rows = await pushRows.containers(db, {
    owner,
    names: [...(isLatest ? [name] : []), ...(tag === undefined ? [] : [`${name}:${tag}`])],
    prefix: tag === undefined ? name : null,
    id: isLatest && uuid.test(name) ? name : null,
    digest: digest ?? null,
    hidden: hidden || digest !== undefined,
    uploaded,
  })
  const found: NamedImage[] = []
  for (const image of rows) {
    const named = splitName(image.name ?? '')
    if (image.id !== name && named.name !== name) continue
    if (!image.manifestDigest || !(await mayDownload(policy, db, ctx, image))) continue
    const itsTag = image.id === name ? 'latest' : named.tag
    found.push({ tag: itsTag, repository: repositoryOf(image.id), manifest: image.manifestDigest })
  }
  return found
}

async function mayDownload(policy: Policy, db: Db, ctx: Context, image: Image): Promise<boolean> {
  if (!(await isVisible(db, ctx, image))) return false
  const target = {
    ...image.properties,
    owner: image.owner,
    project_id: image.owner,
    visibility: image.visibility,
    member_id: image.visibility === 'shared' ? ctx.projectId : null,
  }
  return rules.pull.every((rule) => policy.check(rule, ctx, target))
}

function splitName(text: string): { name: string; tag: string } {
  const colon = text.lastIndexOf(':')
  return colon < 0 ? { name: text, tag: 'latest' } : { name: text.slice(0, colon), tag: text.slice(colon + 1) }
}

const repositoryName = /^[a-z0-9]+(?:(?:\.|_|__|-+|\/)[a-z0-9]+)*$/

async function names(
  policy: Policy,
  db: Db,
  ctx: Context,
  term: string,
  limit: number,
): Promise<{ owner: Owner; name: string }[]> {
  const found: { owner: Owner; name: string }[] = []
  for (const image of await pushRows.named(db, term, limit)) {
    const { name } = splitName(image.name ?? '')
    if (!repositoryName.test(name) || !(await mayDownload(policy, db, ctx, image))) continue
    if (image.visibility === 'public') found.push({ owner: null, name })
    else if (image.owner !== null) found.push({ owner: image.owner, name })
  }
  return found
}
