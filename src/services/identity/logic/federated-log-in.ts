import type { Claims, Federation } from '../../../platform/auth/token-codec.ts'
import { newAuditId } from '../../../platform/auth/tokens.ts'
import type { Db, Trx } from '../../../platform/db/database.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as assignmentRows from '../db/assignments.ts'
import * as federatedRows from '../db/federated-users.ts'
import * as protocolRows from '../db/federation-protocols.ts'
import * as groupRows from '../db/groups.ts'
import * as idpRows from '../db/identity-providers.ts'
import * as mappingRows from '../db/mappings.ts'
import * as projectRows from '../db/projects.ts'
import * as roleRows from '../db/roles.ts'
import * as userRows from '../db/users.ts'
import type { Deps } from './deps.ts'
import { type Assertion, applyMapping, attributeKey, type Mapped, type MappingRule } from './mapping-rules.ts'
import { checkFactors } from './receipts.ts'
import { forbidden, must, unauthorized } from './refusals.ts'
import { domainIdOf, findUser, stillThere } from './who.ts'

/** What a proxy, which is trusted to have asked the identity provider, says of who came. */
export interface FederatedLogIn {
  readonly idpId: string
  readonly protocolId: string
  readonly assertion: Assertion
}

/**
 * An unscoped token for whom the mapping makes of the assertion; who comes for the first time gets an account.
 * Source: Identity API reference, "OS-FEDERATION: request an unscoped token".
 * @throws CloudError kind `unauthorized` when no rule fits, `forbidden` when the provider is off or another than it says.
 */
export async function federatedLogIn(deps: Deps, { idpId, protocolId, assertion }: FederatedLogIn): Promise<Claims> {
  const db = deps.database.read
  const issuedAtMs = deps.clock.nowMs()
  const idp = must(await idpRows.find(db, idpId), 'identity provider', idpId)
  const protocol = must(await protocolRows.find(db, idpId, protocolId), 'federated protocol', protocolId)
  if (!idp.enabled) throw forbidden(`Identity Provider ${idpId} is disabled`)
  checkSender(idp, protocol.remoteIdAttribute ?? deps.federation.remoteIdAttribute, assertion)
  const mapping = must(await mappingRows.find(db, protocol.mappingId), 'mapping', protocol.mappingId)
  const mapped = applyMapping(mapping.id, mapping.rules as readonly MappingRule[], assertion)
  if (!mapped) throw unauthorized()

  const rest = { scope: null, roles: [], auditIds: [newAuditId()], issuedAtMs, expiresAtMs: issuedAtMs + deps.tokenMs }
  if (mapped.user.type === 'local') {
    const { id, name, domain } = mapped.user
    const found = id || (name && domain) ? await findUser(db, mapped.user) : undefined
    if (!found) throw unauthorized()
    return { ...claimsOf(await stillThere(db, found.id)), methods: ['mapped'], ...rest }
  }
  const groupIds = await groupsOf(db, mapped)
  const user = await shadow(deps, idp, protocolId, mapped, groupIds)
  await stillThere(db, user.id)
  const methods = await checkFactors(deps, user.id, [protocolId], undefined)
  return { ...claimsOf(user), methods, ...rest, federation: { idpId, protocolId, groupIds } }
}

const claimsOf = ({ id, name, domainId }: userRows.User) => ({ userId: id, userName: name, userDomainId: domainId })

/** Where both are known, the assertion must come from the provider that is asked for. */
function checkSender(idp: idpRows.IdentityProvider, attribute: string, assertion: Assertion): void {
  if (attribute === '' || idp.remoteIds.length === 0) return
  const sent = assertion.get(attributeKey(attribute))
  if (!sent || !idp.remoteIds.includes(sent.join(';')))
    throw forbidden('Incoming identity provider identifier not included among the accepted identifiers.')
}

