import type { Db } from '../../../platform/db/database.ts'
import { flag } from './lists.ts'

export interface Actor {
  readonly kind: 'user' | 'group'
  readonly id: string
}

export interface Target {
  readonly kind: 'project' | 'domain' | 'system'
  /** `system` where the target is the system. */
  readonly id: string
}

export const theSystem: Target = { kind: 'system', id: 'system' }

export interface Assignment {
  readonly actor: Actor
  readonly target: Target
  readonly roleId: string
  /** Holds in the projects below the target, not on it. */
  readonly inherited: boolean
}

/** Only assignments with all that is given; an empty list matches none. */
export interface Which {
  readonly actors?: readonly Actor[]
  readonly targets?: readonly Target[]
  readonly targetKind?: Target['kind']
  readonly roleIds?: readonly string[]
  readonly inherited?: boolean
}

/** Repeatable. */
export async function insert(db: Db, { actor, target, roleId, inherited }: Assignment): Promise<void> {
  await db
    .insertInto('identity_assignments')
    .values({
      actor_kind: actor.kind,
      actor_id: actor.id,
      target_kind: target.kind,
      target_id: target.id,
      role_id: roleId,
      inherited: flag(inherited),
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** False when there was none. */
export async function remove(db: Db, { actor, target, roleId, inherited }: Assignment): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('identity_assignments')
    .where('actor_kind', '=', actor.kind)
    .where('actor_id', '=', actor.id)
    .where('target_kind', '=', target.kind)
    .where('target_id', '=', target.id)
    .where('role_id', '=', roleId)
    .where('inherited', '=', flag(inherited))
    .executeTakeFirst()
  return numDeletedRows === 1n
}

/** In a stable order. Ids of users, groups, projects and domains are unique across kinds but for a domain's project. */
export async function list(db: Db, which: Which): Promise<Assignment[]> {
  if ([which.actors, which.targets, which.roleIds].some((ids) => ids?.length === 0)) return []
  let query = db.selectFrom('identity_assignments').selectAll()
  if (which.actors) {
    query = query.where(
      'actor_id',
      'in',
      which.actors.map((actor) => actor.id),
    )
  }
  if (which.targets) {
    query = query.where(
      'target_id',
      'in',
      which.targets.map((target) => target.id),
    )
  }
  if (which.targetKind) query = query.where('target_kind', '=', which.targetKind)
  if (which.roleIds) query = query.where('role_id', 'in', which.roleIds)
  if (which.inherited !== undefined) query = query.where('inherited', '=', flag(which.inherited))
  const rows = await query.orderBy('actor_id').orderBy('target_id').orderBy('role_id').orderBy('inherited').execute()
  return rows
    .map((row) => ({
      actor: { kind: row.actor_kind, id: row.actor_id },
      target: { kind: row.target_kind, id: row.target_id },
      roleId: row.role_id,
      inherited: row.inherited === 1,
    }))
    .filter(
      ({ actor, target }) =>
        (which.actors?.some((wanted) => wanted.kind === actor.kind && wanted.id === actor.id) ?? true) &&
        (which.targets?.some((wanted) => wanted.kind === target.kind && wanted.id === target.id) ?? true),
    )
}

export async function removeOfActors(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await db.deleteFrom('identity_assignments').where('actor_id', 'in', ids).execute()
}

export async function removeOnTargets(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await db.deleteFrom('identity_assignments').where('target_id', 'in', ids).execute()
}

export async function removeOfRoles(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await db.deleteFrom('identity_assignments').where('role_id', 'in', ids).execute()
}
