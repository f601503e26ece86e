import { createHash } from 'node:crypto'
import { messageOf } from '../../../platform/errors.ts'
import * as credentialRows from '../db/credentials.ts'
import type { Deps } from './deps.ts'
import { badRequest, conflict, must, notFound } from './refusals.ts'

/** A credential as its owner knows it. */
export interface Credential extends Omit<credentialRows.Credential, 'sealed' | 'accessHash'> {
  readonly blob: string
}
export type Change = Partial<Pick<Credential, 'blob' | 'projectId' | 'type' | 'userId'>>

/** What an `ec2` credential's blob says. */
export interface Ec2Blob {
  readonly access: string
  readonly secret: string
}

export const hashAccess = (access: string): string => createHash('sha256').update(access).digest('hex')

export const opened = ({ secretBox }: Pick<Deps, 'secretBox'>, row: credentialRows.Credential): Credential => {
  const { sealed, accessHash, ...rest } = row
  return { ...rest, blob: secretBox.open(sealed, row.id) }
}

const sealedOf = ({ secretBox }: Pick<Deps, 'secretBox'>, credential: Credential): credentialRows.Credential => {
  const { blob, ...rest } = credential
  const accessHash = credential.type === 'ec2' ? hashAccess(ec2BlobOf(credential).access) : null
  return { ...rest, sealed: secretBox.seal(blob, credential.id), accessHash }
}

/** @throws CloudError kind `badRequest` when it is not what an `ec2` credential must be. */
export function ec2BlobOf({ blob }: Pick<Credential, 'blob'>): Ec2Blob {
  let found: unknown
  try {
    found = JSON.parse(blob)
  } catch (error) {
    throw badRequest(`Invalid blob in credential: ${messageOf(error)}`)
  }
  const { access, secret } = (typeof found === 'object' && found !== null ? found : {}) as Record<string, unknown>
  if (typeof access !== 'string' || !access) throw badRequest("Expecting to find access in credential's blob.")
  return { access, secret: typeof secret === 'string' ? secret : '' }
}

/** An `ec2` credential's id is the hash of its access key. @throws CloudError kind `conflict` when that is taken. */
export async function create(deps: Deps, wanted: Credential): Promise<Credential> {
  const credential = wanted.type === 'ec2' ? { ...wanted, id: hashAccess(ec2BlobOf(wanted).access) } : wanted
  if (credential.type === 'ec2' && !credential.projectId) throw badRequest("'project_id' is a required property")
  const row = sealedOf(deps, credential)
  await deps.database.write(async (trx) => {
    if (!(await credentialRows.insert(trx, row))) throw taken(credential)
  })
  return credential
}

const taken = ({ id }: Credential) => conflict('credential', `Duplicate entry found with id ${id}`)

export async function update(deps: Deps, id: string, change: Change): Promise<Credential> {
  return deps.database.write(async (trx) => {
    const was = opened(deps, must(await credentialRows.find(trx, id), 'credential', id))
    const now = { ...was, ...change }
    if (now.type === 'ec2' && !now.projectId) throw badRequest("'project_id' is a required property")
    const row = sealedOf(deps, now)
    const holder = row.accessHash === null ? undefined : await credentialRows.findByAccess(trx, row.accessHash)
    if (holder && holder.id !== id) throw taken(now)
    await credentialRows.update(trx, row)
    return now
  })
}

export async function remove({ database }: Deps, id: string): Promise<void> {
  await database.write(async (trx) => {
    if (!(await credentialRows.remove(trx, id))) throw notFound('credential', id)
  })
}
