import { createHash } from 'node:crypto'
import type { Context } from '../../../platform/auth/context.ts'
import { type AccessRule, isDelegated } from '../../../platform/auth/delegation.ts'
import { hashPassword } from '../../../platform/auth/passwords.ts'
import type { Trx } from '../../../platform/db/database.ts'
import { newHexId, newSecret } from '../../../platform/ids.ts'
import * as accessRuleRows from '../db/access-rules.ts'
import * as credentialRows from '../db/application-credentials.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import type { Deps } from './deps.ts'
import { rolesIn } from './effective-roles.ts'
import { badRequest, conflict, must } from './refusals.ts'
import { writeRevoking } from './revoking.ts'
import { usable } from './who.ts'

export type ApplicationCredential = credentialRows.ApplicationCredential

/** A rule as it is asked for: new, or by the id of one of the user's. */
export type WantedRule = { readonly id: string } | AccessRule

export interface Wanted {
  readonly name: string
  readonly description: string | null
  /** Null: one is made. */
  readonly secret: string | null
  readonly expiresAt: string | null
  readonly unrestricted: boolean
  /** Empty: all of the caller's. */
  readonly roles: readonly { id?: string; name?: string }[]
  readonly accessRules: readonly WantedRule[]
}

const madeSecretBytes = 64
/** The rules travel in every token, and a header has 16 KiB for all that is in it. */
const maxRuleBytes = 6000

/** Fast, for a secret of 512 random bits nobody can guess. */
export const hashMadeSecret = (secret: string): string => `sha256:${createHash('sha256').update(secret).digest('hex')}`

/**
 * Hands on the caller's roles in the project of their token, or some of them. The secret is in the answer only.
 * @throws CloudError when the name is taken, or a role is not the caller's to give.
 */
export async function create(
  deps: Deps,
  ctx: Context,
  wanted: Wanted,
): Promise<{ credential: ApplicationCredential; rules: readonly accessRuleRows.AccessRule[]; secret: string }> {
  const secret = wanted.secret ?? newSecret(madeSecretBytes)
  const secretHash = wanted.secret === null ? hashMadeSecret(secret) : await hashPassword(secret)
  return deps.database.write(async (trx) => {
    const credential: ApplicationCredential = {
      id: newHexId(),
      userId: ctx.userId,
      name: wanted.name,
      projectId: ctx.projectId ?? '',
      description: wanted.description,
      secretHash,
      expiresAt: wanted.expiresAt,
      unrestricted: wanted.unrestricted,
      roleIds: await rolesToGive(trx, ctx, wanted.roles),
    }
    const rules = await rulesOf(trx, ctx.userId, wanted.accessRules)
    if (
      !(await credentialRows.insert(
        trx,
        credential,
        rules.map(({ id }) => id),
      ))
    )
      throw conflict('application_credential', `Duplicate entry found with name ${wanted.name}`)
    return { credential, rules, secret }
  })
}

/** What the user has now, even if their token is older; by a delegation only what its token has, which may be less. */
async function rolesToGive(trx: Trx, ctx: Context, wanted: Wanted['roles']): Promise<string[]> {
  const project = must(await projectRows.find(trx, ctx.projectId ?? ''), 'project', ctx.projectId ?? '')
  const scope = await usable(trx, project)
  const held = scope ? await rolesIn(trx, ctx.userId, scope) : []
  // A global role's name is one role's.
  const own = isDelegated(ctx) ? held.filter(({ name }) => ctx.roles.includes(name)) : held
  if (wanted.length === 0) return own.map(({ id }) => id)
  const ids: string[] = []
  for (const { id, name } of wanted) {
    const role = id ? await roleRows.find(trx, id) : await roleRows.findByName(trx, null, name ?? '')
    const found = must(role, 'role', id ?? name ?? '')
    if (!own.some((each) => each.id === found.id))
      throw badRequest('Invalid application credential: Cannot create an application credential with unassigned role.')
    ids.push(found.id)
  }
  return [...new Set(ids)]
}

async function rulesOf(
  trx: Trx,
  userId: string,
  wanted: readonly WantedRule[],
): Promise<readonly accessRuleRows.AccessRule[]> {
  const rules = new Map<string, accessRuleRows.AccessRule>()
  for (const each of wanted) {
    const known = 'id' in each ? await accessRuleRows.find(trx, each.id) : undefined
    if ('id' in each && known?.userId !== userId) must(undefined, 'access rule', each.id)
    const rule = known ?? (await accessRuleRows.ensure(trx, { id: newHexId(), userId, ...(each as AccessRule) }))
    rules.set(rule.id, rule)
  }
  const found = [...rules.values()]
  if (Buffer.byteLength(JSON.stringify(found)) > maxRuleBytes)
    throw badRequest('Invalid application credential: its access rules are too long to travel in a token.')
  return found
}

/** Its tokens die. */
export async function remove(deps: Deps, id: string): Promise<void> {
  await writeRevoking(deps, async (trx, revoke) => {
    must((await credentialRows.remove(trx, id)) || undefined, 'Application Credential', id)
    revoke({ scope: `application_credential:${id}` })
  })
}
