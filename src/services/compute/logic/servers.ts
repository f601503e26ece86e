import { randomInt } from 'node:crypto'
import { type Context, projectOf } from '../../../platform/auth/context.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import { faultPoint } from '../../../platform/faults.ts'
import { newId } from '../../../platform/ids.ts'
import * as actionRows from '../db/actions.ts'
import * as aggregateRows from '../db/aggregates.ts'
import * as decisionRows from '../db/decisions.ts'
import * as flavorRows from '../db/flavors.ts'
import * as guestRows from '../db/guest-data.ts'
import * as keypairRows from '../db/keypairs.ts'
import * as groupRows from '../db/server-groups.ts'
import * as metadataRows from '../db/server-metadata.ts'
import * as tagRows from '../db/server-tags.ts'
import * as serverRows from '../db/servers.ts'
import { record } from './actions.ts'
import { refusalTable } from './decisions.ts'
import type { BootableImage, Deps, WantedNetworks, WantedPlugs } from './deps.ts'
import { checkImage, imageOf } from './images.ts'
import * as interfaces from './interfaces.ts'
import { hostnameOf } from './names.ts'
import { checkFiles } from './personality.ts'
import { admit, limitsOf } from './quotas.ts'
import { resourcesOf } from './resources.ts'
import { defaultZone, noValidHost, type Placing, schedule } from './scheduler.ts'
import { forServers } from './server-groups.ts'
import { power } from './states.ts'

export interface NewServers {
  name: string
  hostname: string | null
  description: string | null
  imageId: string
  flavorId: string
  minCount: number
  maxCount: number
  networks: WantedNetworks
  securityGroups: readonly string[]
  keyName: string | null
  metadata: Readonly<Record<string, string>>
  /** Put into it before it starts. */
  files: readonly guestRows.GuestFile[]
  tags: readonly string[]
  /** Of each NIC, in the order of `networks`. */
  nicTags: readonly (string | null)[]
  userData: string | null
  configDrive: boolean
  diskConfig: 'AUTO' | 'MANUAL'
  accessIpV4: string | null
  accessIpV6: string | null
  zone: string | null
  forcedHost: string | null
  /** The server group they join, and servers whose hosts are wanted or not. */
  groupId: string | null
  sameHostAs: readonly string[]
  differentHostFrom: readonly string[]
  hints: NonNullable<Placing['hints']>
  /** May this caller use a flavor whose disk is 0? */
  zeroDiskAllowed: boolean
}

/**
 * Records servers and returns; their hosts follow. Quota, room and ports are taken in the same transaction. Between
 * `minCount` and `maxCount` as many are made as quota and hosts have room for; when not even `minCount` find room, all
 * of them are ERROR with a fault that says per host why.
 * @throws CloudError with Nova's texts
 */
export async function create(deps: Deps, ctx: Context, wanted: NewServers): Promise<serverRows.Server[]> {
  const { database, clock, nudge } = deps.ground
  const servers = await database.write(async (trx) => {
    const at = clock.now()
    const flavor = await flavorRows.find(trx, wanted.flavorId, ctx)
    if (!flavor) throw new CloudError('badRequest', `Flavor ${wanted.flavorId} could not be found.`)
    if (flavor.diskGiB === 0 && !wanted.zeroDiskAllowed) {
      throw new CloudError('forbidden', 'Only volume-backed servers are allowed for flavors with zero disk.')
    }
    const image = await bootable(deps, trx, ctx, wanted.imageId)
    checkImage(image, flavor)
    const key = await keyOf(trx, ctx, wanted.keyName)
    await checkRest(deps, trx, ctx, wanted)
    const projectId = projectOf(ctx)
    const admitted = await admit(deps, trx, projectId, flavor, wanted.minCount, wanted.maxCount)
    const rows = newRows(ctx, wanted, admitted, { flavor, image, at })
    const placed = await place(deps, trx, ctx, wanted, rows, image)
    await serverRows.insert(trx, placed)
    const ids = placed.map((server) => server.id)
    await metadataRows.put(trx, ids, wanted.metadata)
    await tagRows.add(trx, ids, wanted.tags)
    await guestRows.insert(trx, ids, { key, files: wanted.files })
    if (wanted.groupId !== null) await groupRows.addMembers(trx, wanted.groupId, ids)
    for (const server of placed) {
      if (server.host === null) continue
      const ports = await deps.network.plugServer(trx, ctx, { ...plugsOf(server, wanted), host: server.host })
      await interfaces.keepTags(trx, server, ports, wanted.nicTags)
    }
    return placed
  })
  faultPoint('compute.api.create.committed')
  nudge('network.ports')
  nudge('compute.servers')
  return servers
}

