import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { CloudError, messageOf } from '../errors.ts'
import { certificate } from './x509.ts'

/** What a server shows, in PEM. */
export interface Certificate {
  cert: string
  key: string
  /** Of our own small authority; null for a certificate of the operator's. */
  authority: string | null
}

const dayMs = 24 * 3_600_000
const authorityDays = 3650
/** What browsers and engines accept at most. */
const serverDays = 397
const renewDays = 30

const paths = (stateDir: string) => {
  const dir = join(stateDir, 'tls')
  const at = (name: string) => join(dir, name)
  return { dir, ca: at('ca.crt'), caKey: at('ca.key'), cert: at('server.crt'), key: at('server.key') }
}

/** The authority's certificate, for clients to trust; null when none was made yet. */
export const authorityOf = (stateDir: string): Promise<string | null> =>
  readFile(paths(stateDir).ca, 'utf8').catch(() => null)

/** The operator's own files, checked. @throws CloudError that names the file */
export async function ownCertificate(certPath: string, keyPath: string): Promise<Certificate> {
  const read = (path: string) =>
    readFile(path, 'utf8').catch((thrown: unknown) => {
      throw new CloudError('badRequest', `cannot read ${path}: ${messageOf(thrown)}`, { cause: thrown })
    })
  const [cert, key] = [await read(certPath), await read(keyPath)]
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('it is for another key')
  } catch (thrown) {
    const why = messageOf(thrown)
    throw new CloudError('badRequest', `${certPath} and ${keyPath} are no certificate and its key: ${why}`, {
      cause: thrown,
    })
  }
  return { cert, key, authority: null }
}

/**
 * A certificate for `names` from an authority of this cloud's own; both are made when they are missing, the certificate also when it
 * is about to end or stands for other names. Its key never leaves the state directory.
 */
export async function madeCertificate(stateDir: string, names: readonly string[], nowMs: number): Promise<Certificate> {
  const path = paths(stateDir)
  await mkdir(path.dir, { recursive: true, mode: 0o700 })
  const authority = await existing(path.ca, path.caKey)
  const ca = authority ?? (await make(path.ca, path.caKey, null, [], authorityDays, nowMs))
  const found = authority ? await existing(path.cert, path.key) : null
  if (found && isFit(found.cert, ca.cert, names, nowMs)) return { ...found, authority: ca.cert }
  return { ...(await make(path.cert, path.key, ca, names, serverDays, nowMs)), authority: ca.cert }
}

async function existing(certPath: string, keyPath: string): Promise<{ cert: string; key: string } | null> {
  try {
    return { cert: await readFile(certPath, 'utf8'), key: await readFile(keyPath, 'utf8') }
  } catch {
    return null
  }
}

function isFit(cert: string, authority: string, names: readonly string[], nowMs: number): boolean {
  const own = new X509Certificate(cert)
  const has = (name: string) => (isIP(name) ? own.checkIP(name) : own.checkHost(name)) !== undefined
  return (
    own.verify(new X509Certificate(authority).publicKey) &&
    Date.parse(own.validTo) - nowMs > renewDays * dayMs &&
    names.every(has)
  )
}

async function make(
  certPath: string,
  keyPath: string,
  ca: { cert: string; key: string } | null,
  names: readonly string[],
  days: number,
  nowMs: number,
): Promise<{ cert: string; key: string }> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuerKey = ca ? createPrivateKey(ca.key) : privateKey
  // Each authority has a name of its own: trust stores tell them apart by it.
  const issuer = ca
    ? (/^CN=(.*)$/m.exec(new X509Certificate(ca.cert).subject)?.[1] ?? '')
    : `Berth authority of ${new Date(nowMs).toISOString()}`
  const cert = certificate({
    subject: ca ? (names[0] ?? 'berth') : issuer,
    ...{ issuer, names, isAuthority: ca === null, publicKey, issuerKey, issuerPublicKey: createPublicKey(issuerKey) },
    notBefore: new Date(nowMs - 3_600_000), // clocks differ
    notAfter: new Date(nowMs + days * dayMs),
  })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  await save(keyPath, key, 0o600)
  await save(certPath, cert, 0o644)
  return { cert, key }
}

async function save(path: string, text: string, mode: number): Promise<void> {
  await writeFile(`${path}.new`, text, { mode })
  await rename(`${path}.new`, path)
}
