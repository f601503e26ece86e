import type { Db } from '../../../platform/db/database.ts'
import { inChunks, onPage, type Page } from './lists.ts'

export interface AccessRule {
  readonly id: string
  readonly userId: string
  readonly service: string
  readonly method: string
  readonly path: string
}

const columns = ['id', 'user_id as userId', 'service', 'method', 'path'] as const

export async function find(db: Db, id: string): Promise<AccessRule | undefined> {
  return db.selectFrom('identity_access_rules').select(columns).where('id', '=', id).executeTakeFirst()
}

export async function list(db: Db, userId: string, page: Page): Promise<AccessRule[]> {
  let query = db
    .selectFrom('identity_access_rules')
    .select(columns)
    .where('user_id', '=', userId)
    .where(onPage(page))
    .orderBy('id')
  if (page.limit !== null) query = query.limit(page.limit)
  return query.execute()
}

/** The rules of application credentials, by the credential's id. */
export async function ofCredentials(db: Db, ids: readonly string[]): Promise<Map<string, AccessRule[]>> {
  const rows = await inChunks(ids, (some) =>
    db
      .selectFrom('identity_application_credential_rules as bound')
      .innerJoin('identity_access_rules as rule', 'rule.id', 'bound.access_rule_id')
      .select(['bound.application_credential_id as credentialId', 'rule.id', 'rule.user_id as userId'])
      .select(['rule.service', 'rule.method', 'rule.path'])
      .where('bound.application_credential_id', 'in', some)
      .orderBy('rule.id')
      .execute(),
  )
  const found = new Map<string, AccessRule[]>()
  for (const { credentialId, ...rule } of rows) {
    const list = found.get(credentialId)
    if (list) list.push(rule)
    else found.set(credentialId, [rule])
  }
  return found
}

/** The id of the user's rule that says this: a new one, or the one there was. */
export async function ensure(db: Db, rule: AccessRule): Promise<AccessRule> {
  const { id, userId, service, method, path } = rule
  await db
    .insertInto('identity_access_rules')
    .values({ id, user_id: userId, service, method, path })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  return db
    .selectFrom('identity_access_rules')
    .select(columns)
    .where('user_id', '=', userId)
    .where('service', '=', service)
    .where('method', '=', method)
    .where('path', '=', path)
    .executeTakeFirstOrThrow()
}

export async function isInUse(db: Db, id: string): Promise<boolean> {
  const row = await db
    .selectFrom('identity_application_credential_rules')
    .select('access_rule_id')
    .where('access_rule_id', '=', id)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

export async function remove(db: Db, id: string): Promise<void> {
  await db.deleteFrom('identity_access_rules').where('id', '=', id).execute()
}
