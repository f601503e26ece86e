import type { Db } from '../../../platform/db/database.ts'

declare module '../../../platform/db/database.ts' {
  interface Tables {
    /** One row; on SQLite alone. */
    identity_version: { version: number }
  }
}

/** Changes with everything that a token is made from: projects, users, memberships, roles, assignments, the catalog. */
export async function read(db: Db): Promise<number> {
  return (await db.selectFrom('identity_version').select('version').executeTakeFirstOrThrow()).version
}
