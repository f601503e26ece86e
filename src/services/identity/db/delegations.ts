import type { Db } from '../../../platform/db/database.ts'
import * as applicationCredentialRows from './application-credentials.ts'
import * as credentialRows from './credentials.ts'
import * as trustRows from './trusts.ts'

/** All by which others, or programs, act for these users. */
export async function removeOfUsers(db: Db, userIds: readonly string[]): Promise<void> {
  await credentialRows.removeOfUsers(db, userIds)
  await applicationCredentialRows.removeOfUsers(db, userIds)
  await trustRows.removeOfUsers(db, userIds)
}

/** All by which somebody acts in these projects. */
export async function removeOfProjects(db: Db, projectIds: readonly string[]): Promise<void> {
  await credentialRows.removeOfProjects(db, projectIds)
  await applicationCredentialRows.removeOfProjects(db, projectIds)
  await trustRows.removeOfProjects(db, projectIds)
}