async function bootable(deps: Deps, trx: Trx, ctx: Context, imageId: string): Promise<BootableImage> {
  try {
    return await deps.image.bootable(trx, ctx, imageId)
  } catch (error) {
    // What the path names is the server; an image in the body that is not there is the body's fault.
    if (!(error instanceof CloudError) || error.kind !== 'notFound') throw error
    throw new CloudError('badRequest', 'Can not find requested image', { cause: error })
  }
}

/** The pair as it is now: it may be deleted while the server lives. @throws CloudError `badRequest` */
export async function keyOf(db: Db, ctx: Context, name: string | null): Promise<guestRows.GuestKey | null> {
  if (name === null) return null
  const found = await keypairRows.find(db, ctx.userId, name)
  if (!found) throw new CloudError('badRequest', 'Invalid key_name provided.')
  return { name, type: found.type, data: found.public_key }
}

async function checkRest(deps: Deps, db: Db, ctx: Context, wanted: NewServers): Promise<void> {
  if (wanted.zone !== null && wanted.zone !== defaultZone) {
    const zones = await aggregateRows.zones(db)
    if (![...zones.values()].includes(wanted.zone))
      throw new CloudError('badRequest', 'The requested availability zone is not available')
  }
  if (wanted.forcedHost !== null) {
    const known = await deps.hosts.list('compute', db)
    if (!known.some((host) => host.name === wanted.forcedHost)) {
      throw new CloudError('badRequest', `Compute host ${wanted.forcedHost} could not be found.`)
    }
  }
  const items = Object.keys(wanted.metadata).length
  const limits = await limitsOf(deps, db, projectOf(ctx))
  checkFiles(limits, wanted.files)
  const { metadata_items: most } = limits
  if (most >= 0 && items > most) throw new CloudError('overQuota', `Maximum number of metadata items exceeds ${most}`)
}

type NewRow = serverRows.Server

function newRows(
  ctx: Context,
  wanted: NewServers,
  count: number,
  { flavor, image, at }: { flavor: flavorRows.Flavor; image: BootableImage; at: string },
): NewRow[] {
  const reservationId = `r-${Array.from({ length: 8 }, () => randomInt(36).toString(36)).join('')}`
  const several = wanted.maxCount > 1
  return Array.from({ length: count }, (_, i) => {
    const id = newId()
    const name = several ? `${wanted.name}-${i + 1}` : wanted.name
    return {
      ...{ id, projectId: projectOf(ctx), userId: ctx.userId, name },
      ...{ hostname: wanted.hostname ?? hostnameOf(name, id), description: wanted.description },
      ...{ vmState: 'building', taskState: 'scheduling', powerState: power.none },
      ...{ wish: 'running', generation: 1, seenGeneration: 0, bootEpoch: 0, bootKind: 'soft' },
      ...{ goal: null, buildEpoch: 0, oldFlavor: null, rescue: null, reclaimAtMs: null, shelvedImageId: null },
      ...{ host: null, availabilityZone: null },
      imageId: image.id,
      image: imageOf(image),
      flavor: {
        ...{ id: flavor.id, name: flavor.name, vcpus: flavor.vcpus, memoryMiB: flavor.memoryMiB },
        ...{ diskGiB: flavor.diskGiB, ephemeralGiB: flavor.ephemeralGiB, swapMiB: flavor.swapMiB },
        extraSpecs: flavor.extraSpecs,
      },
      ...{ keyName: wanted.keyName, userData: wanted.userData, configDrive: wanted.configDrive },
      ...{ diskConfig: wanted.diskConfig, accessIpV4: wanted.accessIpV4, accessIpV6: wanted.accessIpV6 },
      ...{ lockedBy: null, lockedReason: null, progress: 0, reservationId, launchIndex: i },
      ...{ fault: null, exit: null, containerId: null, tries: 0, retryAtMs: null, actionId: null },
      ...{ createdAt: at, updatedAt: at, launchedAt: null, deletedAt: null, deleted: false },
    } satisfies NewRow
  })
}

