import type { Claims } from '../../../platform/auth/token-codec.ts'
import { newAuditId } from '../../../platform/auth/tokens.ts'
import type { Db } from '../../../platform/db/database.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import * as trustRows from '../db/trusts.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'
import { heldIn, withImplied } from './effective-roles.ts'
import { forbidden, unauthorized } from './refusals.ts'
import { get, pedigree, type Trust } from './trusts.ts'
import { usable } from './who.ts'

/** Who it is, and what a token of theirs would take over. */
interface Proven {
  readonly user: userRows.User
  readonly methods: readonly string[]
  readonly expiresAtMs: number
  readonly chain: readonly string[]
  readonly atMs: number
}

/**
 * A token for the trustee, with the roles that the trust hands on; takes one of the trust's uses.
 * Source: Identity API reference, "OS-TRUST: consuming a trust".
 * @throws CloudError kind `notFound` when the trust is over, `forbidden` when it is not theirs or its owner cannot give.
 */
export async function byTrust(deps: Deps, proven: Proven, trustId: string): Promise<Claims> {
  const db = deps.database.read
  const now = deps.clock.now()
  const trust = await get(db, trustId, now)
  if (trust.trusteeId !== proven.user.id) throw forbidden('User is not a trustee.')
  const line = await pedigree(db, trust, now)
  const chain = [...new Set([...line.map(({ trustorId }) => trustorId), ...line.map(({ trusteeId }) => trusteeId)])]
  const users = await Promise.all(chain.map((id) => agent(db, id)))
  const trustor = users.find(({ id }) => id === trust.trustorId)!
  const user = trust.impersonation ? trustor : proven.user
  const { scope, roles } = await given(db, trust, line.at(-1)!.trustorId)
  if (trust.remainingUses !== null && !(await deps.database.write((trx) => trustRows.use(trx, trust.id))))
    throw forbidden(`Unable to consume trust ${trust.id}.`)
  return {
    userId: user.id,
    userName: user.name,
    userDomainId: user.domainId,
    scope,
    roles,
    methods: [...new Set(proven.methods)],
    auditIds: [newAuditId(), ...proven.chain],
    issuedAtMs: proven.atMs,
    expiresAtMs: Math.min(proven.expiresAtMs, trust.expiresAt ? Date.parse(trust.expiresAt) : Number.POSITIVE_INFINITY),
    delegation: {
      kind: 'trust',
      id: trust.id,
      impersonation: trust.impersonation,
      trustorId: trust.trustorId,
      trusteeId: trust.trusteeId,
      chain,
      domainIds: [...new Set(users.map(({ domainId }) => domainId))],
    },
  }
}

/** Nobody through whose hands the rights went may be gone. */
async function agent(db: Db, userId: string): Promise<userRows.User> {
  const user = await userRows.find(db, userId)
  const domain = user && (await projectRows.find(db, user.domainId))
  if (!user?.enabled || !domain?.enabled) throw forbidden('One of the trust agents is disabled or deleted')
  return user
}

/** All the roles of the trust, or none: its owner must still have each of them. */
async function given(db: Db, trust: Trust, ownerId: string): Promise<Pick<Claims, 'scope' | 'roles'>> {
  if (trust.projectId === null) return { scope: null, roles: [] }
  const project = await projectRows.find(db, trust.projectId)
  const scope = project && (await usable(db, project))
  if (!scope) throw unauthorized()
  const held = await heldIn(db, ownerId, scope)
  const ids = withImplied(await roleRows.implications(db), trust.roleIds)
  const roles = (await roleRows.findAll(db, ids)).filter(({ domainId }) => domainId === null)
  if (trust.roleIds.some((id) => !held.has(id)) || roles.length === 0)
    throw forbidden('The trustor no longer has the roles of this trust.')
  return { scope, roles: roles.map(({ id, name }) => ({ id, name })).sort((a, b) => (a.name < b.name ? -1 : 1)) }
}
