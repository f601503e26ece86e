import type { Context } from '../../../platform/auth/context.ts'
import type { Db } from '../../../platform/db/database.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import * as trustRows from '../db/trusts.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'
import { heldIn } from './effective-roles.ts'
import { badRequest, forbidden, must, notFound } from './refusals.ts'
import { writeRevoking } from './revoking.ts'

export type Trust = trustRows.Trust

/** How often rights may be handed on further. Keystone's default. */
const maxRedelegations = 3

export interface Wanted {
  readonly trustorId: string
  readonly trusteeId: string
  readonly projectId: string | null
  readonly impersonation: boolean
  readonly roles: readonly { id?: string; name?: string }[]
  readonly expiresAt: string | null
  readonly remainingUses: number | null
  readonly allowRedelegation: boolean
  readonly redelegationCount: number | null
}

/** A trust that can be used: neither past its end nor used up. @throws CloudError kind `notFound` */
export async function get(db: Db, id: string, now: string): Promise<Trust> {
  const trust = await trustRows.find(db, id)
  const over = trust && ((trust.expiresAt !== null && trust.expiresAt <= now) || trust.remainingUses === 0)
  return must(over ? undefined : trust, 'trust', id)
}

/** The trust and those it was made from, up to the one given by the owner of the rights. */
export async function pedigree(db: Db, trust: Trust, now: string): Promise<Trust[]> {
  const chain = [trust]
  for (let parentId = trust.redelegatedTrustId; parentId !== null; ) {
    const parent = await get(db, parentId, now)
    chain.push(parent)
    parentId = parent.redelegatedTrustId
  }
  return chain
}

/**
 * The caller, who is the trustor, hands on roles; by a token that a trust gave, no more than that trust gave.
 * Source: Identity API reference, "OS-TRUST: create trust".
 */
export async function create(deps: Deps, ctx: Context, wanted: Wanted): Promise<Trust> {
  if (wanted.projectId !== null && wanted.roles.length === 0) throw forbidden('At least one role should be specified')
  if (ctx.userId !== wanted.trustorId) throw forbidden('The authenticated user should match the trustor')
  const now = deps.clock.now()
  return deps.database.write(async (trx) => {
    must(await userRows.find(trx, wanted.trusteeId), 'user', wanted.trusteeId)
    const parent = ctx.delegation?.kind === 'trust' ? await get(trx, ctx.delegation.id, now) : undefined
    const above = parent ? await pedigree(trx, parent, now) : []
    const ownerId = above.at(-1)?.trustorId ?? wanted.trustorId
    const asked: Trust = {
      id: newHexId(),
      trustorId: wanted.trustorId,
      trusteeId: wanted.trusteeId,
      projectId: wanted.projectId,
      impersonation: wanted.impersonation,
      roleIds: await rolesToGive(trx, ownerId, wanted),
      expiresAt: wanted.expiresAt ?? parent?.expiresAt ?? null,
      remainingUses: wanted.remainingUses,
      redelegationCount: redelegations(wanted, parent),
      redelegatedTrustId: parent?.id ?? null,
    }
    for (const each of above) checkAgainst(each, asked)
    await trustRows.insert(trx, asked)
    return asked
  })
}

async function rolesToGive(db: Db, ownerId: string, { projectId, roles }: Wanted): Promise<string[]> {
  const held = projectId === null ? new Set<string>() : await heldByOwner(db, ownerId, projectId)
  const ids: string[] = []
  for (const { id, name } of roles) {
    const role = id ? await roleRows.find(db, id) : await roleRows.findByName(db, null, name ?? '')
    const found = must(role, 'role', id ?? name ?? '')
    if (!held.has(found.id)) throw notFound('role', found.id)
    ids.push(found.id)
  }
  return [...new Set(ids)]
}

/** A domain's own roles too. */
async function heldByOwner(db: Db, ownerId: string, projectId: string): Promise<ReadonlySet<string>> {
  const project = must(await projectRows.find(db, projectId), 'project', projectId)
  return heldIn(db, ownerId, { kind: 'project', id: project.id, name: project.name, domainId: project.domainId ?? '' })
}

function redelegations(wanted: Wanted, parent: Trust | undefined): number {
  const { allowRedelegation, redelegationCount, remainingUses } = wanted
  if (!allowRedelegation || redelegationCount === 0) return 0
  if (redelegationCount !== null && redelegationCount > maxRedelegations)
    throw forbidden(`Requested redelegation depth of ${redelegationCount} is greater than allowed ${maxRedelegations}`)
  if (remainingUses !== null) throw badRequest('remaining_uses must not be set if redelegation is allowed')
  if (!parent) return redelegationCount ?? maxRedelegations
  const left = parent.redelegationCount - 1
  if (redelegationCount !== null && redelegationCount !== left)
    throw forbidden(
      'Modifying "redelegation_count" upon redelegation is forbidden. Omitting this parameter is advised.',
    )
  return left
}

/** A trust gives no more than the one it was made from. */
function checkAgainst(parent: Trust, trust: Trust): void {
  if (parent.redelegationCount < 1)
    throw forbidden(
      `Remaining redelegation depth of ${parent.redelegationCount} out of allowed range of [0..${maxRedelegations}]`,
    )
  if (trust.remainingUses !== null)
    throw forbidden(
      `Field "remaining_uses" is set to ${trust.remainingUses} while it must not be set in order to redelegate a trust`,
    )
  if (parent.expiresAt !== null && (trust.expiresAt === null || trust.expiresAt > parent.expiresAt))
    throw forbidden('Requested expiration time is more than redelegated trust can provide')
  if (trust.projectId !== parent.projectId || trust.roleIds.some((id) => !parent.roleIds.includes(id)))
    throw forbidden('Some of requested roles are not in redelegated trust')
  if (trust.impersonation && !parent.impersonation)
    throw forbidden(
      `Impersonation is not allowed because redelegated trust does not specify impersonation. Redelegated trust id: ${parent.id}`,
    )
}

/** With the trusts made from it; the tokens of all die. */
export async function remove(deps: Deps, id: string): Promise<void> {
  await writeRevoking(deps, async (trx, revoke) => {
    must(await trustRows.find(trx, id), 'trust', id)
    for (const each of await trustRows.removeTree(trx, id)) revoke({ scope: `trust:${each}` })
  })
}
