import type { Trx } from '../../../platform/db/database.ts'
import { newHexId } from '../../../platform/ids.ts'
import * as protocolRows from '../db/federation-protocols.ts'
import * as idpRows from '../db/identity-providers.ts'
import * as mappingRows from '../db/mappings.ts'
import * as projectRows from '../db/projects.ts'
import type { Deps } from './deps.ts'
import { badRequest, conflict, must, notFound } from './refusals.ts'
import { writeRevoking } from './revoking.ts'

export type NewProvider = Omit<idpRows.IdentityProvider, 'domainId'> & { readonly domainId: string | null }
export type Change = Partial<Omit<idpRows.IdentityProvider, 'id' | 'domainId'>>

/** Without a domain it gets one of its own. @throws CloudError when it, or a remote id, is there already. */
export async function create({ database }: Deps, wanted: NewProvider): Promise<idpRows.IdentityProvider> {
  return database.write(async (trx) => {
    const domainId = wanted.domainId ?? newHexId()
    if (wanted.domainId === null) await projectRows.insert(trx, ownDomain(domainId, wanted.id))
    else if (!(await projectRows.find(trx, domainId))?.isDomain) throw notFound('domain', domainId)
    const idp = { ...wanted, domainId }
    if (!(await idpRows.insert(trx, idp)))
      throw conflict('identity_provider', `Duplicate entry found with ID ${wanted.id}`)
    await setRemoteIds(trx, idp)
    return idp
  })
}

const ownDomain = (id: string, idpId: string): projectRows.Project => ({
  ...{ id, name: id, domainId: null, parentId: null, isDomain: true, enabled: true },
  ...{ description: `For the users of identity provider ${idpId}`, tags: [], options: {}, extra: {} },
})

async function setRemoteIds(trx: Trx, { id, remoteIds }: idpRows.IdentityProvider): Promise<void> {
  const taken = await idpRows.setRemoteIds(trx, id, remoteIds)
  if (taken !== null) throw conflict('remote_id', `Duplicate remote ID: ${taken}`)
}

/** One that is switched off ends the tokens of its users. */
export async function update(deps: Deps, id: string, change: Change): Promise<idpRows.IdentityProvider> {
  return writeRevoking(deps, async (trx, revoke) => {
    const was = must(await idpRows.find(trx, id), 'identity provider', id)
    const now = { ...was, ...change }
    await idpRows.update(trx, now)
    if (change.remoteIds) await setRemoteIds(trx, now)
    if (was.enabled && !now.enabled) revoke({ scope: `idp:${id}` })
    return now
  })
}

/** With its protocols; its users keep their rights, and can no longer log in by it. */
export async function remove(deps: Deps, id: string): Promise<void> {
  await writeRevoking(deps, async (trx, revoke) => {
    must(await idpRows.find(trx, id), 'identity provider', id)
    await idpRows.remove(trx, id)
    revoke({ scope: `idp:${id}` })
  })
}

/** @throws CloudError when the provider or the mapping is missing, or the protocol is there already. */
export async function addProtocol({ database }: Deps, protocol: protocolRows.Protocol): Promise<void> {
  await database.write(async (trx) => {
    must(await idpRows.find(trx, protocol.idpId), 'identity provider', protocol.idpId)
    await checkMapping(trx, protocol.mappingId)
    if (!(await protocolRows.insert(trx, protocol)))
      throw conflict('federation_protocol', `Duplicate entry found with ID ${protocol.id}`)
  })
}

export async function updateProtocol(
  { database }: Deps,
  { idpId, id }: Pick<protocolRows.Protocol, 'idpId' | 'id'>,
  change: Partial<Pick<protocolRows.Protocol, 'mappingId' | 'remoteIdAttribute'>>,
): Promise<protocolRows.Protocol> {
  return database.write(async (trx) => {
    const was = must(await protocolRows.find(trx, idpId, id), 'federated protocol', id)
    if (change.mappingId !== undefined) await checkMapping(trx, change.mappingId)
    const now = { ...was, ...change }
    await protocolRows.update(trx, now)
    return now
  })
}

async function checkMapping(trx: Trx, mappingId: string): Promise<void> {
  if (!(await mappingRows.find(trx, mappingId))) throw badRequest(`Could not find mapping: ${mappingId}.`)
}

/** Tokens by it die. */
export async function removeProtocol(deps: Deps, idpId: string, id: string): Promise<void> {
  await writeRevoking(deps, async (trx, revoke) => {
    must(await protocolRows.find(trx, idpId, id), 'federated protocol', id)
    await protocolRows.remove(trx, idpId, id)
    revoke({ scope: `idp:${idpId}/${id}` })
  })
}
