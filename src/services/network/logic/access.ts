import type { Context } from '../../../platform/auth/context.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as rbacRows from '../db/rbac.ts'

export type Caller = Pick<Context, 'isAdmin' | 'projectId'>

/** Whether the caller may put things on a network (or use any other object that can be shared). */
export async function mayUse(db: Db, caller: Caller, row: { id: string; project_id: string }): Promise<boolean> {
  return (
    caller.isAdmin || row.project_id === caller.projectId || (await rbacRows.isOpenTo(db, row.id, caller.projectId))
  )
}

/** Whether the caller sees a network, be it only as a way out. */
export async function seesNetwork(db: Db, caller: Caller, row: { id: string; project_id: string }): Promise<boolean> {
  if (caller.isAdmin || row.project_id === caller.projectId) return true
  return await rbacRows.isOpenTo(db, row.id, caller.projectId, ['access_as_shared', 'access_as_external'])
}