/** Gives each server its host, or all of them their fault, and records the action. */
async function place(
  deps: Deps,
  trx: Trx,
  ctx: Context,
  wanted: NewServers,
  rows: readonly NewRow[],
  image: BootableImage,
): Promise<NewRow[]> {
  const [first] = rows
  if (!first) return []
  const { flavor, createdAt: at } = first
  const ids = rows.map((row) => row.id)
  const group = wanted.groupId === null ? null : await forServers(deps, trx, ctx, wanted.groupId, rows.length)
  const { placed, decisions, refused } = await schedule(
    deps,
    trx,
    {
      ...{ projectId: first.projectId, userId: first.userId, zone: wanted.zone, forcedHost: wanted.forcedHost },
      ...{ image, flavor, resources: resourcesOf(flavor), group, hints: wanted.hints },
      sameHost: await hostsOf(trx, wanted.sameHostAs),
      differentHost: await hostsOf(trx, wanted.differentHostFrom),
    },
    ids,
  )
  const enough = placed.size >= wanted.minCount
  // More than the least that was asked for is a wish: what finds no room is not made.
  const made = enough ? rows.filter((row) => placed.has(row.id)) : rows
  const event = { action: 'create', event: 'compute__do_build_and_run_instance', at }
  const actions = await record(
    trx,
    ctx,
    made.map((row) => ({ ...row, host: placed.get(row.id)?.name ?? null })),
    event,
  )
  if (enough) {
    await decisionRows.put(trx, new Map([...decisions].filter(([id]) => placed.has(id))))
    return made.map((row) => ({
      ...row,
      host: placed.get(row.id)?.name ?? null,
      availabilityZone: placed.get(row.id)?.zone ?? defaultZone,
      taskState: 'spawning' as const,
      actionId: actions.get(row.id) ?? null,
    }))
  }
  // A wrong network is still the caller's mistake, to be told at once.
  await deps.network.checkNetworks(trx, ctx, plugsOf(first, wanted))
  for (const id of placed.keys()) await deps.placement.release(trx, id)
  const message = noValidHost(refused)
  const decision = [...decisions.values()].at(-1)
  if (decision) await decisionRows.put(trx, new Map(made.map(({ id }) => [id, decision])))
  for (const id of actions.values()) await actionRows.finish(trx, id, at, message)
  return made.map((row) => ({
    ...row,
    vmState: 'error' as const,
    taskState: null,
    seenGeneration: row.generation,
    fault: { code: 500, message, details: refusalTable(refused), created: at },
  }))
}

/** null when nothing was asked for. */
async function hostsOf(trx: Trx, serverIds: readonly string[]): Promise<string[] | null> {
  if (serverIds.length === 0) return null
  const servers = await serverRows.listByIds(trx, serverIds)
  return servers.flatMap(({ host, deleted }) => (host === null || deleted ? [] : [host]))
}

const plugsOf = (server: NewRow, { networks, securityGroups }: NewServers): WantedPlugs => ({
  serverId: server.id,
  projectId: server.projectId,
  hostname: server.hostname,
  availabilityZone: server.availabilityZone ?? defaultZone,
  networks,
  securityGroups,
})

/** Renames a server or changes what only the API shows of it. The host is not asked. */
export async function change(
  deps: Deps,
  server: serverRows.Server,
  changes: Partial<Pick<serverRows.Server, 'name' | 'description' | 'accessIpV4' | 'accessIpV6' | 'diskConfig'>> & {
    hostname?: string
  },
): Promise<serverRows.Server> {
  const { database, clock } = deps.ground
  return await database.write(async (trx) => {
    await serverRows.update(trx, server.id, { ...changes, updatedAt: clock.now() })
    return await serverRows.get(trx, server.id)
  })
}
