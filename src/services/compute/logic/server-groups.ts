import { type Context, projectOf } from '../../../platform/auth/context.ts'
import type { Db } from '../../../platform/db/database.ts'
import { CloudError } from '../../../platform/errors.ts'
import { newId } from '../../../platform/ids.ts'
import * as rows from '../db/server-groups.ts'
import type { Deps } from './deps.ts'
import { limitsOf } from './quotas.ts'

export type GroupPolicy = 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity'

export interface ServerGroup {
  id: string
  projectId: string
  userId: string
  name: string
  policy: GroupPolicy
  rules: { max_server_per_host?: number }
  members: readonly { id: string; host: string | null }[]
}

async function whole(db: Db, found: readonly rows.ServerGroupRow[]): Promise<ServerGroup[]> {
  const ids = found.map((row) => row.id)
  const members = await rows.members(db, ids)
  return found.map((row) => ({
    ...{ id: row.id, projectId: row.project_id, userId: row.user_id, name: row.name },
    policy: row.policy as GroupPolicy,
    rules: JSON.parse(row.rules) as ServerGroup['rules'],
    members: members.get(row.id) ?? [],
  }))
}

/** @throws CloudError `notFound` also for another project's */
export async function get(db: Db, ctx: Context, id: string): Promise<ServerGroup> {
  const row = await rows.find(db, id)
  if (!row || (row.project_id !== ctx.projectId && !ctx.isAdmin)) {
    throw new CloudError('notFound', `Instance group ${id} could not be found.`)
  }
  return (await whole(db, [row]))[0]!
}

/** Whosever it is; null when it is not there. */
export async function byId(db: Db, id: string): Promise<ServerGroup | null> {
  const row = await rows.find(db, id)
  return row ? (await whole(db, [row]))[0]! : null
}

export async function list(
  db: Db,
  projectId: string | null,
  page: { limit: number; offset: number },
): Promise<ServerGroup[]> {
  return await whole(db, await rows.list(db, projectId, page))
}

/** @throws CloudError `overQuota` */
export async function create(
  deps: Deps,
  ctx: Context,
  wanted: Pick<ServerGroup, 'name' | 'policy' | 'rules'>,
): Promise<ServerGroup> {
  const { database, clock } = deps.ground
  return await database.write(async (trx) => {
    const projectId = projectOf(ctx)
    await deps.quotas.claim(trx, projectId, { server_groups: 1 })
    const row = {
      ...{ id: newId(), project_id: projectId, user_id: ctx.userId, name: wanted.name, policy: wanted.policy },
      ...{ rules: JSON.stringify(wanted.rules), created_at: clock.now() },
    }
    await rows.insert(trx, row)
    return (await whole(trx, [row]))[0]!
  })
}

export async function remove({ ground: { database } }: Deps, ctx: Context, id: string): Promise<void> {
  await database.write(async (trx) => rows.remove(trx, (await get(trx, ctx, id)).id))
}

/** Whether a group can take so many more. @throws CloudError `badRequest` for a group that is not there, `overQuota` */
export async function forServers(deps: Deps, db: Db, ctx: Context, id: string, more: number): Promise<ServerGroup> {
  const group = await get(db, ctx, id).catch((error: unknown) => {
    if (!(error instanceof CloudError)) throw error
    throw new CloudError('badRequest', `Instance group ${id} could not be found.`, { cause: error })
  })
  const { server_group_members: most } = await limitsOf(deps, db, group.projectId)
  if (most >= 0 && group.members.length + more > most) {
    throw new CloudError('overQuota', 'Quota exceeded, too many servers in group')
  }
  return group
}

/** What a group's policy has against a host that holds `there` of its members; `elsewhere` are on other hosts. */
export function refuses(
  { policy, rules }: Pick<ServerGroup, 'policy' | 'rules'>,
  there: number,
  elsewhere: number,
): string | null {
  if (policy === 'affinity' && elsewhere > 0 && there === 0) return 'the members of the group are on another host'
  const most = rules.max_server_per_host ?? 1
  if (policy === 'anti-affinity' && there >= most) return `it has ${there} of the group, and may have ${most}`
  return null
}
