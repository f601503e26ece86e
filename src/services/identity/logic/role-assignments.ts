import type { Db } from '../../../platform/db/database.ts'
import * as assignmentRows from '../db/assignments.ts'
import * as groupRows from '../db/groups.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import { actorsOf, targetsAt, withImplied } from './effective-roles.ts'

export interface Wanted {
  readonly userId?: string | undefined
  readonly groupId?: string | undefined
  readonly roleId?: string | undefined
  readonly target?: assignmentRows.Target | undefined
  readonly inherited?: boolean | undefined
  /** What users may do in the end, group membership, inheritance and implied roles worked out. */
  readonly effective: boolean
  /** Also on the projects below `target`. */
  readonly subtree: boolean
}

/** An assignment, and where it comes from when it is not itself in the table. */
export interface Listed extends assignmentRows.Assignment {
  readonly viaGroupId?: string
  readonly viaTarget?: assignmentRows.Target
  readonly priorRoleId?: string
}

/** Source: Identity API reference, "List role assignments". */
export async function list(db: Db, wanted: Wanted): Promise<Listed[]> {
  const targets = wanted.target && (await withSubtree(db, wanted.target, wanted.subtree))
  return wanted.effective ? effective(db, wanted, targets) : asGranted(db, wanted, targets)
}

async function withSubtree(db: Db, target: assignmentRows.Target, subtree: boolean): Promise<assignmentRows.Target[]> {
  if (!subtree) return [target]
  const below = await projectRows.descendants(db, target.id)
  return [target, ...below.map(({ id }) => ({ kind: 'project' as const, id }))]
}

function asGranted(db: Db, wanted: Wanted, targets: readonly assignmentRows.Target[] | undefined): Promise<Listed[]> {
  const { userId, groupId, roleId, inherited } = wanted
  const actor: assignmentRows.Actor | null = userId
    ? { kind: 'user', id: userId }
    : groupId
      ? { kind: 'group', id: groupId }
      : null
  return assignmentRows.list(db, {
    ...(actor ? { actors: [actor] } : {}),
    ...(targets ? { targets } : {}),
    ...(roleId ? { roleIds: [roleId] } : {}),
    ...(inherited === undefined ? {} : { inherited }),
  })
}

async function effective(
  db: Db,
  wanted: Wanted,
  targets: readonly assignmentRows.Target[] | undefined,
): Promise<Listed[]> {
  const implications = await roleRows.implications(db)
  const { roleId } = wanted
  const granted = await assignmentRows.list(db, {
    ...(roleId ? { roleIds: implying(implications, roleId) } : {}),
    ...(wanted.userId ? { actors: await actorsOf(db, wanted.userId) } : {}),
    ...(targets ? { targets: await andAbove(db, targets) } : {}),
  })
  const spread = (await Promise.all(granted.map((each) => spreadDown(db, each)))).flat()
  const members = await groupRows.membersOf(db, [
    ...new Set(spread.flatMap(({ actor }) => (actor.kind === 'group' ? [actor.id] : []))),
  ])
  const ofUsers = spread.flatMap((each): Listed[] =>
    each.actor.kind === 'user'
      ? [each]
      : (members.get(each.actor.id) ?? []).map((id) => ({
          ...each,
          actor: { kind: 'user', id },
          viaGroupId: each.actor.id,
        })),
  )
  const all = ofUsers.flatMap((each) => [
    each,
    ...withImplied(implications, [each.roleId])
      .slice(1)
      .map((roleId): Listed => ({ ...each, roleId, priorRoleId: each.roleId })),
  ])
  const roles = await roleRows.findAll(db, [...new Set(all.map((each) => each.roleId))])
  const global = new Set(roles.filter((role) => role.domainId === null).map((role) => role.id))
  return all.filter(
    (each) =>
      global.has(each.roleId) &&
      (!wanted.roleId || wanted.roleId === each.roleId) &&
      (!wanted.userId || wanted.userId === each.actor.id) &&
      (!targets || targets.some(({ kind, id }) => kind === each.target.kind && id === each.target.id)) &&
      (wanted.inherited === undefined || wanted.inherited === (each.viaTarget !== undefined)),
  )
}

/** The role, and those that imply it, directly or not. */
const implying = (implications: ReadonlyMap<string, readonly string[]>, roleId: string): string[] => [
  roleId,
  ...[...implications.keys()].filter((id) => id !== roleId && withImplied(implications, [id]).includes(roleId)),
]

/** The targets, and those above from which something may be inherited. */
async function andAbove(db: Db, targets: readonly assignmentRows.Target[]): Promise<assignmentRows.Target[]> {
  const found = new Map(targets.map((target) => [`${target.kind} ${target.id}`, target]))
  for (const { kind, id } of targets) {
    const project = kind === 'project' ? await projectRows.find(db, id) : undefined
    for (const above of project ? await projectRows.ancestors(db, project) : [])
      for (const target of targetsAt(above)) found.set(`${target.kind} ${target.id}`, target)
  }
  return [...found.values()]
}

/** An inherited assignment holds on every project below its target, not on the target. */
async function spreadDown(db: Db, granted: assignmentRows.Assignment): Promise<Listed[]> {
  if (!granted.inherited) return [granted]
  const below = await projectRows.descendants(db, granted.target.id)
  return below.map(({ id }) => ({
    ...granted,
    inherited: false,
    target: { kind: 'project', id },
    viaTarget: granted.target,
  }))
}