/** A group by id must be there; one by name that is not is left out, as upstream does. */
async function groupsOf(db: Db, { groupIds, groupNames }: Mapped): Promise<string[]> {
  const found = new Set((await groupRows.findAll(db, groupIds)).map(({ id }) => id))
  const missing = groupIds.find((id) => !found.has(id))
  if (missing !== undefined) throw forbidden(`Group ${missing} returned by mapping was not found in the backend.`)
  for (const { name, domain } of groupNames) {
    const domainId = await domainIdOf(db, domain)
    const group = domainId === undefined ? undefined : await groupRows.findByName(db, domainId, name)
    if (group) found.add(group.id)
  }
  return [...found]
}

/** The account of somebody from elsewhere, made when they first come; with the projects and roles of the mapping. */
async function shadow(
  deps: Deps,
  idp: idpRows.IdentityProvider,
  protocolId: string,
  { user, projects }: Mapped,
  groupIds: readonly string[],
): Promise<userRows.User> {
  const name = user.name ?? user.id
  if (!name) throw unauthorized()
  const uniqueId = encodeURIComponent(user.id ?? name)
  const who = { idpId: idp.id, protocolId, uniqueId }
  return deps.database.write(async (trx) => {
    const knownId = await federatedRows.userIdOf(trx, who)
    const known = knownId === undefined ? undefined : await userRows.find(trx, knownId)
    const account = known ?? (await newAccount(deps, trx, idp, name, uniqueId))
    if (!known) await federatedRows.insert(trx, who, account.id)
    const email = user.email ?? account.extra.email
    const now = email === account.extra.email ? account : { ...account, extra: { ...account.extra, email } }
    if (now !== account) await userRows.update(trx, now)
    for (const project of projects) await provision(trx, idp, account.id, project)
    if (idp.authorizationTtl) {
      const expiresAtMs = deps.clock.nowMs() + idp.authorizationTtl * 60_000
      for (const groupId of groupIds) await federatedRows.joinUntil(trx, { groupId, userId: account.id, expiresAtMs })
    }
    return now
  })
}

/** Names are unique in a domain here: whose is taken, by a local user or by another protocol's, gets a longer one. */
async function newAccount(
  deps: Deps,
  trx: Trx,
  idp: idpRows.IdentityProvider,
  name: string,
  uniqueId: string,
): Promise<userRows.User> {
  const id = newHexId()
  const rest = { id, domainId: idp.domainId, enabled: true, defaultProjectId: null, options: {}, extra: {} }
  const noPassword = { passwordHash: null, passwordCreatedAt: null, passwordExpiresAt: null }
  for (const each of [name, uniqueId, `${name} ${id}`]) {
    const user = { ...rest, ...noPassword, name: each.slice(-255), createdAt: deps.clock.now() }
    if (await userRows.insert(trx, user)) return user
  }
  throw unauthorized()
}

/** A project in the provider's domain, made when missing, with the user's roles in it. */
async function provision(
  trx: Trx,
  idp: idpRows.IdentityProvider,
  userId: string,
  { name, roles }: Mapped['projects'][number],
): Promise<void> {
  const wanted = await Promise.all(
    roles.map(async (role) => must(await roleRows.findByName(trx, null, role.name), 'role', role.name)),
  )
  const found = await projectRows.findByName(trx, idp.domainId, name)
  const project: projectRows.Project = found ?? {
    ...{ id: newHexId(), name, domainId: idp.domainId, parentId: idp.domainId, isDomain: false, enabled: true },
    ...{ description: '', tags: [], options: {}, extra: {} },
  }
  if (!found) await projectRows.insert(trx, project)
  for (const role of wanted)
    await assignmentRows.insert(trx, {
      ...{ actor: { kind: 'user', id: userId }, target: { kind: 'project', id: project.id } },
      ...{ roleId: role.id, inherited: false },
    })
}

/**
 * Of a token that is exchanged: what it says of its user's groups is still so.
 * @throws CloudError when the provider or the protocol is gone or off; groups that are gone are left out.
 */
export async function stillFederated(db: Db, { idpId, protocolId, groupIds }: Federation): Promise<Federation> {
  const idp = await idpRows.find(db, idpId)
  if (!idp?.enabled || !(await protocolRows.find(db, idpId, protocolId))) throw unauthorized()
  return { idpId, protocolId, groupIds: (await groupRows.findAll(db, groupIds)).map(({ id }) => id) }
}
