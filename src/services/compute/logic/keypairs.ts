import { createHash, generateKeyPair as generateKeyPairWith, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import { CloudError, NotFound } from '../../../platform/errors.ts'
import * as keypairRows from '../db/keypairs.ts'
import { clientCertificate } from './certificate.ts'
import type { Deps } from './deps.ts'

const generateKeyPair = promisify(generateKeyPairWith)

export interface NewKeypair {
  userId: string
  /** Whose quota; limits are the project's, the keys are counted by user. */
  projectId: string
  name: string
  type: 'ssh' | 'x509'
  /** null: make one. */
  publicKey: string | null
}

/** @throws CloudError in Nova's words: `overQuota`, `conflict`, `badRequest` */
export async function create(
  deps: Deps,
  wanted: NewKeypair,
): Promise<{ keypair: keypairRows.Keypair; privateKey: string | null }> {
  const { database, clock } = deps.ground
  const made = wanted.publicKey === null ? await generate(wanted, clock.nowMs()) : null
  const publicKey = made?.publicKey ?? (wanted.publicKey ?? '').trim()
  const fingerprint = wanted.type === 'ssh' ? sshFingerprint(publicKey) : certificateFingerprint(publicKey)
  const keypair = await database.write(async (trx) => {
    await deps.quotas.claim(trx, wanted.projectId, { server_key_pairs: 1 }, wanted.userId)
    const row = await keypairRows.insert(trx, {
      ...{ user_id: wanted.userId, name: wanted.name, type: wanted.type },
      ...{ public_key: publicKey, fingerprint, created_at: clock.now() },
    })
    if (!row) throw new CloudError('conflict', `Key pair '${wanted.name}' already exists.`)
    return row
  })
  return { keypair, privateKey: made?.privateKey ?? null }
}

/** @throws CloudError `notFound` */
export async function get({ ground: { database } }: Deps, userId: string, name: string): Promise<keypairRows.Keypair> {
  const keypair = await keypairRows.find(database.read, userId, name)
  if (!keypair) throw absent(userId, name)
  return keypair
}

/** Servers keep the name. @throws CloudError `notFound` */
export async function remove({ ground: { database } }: Deps, userId: string, name: string): Promise<void> {
  await database.write(async (trx) => {
    if (!(await keypairRows.remove(trx, userId, name))) throw absent(userId, name)
  })
}

const absent = (userId: string, name: string): CloudError =>
  new CloudError('notFound', `Keypair ${name} not found for user ${userId}`)
const invalid = (why: string): CloudError => new CloudError('badRequest', `Keypair data is invalid: ${why}`)

const sshTypes =
  /^(ssh-(rsa|ed25519|dss)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)$/

/** MD5 of the key's bytes, colons between: what OpenSSH showed when this API was made. @throws CloudError */
function sshFingerprint(publicKey: string): string {
  const [type = '', encoded = ''] = publicKey.split(/\s+/)
  const bytes = Buffer.from(encoded, 'base64')
  // The key repeats its type: RFC 4253, section 6.6.
  const length = bytes.length > 4 ? bytes.readUInt32BE(0) : 0
  if (!sshTypes.test(type) || bytes.subarray(4, 4 + length).toString('latin1') !== type || bytes.length <= 4 + length) {
    throw invalid('failed to generate fingerprint: it is not a public key as OpenSSH writes it (type, then base64)')
  }
  return colons(createHash('md5').update(bytes).digest())
}

/** SHA-1 of the certificate. @throws CloudError */
function certificateFingerprint(pem: string): string {
  try {
    return new X509Certificate(pem).fingerprint.toLowerCase()
  } catch {
    throw invalid('failed to generate X509 fingerprint: it is not a certificate in PEM form')
  }
}

const colons = (digest: Buffer): string => [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join(':')

/**
 * An RSA pair: the public half as OpenSSH writes it, or in a certificate; the private one as every SSH program reads it
 * (PKCS #1, PEM).
 */
async function generate(
  { type, userId }: NewKeypair,
  nowMs: number,
): Promise<{ publicKey: string; privateKey: string }> {
  // On the thread pool: it takes a tenth of a second.
  const { publicKey, privateKey } = await generateKeyPair('rsa', { modulusLength: 2048 })
  const secret = privateKey.export({ format: 'pem', type: 'pkcs1' }).toString()
  if (type === 'x509') {
    return { publicKey: clientCertificate(userId, publicKey, privateKey, nowMs), privateKey: secret }
  }
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' })
  // RFC 4253, section 6.6.
  const blob = Buffer.concat([field(Buffer.from('ssh-rsa')), field(positive(e)), field(positive(n))])
  return {
    publicKey: `ssh-rsa ${blob.toString('base64')} Generated-by-Nova`,
    privateKey: secret,
  }
}

/** A zero in front keeps a number from looking negative: RFC 4251, section 5, "mpint". */
function positive(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url')
  return bytes[0]! & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes
}

function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** @throws NotFound when the marker is no key of the user's */
export async function list(
  { ground: { database } }: Deps,
  userId: string,
  limit: number,
  marker: string | null,
): Promise<keypairRows.Keypair[]> {
  if (marker !== null && !(await keypairRows.find(database.read, userId, marker))) throw new NotFound('Marker', marker)
  return await keypairRows.list(database.read, userId, limit, marker)
}
